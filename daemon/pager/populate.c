/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Populating: pages are brought in and mapped before they are touched, so that system calls find
 * them. For writing they are dirty from then on, and stay writable until they are returned.
 *
 * A turn does one run of pages. What is being fenced, or was, is not populated: -EBUSY while it is
 * parked or on its way, -EFAULT when it is over, past the end of the object or not mapped.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/pager/state.h"

struct populate {
	struct op op;
	struct turn wait; /* for somebody else's fill */
	struct job *job;
	struct window *window;
	uint64_t cursor, last;
	int fill_error;
	bool filling; /* ours; nothing runs the operation before it ended */
};

static void finish(struct populate *populate, int error)
{
	struct pager *pager = populate->op.pager;

	op_stop(&populate->op);
	list_unlink(&populate->wait.link);
	job_done(pager, populate->job, error, 0);
	window_unuse(populate->window);
	free(populate);
	pager->n_ops--;
}

static int continue_all(struct space *space, uint64_t start, uint64_t length, uint64_t mode)
{
	while (length > 0) {
		uint64_t done;
		int r = uffd_continue(space->uffd, start, length, mode, &done);

		COUNT(space->pager, pages_mapped, done >> PAGE_SHIFT);
		if (r == UFFD_EXISTS)
			done += PAGE_BYTES; /* mapped already */
		else if (r)
			return r;
		start += done;
		length -= done;
	}
	return 0;
}

static int continue_plain(struct space *space, uint64_t start, uint64_t length)
{
	return continue_all(space, start, length, 0);
}

static int continue_protected(struct space *space, uint64_t start, uint64_t length)
{
	return continue_all(space, start, length, UFFDIO_CONTINUE_MODE_WP);
}

int populate_filled(struct window *window, uint64_t first, uint64_t last, bool write)
{
	struct view *view = window->view;
	bool open =
		view->write && (write || window->pinnable || !window->pager->kernel.wp_continue);
	int r;

	if (open) {
		pthread_mutex_lock(&view->lock);
		bitmap_set(view->dirty, first, last);
		pthread_mutex_unlock(&view->lock);
	}
	r = window_each(window, first, last,
			view->write && !open ? continue_protected : continue_plain);
	if (r == 0 && write)
		r = window_unprotect(window, first, last);
	window_wake(window, first, last);
	return r;
}

/* How many pages of [first, last) are mapped somewhere. */
static uint64_t reachable(const struct window *window, uint64_t first, uint64_t last)
{
	uint64_t pages = 0;

	list_for_each (pos, &window->segments) {
		const struct segment *segment = list_entry(pos, struct segment, link);
		uint64_t low = segment->offset >> PAGE_SHIFT;
		uint64_t high = low + ((segment->end - segment->start) >> PAGE_SHIFT);

		if (low < first)
			low = first;
		if (high > last)
			high = last;
		if (low < high)
			pages += high - low;
	}
	return pages;
}

static int answer_to_errno(int r)
{
	switch (r) {
	case UFFD_LOST:
		return -ESRCH;
	case UFFD_MOVED:
	case UFFD_NO_PAGE:
	case UFFD_EXISTS:
		return -EFAULT;
	default:
		return r;
	}
}

/* One run from the cursor on. 0: on with the next; 1: it will be run again; or -errno. */
static int one_run(struct populate *populate)
{
	struct window *window = populate->window;
	struct view *view = window->view;
	uint64_t page = populate->cursor, last = populate->last, limit = view_limit(view), pages;
	int r;

	if (window->closed || bitmap_test(window->dead, page))
		return -EFAULT;
	if (bitmap_test(window->blocked, page))
		return -EBUSY;
	pages = limit > view->start ? (limit - view->start + PAGE_BYTES - 1) >> PAGE_SHIFT : 0;
	if (page >= pages)
		return -EFAULT;
	if (last > pages)
		last = pages;
	if (last > page + SLICE_PAGES)
		last = page + SLICE_PAGES;
	last = bitmap_next_set(window->blocked, page, last);
	if (bitmap_test(view->filling, page)) {
		list_unlink(&populate->wait.link);
		list_append(&view->waiters, &populate->wait.link);
		return 1;
	}
	if (!bitmap_test(view->filled, page)) {
		if (last > page + window->pager->scratch_pages)
			last = page + window->pager->scratch_pages;
		last = bitmap_next_set(view->filled, page, last);
		last = bitmap_next_set(view->filling, page, last);
		populate->fill_error = 0;
		r = fill(window, page, last, page, &populate->op, &populate->fill_error);
		populate->filling = r > 0;
		if (r == -EAGAIN) {
			op_sleep(&populate->op, loop_now() + DEADLINE_RETRY_NS);
			return 1;
		}
		if (r)
			return r;
	}
	last = bitmap_next_clear(view->filled, page, last);
	if (last == page)
		return -EFAULT; /* the object is shorter than it was said to be */
	if (reachable(window, page, last) < last - page)
		return -EFAULT;
	bitmap_set(window->kept, page, last);
	r = populate_filled(window, page, last, populate->job->job.write);
	if (r == UFFD_AGAIN) {
		space_ready(window->space);
		op_sleep(&populate->op, loop_now() + DEADLINE_RETRY_NS);
		return 1;
	}
	if (r == 0)
		populate->cursor = last;
	return answer_to_errno(r);
}

static void step(struct op *op)
{
	struct populate *populate = container_of(op, struct populate, op);
	int r;

	if (populate->filling) {
		populate->filling = false;
		if (populate->fill_error < 0) {
			finish(populate, populate->fill_error);
			return;
		}
	}
	if (populate->window->space->lost) {
		finish(populate, -ESRCH);
		return;
	}
	r = populate->cursor < populate->last ? one_run(populate) : 0;
	if (r < 0 || (r == 0 && populate->cursor == populate->last))
		finish(populate, r);
	else if (r == 0)
		op_again(op);
}

void populate_start(struct pager *pager, struct job *job)
{
	struct window *window = window_get(pager, job->job.window);
	struct populate *populate;

	if (!window || job->job.start > job->job.end) {
		job_done(pager, job, -EINVAL, 0);
		return;
	}
	if (job->job.write && !window->view->write) {
		job_done(pager, job, -EACCES, 0);
		return;
	}
	populate = calloc(1, sizeof(*populate));
	if (!populate) {
		job_done(pager, job, -ENOMEM, 0);
		return;
	}
	op_init(&populate->op, pager, step);
	list_init(&populate->wait.link);
	populate->wait.op = &populate->op;
	populate->job = job;
	populate->window = window;
	window->users++;
	pager->n_ops++;
	if (!window_pages(window, job->job.start, job->job.end, &populate->cursor,
			  &populate->last)) {
		finish(populate, 0);
		return;
	}
	op_again(&populate->op);
}
