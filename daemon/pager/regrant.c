/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Granting again what was parked.
 *
 * A regrant takes its turn among the operations of its window. A fence that was ended by force is
 * over for everybody else while the pager's thread has still to clean up behind it; pages that were
 * served again before that would be taken out once more.
 *
 * Only the range that is granted again is: the halves of a split window are parked and granted
 * apart.
 *
 * Before a page is held again it is empty, 2 MiB a turn: of the windows that share it another may
 * be given back just now, and what that one leaves is old.
 *
 * The object may have grown meanwhile. What gave SIGBUS in a READ window, because it was past the
 * end, does so no more, see view_fit(). The memory of a WRITE window is sealed against resizing,
 * and SIGBUS there is a mark in the page table that only a page can replace: each such page is
 * brought in and mapped, before any thread that is parked goes on. A thread that is not may meet
 * the mark until then.
 *
 * A holder can keep all of that from happening, by going on to change its address space, and others
 * wait behind it: flushes, and strangers that are held for them. After a while the marks stay.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/pager/state.h"

struct regrant {
	struct op op;
	struct turn turn;
	struct job *job;
	struct window *window;
	uint64_t first, last, cursor;
	uint64_t patient_until; /* with an address space that changes; 0: it did not so far */
	int fill_error;
	bool begun;
	bool filling; /* nothing runs the operation before that has ended */
};

enum { DONE, LATER };

static bool is_patient(struct regrant *regrant)
{
	if (!regrant->patient_until)
		regrant->patient_until = loop_now() + DEADLINE_STORM_NS;
	return loop_now() < regrant->patient_until;
}

/* One page that is not past the end any more: LATER, or DONE when it is there, or stays as it is. */
static int bring_back(struct regrant *regrant, uint64_t page)
{
	struct window *window = regrant->window;
	struct view *view = window->view;
	int r = 0;

	if (regrant->filling && regrant->fill_error < 0)
		r = regrant->fill_error;
	else if (!bitmap_test(view->filled, page)) {
		regrant->fill_error = 0;
		r = fill(window, page, page + 1, page, &regrant->op, &regrant->fill_error);
		regrant->filling = r > 0;
		if (r > 0)
			return LATER;
	}
	regrant->filling = false;
	if (r == 0 && bitmap_test(view->filled, page))
		r = populate_filled(window, page, page + 1, false);
	if (r == -EAGAIN || (r == UFFD_AGAIN && is_patient(regrant))) {
		space_ready(window->space);
		op_sleep(&regrant->op, loop_now() + DEADLINE_RETRY_NS);
		return LATER;
	}
	bitmap_clear(window->past, page, page + 1);
	return DONE;
}

static int bring_all_back(struct regrant *regrant, uint64_t last)
{
	struct window *window = regrant->window;
	const struct view *view = window->view;
	uint64_t limit = view_limit(view), page = regrant->cursor, end;

	end = limit > view->start ? (limit - view->start + PAGE_BYTES - 1) >> PAGE_SHIFT : 0;
	if (end > last)
		end = last;
	while ((page = bitmap_next_set(window->past, page, end)) < end) {
		if (!bitmap_test(window->parked, page))
			page++; /* it was taken anew */
		else if (bring_back(regrant, page) == LATER)
			return LATER;
	}
	return DONE;
}

static void unpark(struct window *window, uint64_t first, uint64_t last)
{
	while (first < last) {
		uint64_t end;

		first = bitmap_next_set(window->parked, first, last);
		end = bitmap_next_clear(window->parked, first, last);
		window_hold(window, first, end);
		bitmap_clear(window->blocked, first, end);
		bitmap_clear(window->parked, first, end);
		first = end;
	}
}

static void finish(struct regrant *regrant)
{
	struct pager *pager = regrant->op.pager;

	op_stop(&regrant->op);
	turn_end(regrant->window, &regrant->turn);
	pager->n_ops--;
	job_done(pager, regrant->job, 0, 0);
}

static void step(struct op *op)
{
	struct regrant *regrant = container_of(op, struct regrant, op);
	struct window *window = regrant->window;
	struct view *view = window->view;
	uint64_t end = regrant->last;

	if (window->closed) {
		finish(regrant);
		return;
	}
	if (end - regrant->cursor > PUNCH_PAGES)
		end = regrant->cursor + PUNCH_PAGES;
	if (!regrant->begun) {
		regrant->begun = true;
		view->short_at = UINT64_MAX;
		view_fit(view);
	}
	if (!view->write && view_release(view, regrant->cursor, end) < 0) {
		op_sleep(op, loop_now() + DEADLINE_RETRY_NS);
		return;
	}
	if (view->write && bring_all_back(regrant, end) == LATER)
		return;
	unpark(window, regrant->cursor, end);
	regrant->cursor = end;
	if (end < regrant->last) {
		op_again(op);
		return;
	}
	window_wake(window, regrant->first, regrant->last);
	finish(regrant);
}

int regrant_prepare(struct job *job)
{
	job->machine = calloc(1, sizeof(struct regrant));
	return job->machine ? 0 : -ENOMEM;
}

void regrant_start(struct pager *pager, struct job *job)
{
	struct window *window = window_get(pager, job->job.window);
	struct regrant *regrant = job->machine;

	if (!window ||
	    !window_pages(window, job->job.start, job->job.end, &regrant->first, &regrant->last)) {
		job_done(pager, job, window ? 0 : -EINVAL, 0);
		return;
	}
	op_init(&regrant->op, pager, step);
	regrant->job = job;
	regrant->window = window;
	regrant->cursor = regrant->first;
	pager->n_ops++;
	turn_take(window, &regrant->turn, &regrant->op);
}
