/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Giving memory back: clean pages are dropped, and brought in again when they are touched.
 *
 * READ views go first, then what is clean in WRITE views: a clean page is write-protected, so
 * nothing can be lost between the look and the punch, which this thread does in one go. Never
 * dropped is what was populated (a system call may be about to use it), what is dirty, and what a
 * device may hold: a PINNABLE window has no clean page.
 */

#include <stdlib.h>

#include "daemon/pager/state.h"

struct drop {
	struct op op;
	struct job *job;
	uint64_t wanted, dropped; /* pages */
	uint64_t window; /* goes on after this one; ids are compared, windows come and go */
	bool writes;	 /* READ views are done */
};

static uint64_t drop_run(struct view *view, uint64_t *cursor, uint64_t most)
{
	uint64_t first = bitmap_next_set(view->filled, *cursor, view->pages);
	uint64_t last = bitmap_next_clear(view->filled, first, view->pages);
	uint64_t kept = view_next_kept(view, first, last);

	if (first < last && kept == first) {
		*cursor = view_end_kept(view, first, last);
		return 0;
	}
	last = kept;
	if (view->write) {
		pthread_mutex_lock(&view->lock);
		if (first < last &&
		    (bitmap_test(view->dirty, first) || bitmap_test(view->writing, first)))
			last = first;
		last = bitmap_next_set(view->dirty, first, last);
		last = bitmap_next_set(view->writing, first, last);
		pthread_mutex_unlock(&view->lock);
	}
	if (last > first + most)
		last = first + most;
	*cursor = last > first ? last : first + 1;
	if (first >= last || view_punch(view, first, last) < 0)
		return 0;
	bitmap_clear(view->filled, first, last);
	return last - first;
}

static uint64_t drop_view(struct view *view, uint64_t most)
{
	uint64_t cursor = 0, dropped = 0;

	while (cursor < view->pages && dropped < most)
		dropped += drop_run(view, &cursor, most - dropped);
	return dropped;
}

/* The window with the smallest id after @after that is of the kind looked for. */
static struct window *next_window(struct pager *pager, uint64_t after, bool write)
{
	struct window *best = NULL;

	for (size_t i = 0; i < pager->windows_by_id.room; i++) {
		struct window *window = pager->windows_by_id.slots[i].value;

		if (window && window->id > after && window->view->write == write &&
		    (!best || window->id < best->id))
			best = window;
	}
	return best;
}

static void step(struct op *op)
{
	struct drop *drop = container_of(op, struct drop, op);
	struct pager *pager = op->pager;
	uint64_t most = drop->wanted - drop->dropped, n;
	struct window *window = most ? next_window(pager, drop->window, drop->writes) : NULL;

	if (most && !window && !drop->writes) {
		drop->writes = true;
		drop->window = 0;
		op_again(op);
		return;
	}
	if (!window) {
		op_stop(op);
		job_done(pager, drop->job, 0, drop->dropped << PAGE_SHIFT);
		free(drop);
		pager->n_ops--;
		return;
	}
	n = drop_view(window->view, most < PUNCH_PAGES ? most : PUNCH_PAGES);
	COUNT(pager, pages_punched, n);
	drop->dropped += n;
	if (n < PUNCH_PAGES)
		drop->window = window->id;
	op_again(op);
}

void drop_start(struct pager *pager, struct job *job)
{
	struct drop *drop = calloc(1, sizeof(*drop));

	if (!drop) {
		job_done(pager, job, -ENOMEM, 0);
		return;
	}
	op_init(&drop->op, pager, step);
	drop->job = job;
	drop->wanted = (job->job.value + PAGE_BYTES - 1) >> PAGE_SHIFT;
	pager->n_ops++;
	op_again(&drop->op);
}
