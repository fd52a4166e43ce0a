/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The event loop.
 *
 * A poll is multishot: one submission, a completion for each readiness. The kernel may end it at
 * any time (a full completion queue is enough), which it shows by leaving out IORING_CQE_F_MORE; it
 * is then armed again, and because arming looks at the descriptor first, no edge is lost in
 * between. How stopping can be immediate is in slots.c.
 *
 * Callbacks run from loop_step() alone, never from a function that starts or stops something. A
 * step runs only what was complete when it woke, so a source that is always ready can't keep the
 * caller from looking at its deadlines.
 */

#include "daemon/loop/loop.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include "daemon/core/deadline.h"
#include "daemon/loop/slots.h"

#define NSEC_PER_SEC 1000000000ull

uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- readiness --------------------------------------------------------------------------- */

int loop_poll_start(struct loop *loop, struct loop_poll *poll, uint32_t events)
{
	uint32_t index;
	int r;

	r = slot_take(loop, SLOT_POLL, poll, &index);
	if (r < 0)
		return r;
	loop->slots[index].events = events;
	poll->loop = loop;
	poll->id = slot_id(loop, index);
	poll->armed = true;
	slot_arm(loop, index);
	return 0;
}

void loop_poll_stop(struct loop_poll *poll)
{
	struct loop *loop = poll->loop;
	uint32_t index;

	if (!poll->armed)
		return;
	poll->armed = false;
	index = slot_find(loop, poll->id);
	if (index == NO_SLOT)
		return;
	loop->slots[index].owner = NULL;
	loop->slots[index].arm = false;
	if (loop->slots[index].submitted)
		slot_cancel(loop, index);
	else
		slot_give(loop, index);
}

static void poll_completed(struct loop *loop, uint32_t index, int result, bool more)
{
	struct loop_poll *poll = loop->slots[index].owner;
	uint64_t id = slot_id(loop, index);

	if (!poll) {
		if (!more)
			slot_give(loop, index);
		return;
	}
	if (result < 0) {
		poll->fn(poll, EPOLLERR | EPOLLHUP | LOOP_POLL_FAILED);
		return;
	}
	poll->fn(poll, (uint32_t)result);
	/* the callback may have stopped and freed its poll, and the slot have a new tenant */
	if (!more && slot_find(loop, id) == index)
		slot_arm(loop, index);
}

/* ---- running ----------------------------------------------------------------------------- */

static void completed(struct loop *loop, uint64_t id, int result, bool more)
{
	uint32_t index = slot_find(loop, id);

	if (index == NO_SLOT)
		return;
	if (!more) {
		loop->slots[index].submitted = false;
		loop->n_submitted--;
	}
	if (loop->slots[index].type == SLOT_POLL)
		poll_completed(loop, index, result, more);
	else
		op_completed(loop, index, result);
}

static void reap(struct loop *loop)
{
	struct io_uring_cqe *cqe;

	for (unsigned int n = io_uring_cq_ready(&loop->ring); n > 0; n--) {
		uint64_t id;
		int result;
		bool more;

		if (io_uring_peek_cqe(&loop->ring, &cqe) < 0)
			return;
		id = io_uring_cqe_get_data64(cqe);
		result = cqe->res;
		more = cqe->flags & IORING_CQE_F_MORE;
		/* before the callback, which may submit and so need the room */
		io_uring_cqe_seen(&loop->ring, cqe);
		completed(loop, id, result, more);
	}
}

static int submit_and_wait(struct loop *loop, uint64_t deadline)
{
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;
	uint64_t now;

	if (deadline == UINT64_MAX)
		return io_uring_submit_and_wait(&loop->ring, 1);
	now = deadline ? loop_now() : 0;
	if (deadline <= now)
		return io_uring_submit_and_get_events(&loop->ring);
	ts.tv_sec = (int64_t)((deadline - now) / NSEC_PER_SEC);
	ts.tv_nsec = (long long)((deadline - now) % NSEC_PER_SEC);
	return io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &ts, NULL);
}

int loop_step(struct loop *loop, uint64_t deadline)
{
	int r;

	slots_work_off(loop);
	if (loop->waiting_first != NO_SLOT && deadline > loop_now() + DEADLINE_REARM_NS)
		deadline = loop_now() + DEADLINE_REARM_NS;
	r = submit_and_wait(loop, deadline);
	/* EBUSY, EAGAIN: completions have to be taken first, or memory is short: the next step
	 * tries again */
	if (r < 0 && r != -ETIME && r != -EINTR && r != -EBUSY && r != -EAGAIN)
		return r;
	reap(loop);
	return 0;
}

int loop_new(unsigned int entries, struct loop **ret)
{
	/* completions are posted when this thread asks, not by interrupting it (Linux 6.1) */
	static const unsigned int wishes[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	_cleanup_free_ struct loop *loop = NULL;
	int r = -EINVAL;

	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	if (slots_grow(loop) < 0)
		return -ENOMEM;
	for (size_t i = 0; r == -EINVAL && i < sizeof(wishes) / sizeof(*wishes); i++) {
		struct io_uring_params params = {
			.flags = wishes[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
				 IORING_SETUP_SUBMIT_ALL,
			.cq_entries = entries * 4,
		};

		r = io_uring_queue_init_params(entries, &loop->ring, &params);
	}
	if (r < 0) {
		free(loop->slots);
		return r;
	}
	io_uring_ring_dontfork(&loop->ring);
	*ret = take_ptr(loop);
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	struct io_uring_sqe *sqe;

	if (!loop)
		return NULL;
	for (uint32_t i = 0; i < loop->n_slots; i++) {
		loop->slots[i].owner = NULL;
		loop->slots[i].arm = false;
	}
	sqe = slots_sqe(loop);
	if (sqe) {
		io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
		io_uring_sqe_set_data64(sqe, NO_SLOT);
	}
	while (loop->n_submitted > 0)
		if (loop_step(loop, UINT64_MAX) < 0)
			break;
	io_uring_queue_exit(&loop->ring);
	free(loop->slots);
	free(loop);
	return NULL;
}
