/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ending a fence at once, from a thread that waits for nobody.
 *
 * The pager's thread works in the address spaces of its clients, and there it may get stuck. What a
 * breaker waits for must not depend on that. So every fence is in a registry from the moment it was
 * submitted, and this thread can end each of them with nothing but the window's view:
 *
 *	- no write of the range begins any more, and the buffers of those under way are made
 *	  unreadable, so none of them lands later;
 *	- pages that were written and not clean are copied into the quarantine, as they are;
 *	- the memory is emptied, of a READ view what no other window holds (share.c).
 *
 * Whoever ends a fence, this or the ordinary machine, does it under the job's lock and only if it
 * is not over; the event is told exactly once. The pager's thread then finds it over, and cleans up
 * what only it may touch. While that thread is copying into the quarantine, which waits for nobody, it
 * is left to end the fence itself right after: two halves of what was to be kept would be one too many. It holds no lock while it is in the kernel on behalf of a client.
 *
 * Order of locks: registry, job, tables, view.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/pager/quarantine.h"
#include "daemon/pager/state.h"
#include "daemon/pager/writer.h"

void fence_register(struct pager *pager, struct job *job)
{
	pthread_mutex_lock(&pager->registry);
	list_append(&pager->fences, &job->registered);
	pthread_mutex_unlock(&pager->registry);
}

bool fence_is_over(struct job *job)
{
	bool over;

	pthread_mutex_lock(&job->lock);
	over = job->over;
	pthread_mutex_unlock(&job->lock);
	return over;
}

/* Under job->lock. */
static void tell(struct pager *pager, struct job *job, const struct pager_event *result)
{
	struct pager_event *event = &job->done->event;

	event->error = result->error;
	event->fence = result->fence;
	event->quarantined = result->quarantined;
	event->quarantine_errno = result->quarantine_errno;
	event->quarantine_fd = result->quarantine_fd;
	event->quarantine_start = result->quarantine_start;
	event->quarantine_end = result->quarantine_end;
	if (result->quarantined)
		COUNT(pager, quarantines, 1);
	if (result->fence == PAGER_FENCE_TORN_POSSIBLE)
		COUNT(pager, torn, 1);
	job->over = true;
	queue_push(&pager->events, &job->done->link);
	job->done = NULL;
}

bool fence_tell(struct pager *pager, struct job *job, const struct pager_event *result)
{
	bool first;

	pthread_mutex_lock(&job->lock);
	first = !job->over;
	if (first)
		tell(pager, job, result);
	pthread_mutex_unlock(&job->lock);
	return first;
}

bool fence_begin_keeping(struct job *job)
{
	pthread_mutex_lock(&job->lock);
	job->keeping = !job->over;
	pthread_mutex_unlock(&job->lock);
	return job->keeping;
}

bool fence_end_keeping(struct job *job)
{
	bool forced;

	pthread_mutex_lock(&job->lock);
	job->keeping = false;
	forced = job->forced;
	pthread_mutex_unlock(&job->lock);
	return forced;
}

void fence_done(struct pager *pager, struct job *job, const struct pager_event *result)
{
	pthread_mutex_lock(&pager->registry);
	list_unlink(&job->registered);
	pthread_mutex_unlock(&pager->registry);
	/* nobody can find it any more; who had found it before holds the lock */
	pthread_mutex_lock(&job->lock);
	if (!job->over)
		tell(pager, job, result);
	else if (result->quarantine_fd >= 0)
		close(result->quarantine_fd);
	pthread_mutex_unlock(&job->lock);
	job_free(job);
}

/* The view of the window that is to be fenced, which lets go of it. */
static struct view *take_view(struct pager *pager, const struct job *job, uint64_t *ret_first,
			      uint64_t *ret_last)
{
	struct view *view = NULL;
	struct window *window;

	pthread_mutex_lock(&pager->tables);
	window = window_get(pager, job->job.window);
	if (window && window_pages(window, job->job.start, job->job.end, ret_first, ret_last)) {
		view = view_ref(window->view);
		window_abandon(window, *ret_first, *ret_last);
	}
	pthread_mutex_unlock(&pager->tables);
	return view;
}

/* Under job->lock. */
static void force(struct pager *pager, struct job *job)
{
	struct pager_event result = {
		.fence = PAGER_FENCE_FENCED,
		.fd = -1,
		.quarantine_fd = -1,
	};
	uint64_t first, last;
	struct view *view = take_view(pager, job, &first, &last);

	if (!view) {
		result.fence = PAGER_FENCE_NONE;
		tell(pager, job, &result);
		return;
	}
	if (view->write) {
		pthread_mutex_lock(&view->lock);
		view_revoke(view, first, last);
		if (job->job.discard) {
			bitmap_clear(view->dirty, first, last);
			bitmap_clear(view->writing, first, last);
		}
		pthread_mutex_unlock(&view->lock);
		quarantine(pager, view, first, last, &result);
		if (result.quarantined) {
			result.quarantine_errno = ETIMEDOUT;
			if (!job->protected)
				result.fence = PAGER_FENCE_TORN_POSSIBLE;
		}
	}
	if (view_empty(view, first, last) < 0)
		result.fence = PAGER_FENCE_UNFENCED;
	view_unref(view);
	tell(pager, job, &result);
}

static void force_tag(struct pager *pager, uint64_t tag)
{
	struct job *found = NULL;

	pthread_mutex_lock(&pager->registry);
	list_for_each (pos, &pager->fences) {
		struct job *job = list_entry(pos, struct job, registered);

		if (job->job.tag == tag) {
			found = job;
			pthread_mutex_lock(&found->lock);
			break;
		}
	}
	pthread_mutex_unlock(&pager->registry);
	if (!found) {
		/* over already; the thread may have been stopped before it could say so */
		queue_wake(&pager->events);
		return;
	}
	if (found->keeping)
		found->forced = true;
	else if (!found->over)
		force(pager, found);
	pthread_mutex_unlock(&found->lock);
}

/* ---- the thread -------------------------------------------------------------------------- */

struct order {
	struct list link;
	uint64_t tag; /* 0: end */
};

void pager_force(struct pager *pager, uint64_t tag)
{
	struct order *order = malloc(sizeof(*order));

	if (!order) {
		force_tag(pager, tag); /* then the caller waits for the copying */
		return;
	}
	*order = (struct order){ .tag = tag };
	list_init(&order->link);
	queue_push(&pager->forces, &order->link);
}

void *force_thread(void *data)
{
	struct pager *pager = data;

	for (;;) {
		struct pollfd pollfd = { .fd = pager->forces.fd, .events = POLLIN };
		struct list *link = queue_pop(&pager->forces);
		struct order *order;
		uint64_t tag;

		if (!link) {
			poll(&pollfd, 1, -1);
			continue;
		}
		order = list_entry(link, struct order, link);
		tag = order->tag;
		free(order);
		if (tag == 0)
			return NULL;
		force_tag(pager, tag);
	}
}
