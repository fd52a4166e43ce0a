/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Taking a range of a window away.
 *
 *	block	   no fault on the range is served from here on; threads that touch it wait
 *	protect	   WRITE: write-protect, and begin to write what is dirty, 1 MiB a turn
 *	settle	   wait for the writes. RETURN: a failure ends it here, nothing was taken.
 *		   Others: what could not be written is copied into the quarantine
 *	empty	   punch the memory, 2 MiB a turn: the pages go from every mapping anywhere. Of a READ
 *		   view only what no other window holds (share.c)
 *	answer	   threads that wait get SIGBUS, or wait until the window is granted again
 *
 * Emptying comes after all writing, so that a RETURN that fails has detached no page from a device
 * that was given it.
 *
 * A holder can keep write-protecting at EAGAIN for as long as it likes. When three quarters of the
 * time are gone the rest is done without: pages are copied as they are, and the result says so. The
 * last quarter is for the writes. At the limit force.c ends it, from whatever state, with what it
 * finds; this machine then only cleans up behind it. A patient fence has the same time for
 * write-protecting, from when it is its turn, and as much as it takes for the writes.
 *
 * The pages are gone from the memory, but a holder may have put others there since (it can map its
 * memory again without userfaultfd), and of a large page that a device holds, a part survives a
 * punch of that part. Neither is ever read by us: `filled` says what is ours, and is clear. If
 * everything is fenced a survivor is got rid of by punching all of it at once.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/pager/quarantine.h"
#include "daemon/pager/state.h"
#include "daemon/pager/writer.h"

enum phase { PHASE_BLOCK, PHASE_PROTECT, PHASE_SETTLE, PHASE_EMPTY, PHASE_ANSWER };

struct fence {
	struct op op;
	struct turn turn;
	struct writer writer;
	struct job *job;
	struct window *window;
	enum phase phase;
	uint64_t first, last, cursor;
	uint64_t torn_at;  /* not protected by then: goes on without */
	uint64_t patience; /* how long after its beginning that is */
	bool torn, asked;
	struct pager_event result;
};

static void finish(struct fence *fence)
{
	struct pager *pager = fence->op.pager;
	struct window *window = fence->window;

	op_stop(&fence->op);
	window->view->fences--;
	COUNT(pager, fences, 1);
	turn_end(window, &fence->turn);
	pager->n_ops--;
	fence_done(pager, fence->job, &fence->result);
}

/* ---- block ------------------------------------------------------------------------------- */

/* Done at once, even if something else has its turn first: no fault is served that comes after. */
static void shut(struct fence *fence)
{
	struct window *window = fence->window;

	bitmap_set(window->blocked, fence->first, fence->last);
	bitmap_clear(window->parked, fence->first, fence->last);
	window_let_go(window, fence->first, fence->last);
	fill_stale(window->view, fence->first, fence->last);
}

static void block(struct fence *fence)
{
	struct window *window = fence->window;

	shut(fence);
	if (fence->job->job.patient)
		fence->torn_at = loop_now() + fence->patience;
	fence->phase = window->view->write ? PHASE_PROTECT : PHASE_EMPTY;
	fence->cursor = fence->first;
	if (!window->view->write) {
		pthread_mutex_lock(&fence->job->lock);
		fence->job->protected = true;
		pthread_mutex_unlock(&fence->job->lock);
	}
}

/* ---- protect ----------------------------------------------------------------------------- */

static void protect(struct fence *fence)
{
	struct op *op = &fence->op;
	struct view *view = fence->window->view;
	uint64_t end;

	if (fence->job->job.discard) {
		pthread_mutex_lock(&view->lock);
		bitmap_clear(view->dirty, fence->first, fence->last);
		bitmap_clear(view->writing, fence->first, fence->last);
		pthread_mutex_unlock(&view->lock);
	} else if (!writer_may(&fence->writer)) {
		return;
	}
	end = fence->last - fence->cursor < SLICE_PAGES ? fence->last : fence->cursor + SLICE_PAGES;
	if (!fence->torn && window_protect(fence->window, fence->cursor, end) == UFFD_AGAIN) {
		uint64_t now = loop_now();

		if (now < fence->torn_at) {
			space_ready(fence->window->space);
			op_sleep(op, now + DEADLINE_RETRY_NS);
			return;
		}
		fence->torn = true;
	}
	fence->cursor = writer_write(&fence->writer, fence->cursor, end);
	if (fence->cursor == fence->last) {
		fence->phase = PHASE_SETTLE;
		if (!fence->torn) {
			pthread_mutex_lock(&fence->job->lock);
			fence->job->protected = true;
			pthread_mutex_unlock(&fence->job->lock);
		}
	}
	op_again(op);
}

/* ---- settle ------------------------------------------------------------------------------ */

/* A RETURN that failed: the range is the holder's as before, and so is what it may write. */
static void give_back(struct fence *fence)
{
	struct window *window = fence->window;
	struct view *view = window->view;

	fence->result.error = fence->writer.error;
	if (!fence_tell(fence->op.pager, fence->job, &fence->result)) {
		op_again(&fence->op); /* it was forced just now, and is the holder's no more */
		return;
	}
	if (view_is_revoked(view, fence->first, fence->last)) {
		/* nor is it when a fence that came after this one was forced meanwhile */
		finish(fence);
		return;
	}
	pthread_mutex_lock(&view->lock);
	for (uint64_t page = fence->first; page < fence->last; page++)
		if (bitmap_test(window->kept, page))
			bitmap_set(view->dirty, page, page + 1);
	pthread_mutex_unlock(&view->lock);
	for (uint64_t page = fence->first; page < fence->last;) {
		uint64_t end;

		page = bitmap_next_set(window->kept, page, fence->last);
		end = bitmap_next_clear(window->kept, page, fence->last);
		if (page < end)
			window_unprotect(window, page, end);
		page = end;
	}
	bitmap_clear(window->blocked, fence->first, fence->last);
	window_wake(window, fence->first, fence->last);
	finish(fence);
}

/* False if the fence was forced before that. */
static bool keep(struct fence *fence)
{
	struct pager *pager = fence->op.pager;
	struct view *view = fence->window->view;
	struct pager_event *result = &fence->result;

	if (!fence_begin_keeping(fence->job))
		return false;
	result->quarantine_errno = -fence->writer.error;
	quarantine(pager, view, fence->first, fence->last, result);
	if (!fence_end_keeping(fence->job))
		return true;
	result->fence = fence->torn ? PAGER_FENCE_TORN_POSSIBLE : PAGER_FENCE_FENCED;
	if (view_punch(view, fence->first, fence->last) < 0)
		result->fence = PAGER_FENCE_UNFENCED;
	if (fence_tell(pager, fence->job, result))
		result->quarantine_fd = -1;
	return true;
}

static void settle(struct fence *fence)
{
	if (fence->writer.under_way)
		return;
	writer_settle(&fence->writer, fence->first, fence->last, false);
	if (fence->writer.error && fence->job->job.how == PAGER_HOW_RETURN) {
		give_back(fence);
		return;
	}
	if (fence->writer.error && !keep(fence)) {
		op_again(&fence->op);
		return;
	}
	fence->phase = PHASE_EMPTY;
	fence->cursor = fence->first;
	op_again(&fence->op);
}

/* ---- empty ------------------------------------------------------------------------------- */

/* A WRITE view: all goes, ours or not. */
static int punch_all(struct view *view, uint64_t first, uint64_t last)
{
	int r = view_punch(view, first, last);

	if (r == -EINTR)
		return r;
	fill_stale(view, first, last);
	bitmap_clear(view->filled, first, last);
	pthread_mutex_lock(&view->lock);
	bitmap_clear(view->dirty, first, last);
	bitmap_clear(view->writing, first, last);
	bitmap_clear(view->revoked, first, last);
	pthread_mutex_unlock(&view->lock);
	COUNT(view->object->pager, pages_punched, last - first);
	return r;
}

static void empty(struct fence *fence)
{
	struct window *window = fence->window;
	struct view *view = window->view;
	uint64_t end;
	int r = 0;

	end = fence->last - fence->cursor < PUNCH_PAGES ? fence->last : fence->cursor + PUNCH_PAGES;
	if (view->write)
		r = punch_all(view, fence->cursor, end);
	else if (!view->spent) /* else it is cut to nothing already */
		r = view_release(view, fence->cursor, end);
	op_again(&fence->op);
	if (r == -EINTR)
		return;
	if (r < 0) {
		/* can't be refused on memory of our own; what can't be said is said */
		fence->result.fence = PAGER_FENCE_UNFENCED;
	}
	bitmap_clear(window->kept, fence->cursor, end);
	fence->cursor = end;
	if (fence->cursor == fence->last)
		fence->phase = PHASE_ANSWER;
}

/* ---- answer ------------------------------------------------------------------------------ */

/* Does anything survive in the range? Then, if nothing else is granted, all goes. */
static void sweep(struct fence *fence)
{
	const struct window *window = fence->window;
	const struct view *view = window->view;
	off_t data = lseek(view->memory, (off_t)(fence->first << PAGE_SHIFT), SEEK_DATA);

	if (data < 0 || (uint64_t)data >= fence->last << PAGE_SHIFT)
		return;
	if (bitmap_next_clear(window->blocked, 0, view->pages) == view->pages &&
	    bitmap_next_set(view->filled, 0, view->pages) == view->pages)
		view_punch(view, 0, view->pages);
}

static void answer(struct fence *fence)
{
	struct window *window = fence->window;

	if (window->view->write)
		sweep(fence);
	if (fence->result.fence == PAGER_FENCE_NONE)
		fence->result.fence = fence->torn ? PAGER_FENCE_TORN_POSSIBLE : PAGER_FENCE_FENCED;
	if (fence->job->job.how == PAGER_HOW_PARK && !window->closed) {
		for (uint64_t page = fence->first; page < fence->last; page++)
			if (!bitmap_test(window->dead, page))
				bitmap_set(window->parked, page, page + 1);
	} else {
		bitmap_set(window->dead, fence->first, fence->last);
		window_wake(window, fence->first, fence->last);
	}
	finish(fence);
}

/* ---- the machine ------------------------------------------------------------------------- */

/* True when the time is up. Another thread ends it then; here it is looked after meanwhile. */
static bool time_is_up(struct fence *fence)
{
	uint64_t limit = fence->job->job.limit, now = loop_now();

	if (!limit || fence->job->job.patient || fence->phase >= PHASE_EMPTY)
		return false;
	if (now < limit) {
		op_sleep(&fence->op, limit);
		return false;
	}
	if (!fence->asked)
		pager_force(fence->op.pager, fence->job->job.tag);
	fence->asked = true;
	op_sleep(&fence->op, now + DEADLINE_RETRY_NS);
	return true;
}

static void step(struct op *op)
{
	struct fence *fence = container_of(op, struct fence, op);
	bool over = fence_is_over(fence->job);

	if (!over && time_is_up(fence))
		return;
	if (list_first(&fence->window->line) != &fence->turn.link)
		return;
	if (over && fence->phase < PHASE_EMPTY) {
		shut(fence);
		/* buffers that were revoked come back by themselves */
		if (fence->writer.under_way)
			return;
		fence->phase = PHASE_EMPTY;
		fence->cursor = fence->first;
	}
	switch (fence->phase) {
	case PHASE_BLOCK:
		block(fence);
		op_again(op);
		break;
	case PHASE_PROTECT:
		protect(fence);
		break;
	case PHASE_SETTLE:
		settle(fence);
		break;
	case PHASE_EMPTY:
		empty(fence);
		break;
	case PHASE_ANSWER:
		answer(fence);
		break;
	}
}

int fence_prepare(struct job *job)
{
	job->machine = calloc(1, sizeof(struct fence));
	return job->machine ? 0 : -ENOMEM;
}

void fence_start(struct pager *pager, struct job *job)
{
	struct window *window = window_get(pager, job->job.window);
	struct pager_event nothing = { .fd = -1, .quarantine_fd = -1 };
	struct fence *fence = job->machine;
	uint64_t now = loop_now(), limit = job->job.limit;

	if (!window)
		nothing.error = -EINVAL;
	if (!window ||
	    !window_pages(window, job->job.start, job->job.end, &fence->first, &fence->last)) {
		fence_done(pager, job, &nothing);
		return;
	}
	op_init(&fence->op, pager, step);
	fence->job = job;
	fence->window = window;
	fence->result = nothing;
	fence->torn_at = UINT64_MAX;
	if (limit) {
		fence->patience = limit > now ? (limit - now) / 4 * 3 : 0;
		fence->torn_at = now + fence->patience;
	}
	fence->writer = (struct writer){
		.pager = pager,
		.view = window->view,
		.op = &fence->op,
		.take = true,
		.settle = true,
	};
	shut(fence);
	window->view->fences++;
	pager->n_ops++;
	turn_take(window, &fence->turn, &fence->op);
	if (limit && !job->job.patient && list_first(&window->line) != &fence->turn.link)
		op_sleep(&fence->op, limit); /* its time runs while it waits */
}
