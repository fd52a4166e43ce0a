/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Giving memory back: clean pages are dropped, and brought in again when they are touched.
 *
 * READ views go first, then what is clean in WRITE views: a clean page is write-protected, so
 * nothing can be lost between the look and the punch, which this thread does in one go. Never
 * dropped is what was populated (a system call may be about to use it), what is dirty, and what a
 * device may hold: a PINNABLE window has no clean page.
 *
 * Windows are asked in turn, whoever gave pages last is asked last the next time. Those that come or go
 * meanwhile may be asked twice, or not.
 */

#include <stdlib.h>

#include "daemon/pager/state.h"

#define LOOKS_AT_ONCE 64

struct drop {
	struct op op;
	struct job *job;
	uint64_t wanted, dropped; /* pages */
	size_t left;		  /* windows to be asked in this pass */
	bool writes;		  /* READ views were asked */
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

static void finish(struct drop *drop)
{
	struct pager *pager = drop->op.pager;

	op_stop(&drop->op);
	job_done(pager, drop->job, 0, drop->dropped << PAGE_SHIFT);
	free(drop);
	pager->n_ops--;
}

/* A bounded part of what @window has to give. True if that was all, for now. */
static bool ask(struct drop *drop, const struct window *window)
{
	uint64_t most = drop->wanted - drop->dropped, n;

	if (most > PUNCH_PAGES)
		most = PUNCH_PAGES;
	n = drop_view(window->view, most);
	COUNT(drop->op.pager, pages_punched, n);
	drop->dropped += n;
	return n < most;
}

/* The next window of the kind that is asked now; others are passed over, so many at once. */
static void ask_next(struct drop *drop)
{
	struct list *windows = &drop->op.pager->windows, *first;
	bool asked = false;

	for (int i = 0; i < LOOKS_AT_ONCE && drop->left > 0 && !asked; i++) {
		first = list_first(windows);
		if (first) {
			const struct window *window = list_entry(first, struct window, link);

			asked = window->view->write == drop->writes;
			if (asked && !ask(drop, window))
				return;
			list_unlink(first);
			list_append(windows, first);
		}
		drop->left--;
	}
}

static void step(struct op *op)
{
	struct drop *drop = container_of(op, struct drop, op);

	if (drop->dropped < drop->wanted && drop->left > 0) {
		ask_next(drop);
	} else if (drop->dropped < drop->wanted && !drop->writes) {
		drop->writes = true;
		drop->left = op->pager->windows_by_id.n;
	} else {
		finish(drop);
		return;
	}
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
	drop->left = pager->windows_by_id.n;
	drop->wanted = (job->job.value + PAGE_BYTES - 1) >> PAGE_SHIFT;
	pager->n_ops++;
	op_again(&drop->op);
}
