/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The event loop.
 *
 * What the kernel is given to remember (user_data) is never a pointer of the caller's: it is the
 * index of a slot and the slot's generation. A slot is taken for each poll and each operation and
 * given back when the kernel has posted its *last* completion, so
 *
 *	- a poll can be stopped and its struct freed at once: the slot forgets its owner, and
 *	  completions that are still under way find nobody to call;
 *	- a cancellation that reaches the kernel late, when the slot has a new tenant, names a
 *	  generation that is over, and hits nothing.
 *
 * A poll is multishot: one submission, a completion for each readiness. The kernel may end it at any
 * time (a full completion queue is enough), which it shows by leaving out IORING_CQE_F_MORE; it is
 * then armed again, and because arming looks at the descriptor first, no edge is lost in between.
 *
 * Re-arming and cancelling have nobody to report a failure to. When there is no room for them in
 * the submission queue and the kernel takes nothing out of it (it has no memory), the slot goes on
 * a list that every step tries to work off before it waits.
 *
 * Callbacks run from loop_step() alone, never from a function that starts or stops something. A step
 * runs only what was complete when it woke, so a source that is always ready can't keep the caller
 * from looking at its deadlines.
 */

#include "daemon/loop/loop.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "util/cleanup.h"

#define NSEC_PER_SEC 1000000000ull
#define RETRY_NSEC 1000000ull /* a waiting list that could not be worked off is looked at again */
#define NO_SLOT 0u	      /* also the user_data of cancellations, whose results say nothing */

enum slot_type { SLOT_FREE, SLOT_POLL, SLOT_OP };

struct slot {
	void *owner; /* struct loop_poll or loop_op; NULL: stopped */
	uint32_t generation;
	uint32_t next; /* on the free list, or the waiting list */
	uint32_t events;
	enum slot_type type;
	bool submitted; /* the kernel owes a last completion */
	bool waiting;	/* on the waiting list, for one or both of: */
	bool arm, cancel;
};

struct loop {
	struct io_uring ring;
	struct slot *slots;
	uint32_t n_slots;
	uint32_t free, waiting_first, waiting_last;
	uint32_t n_submitted;
};

uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- slots ------------------------------------------------------------------------------- */

static uint64_t slot_id(const struct loop *loop, uint32_t index)
{
	return (uint64_t)loop->slots[index].generation << 32 | index;
}

/* The slot that @id names, NO_SLOT if that tenancy is over. */
static uint32_t slot_find(const struct loop *loop, uint64_t id)
{
	uint32_t index = (uint32_t)id;

	if (index == NO_SLOT || index >= loop->n_slots)
		return NO_SLOT;
	if (loop->slots[index].type == SLOT_FREE || loop->slots[index].generation != id >> 32)
		return NO_SLOT;
	return index;
}

static int slots_grow(struct loop *loop)
{
	uint32_t n = loop->n_slots ? loop->n_slots * 2 : 64;
	struct slot *slots;

	slots = reallocarray(loop->slots, n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + loop->n_slots, 0, (n - loop->n_slots) * sizeof(*slots));
	for (uint32_t i = n - 1; i >= loop->n_slots && i != NO_SLOT; i--) {
		slots[i].next = loop->free;
		loop->free = i;
	}
	loop->slots = slots;
	loop->n_slots = n;
	return 0;
}

static int slot_take(struct loop *loop, enum slot_type type, void *owner, uint32_t *ret)
{
	uint32_t index, generation;
	int r;

	if (loop->free == NO_SLOT) {
		r = slots_grow(loop);
		if (r < 0)
			return r;
	}
	index = loop->free;
	loop->free = loop->slots[index].next;
	generation = loop->slots[index].generation;
	loop->slots[index] = (struct slot){
		.owner = owner,
		.type = type,
		.generation = generation,
	};
	*ret = index;
	return 0;
}

static void slot_give(struct loop *loop, uint32_t index)
{
	struct slot *slot = &loop->slots[index];

	slot->type = SLOT_FREE;
	slot->owner = NULL;
	slot->generation++;
	slot->arm = slot->cancel = false;
	/* the waiting list goes through `next`, and gives the slot back itself */
	if (slot->waiting)
		return;
	slot->next = loop->free;
	loop->free = index;
}

/* ---- submissions ------------------------------------------------------------------------- */

static struct io_uring_sqe *get_sqe(struct loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (sqe)
		return sqe;
	io_uring_submit(&loop->ring);
	return io_uring_get_sqe(&loop->ring);
}

static void submitted(struct loop *loop, uint32_t index, struct io_uring_sqe *sqe)
{
	io_uring_sqe_set_data64(sqe, slot_id(loop, index));
	loop->slots[index].submitted = true;
	loop->n_submitted++;
}

static bool try_arm(struct loop *loop, uint32_t index)
{
	struct slot *slot = &loop->slots[index];
	const struct loop_poll *poll = slot->owner;
	struct io_uring_sqe *sqe = get_sqe(loop);

	if (!sqe)
		return false;
	io_uring_prep_poll_multishot(sqe, poll->fd, slot->events);
	submitted(loop, index, sqe);
	return true;
}

static bool try_cancel(struct loop *loop, uint32_t index)
{
	struct io_uring_sqe *sqe = get_sqe(loop);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, slot_id(loop, index), 0);
	io_uring_sqe_set_data64(sqe, NO_SLOT);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	return true;
}

static void wait_in_line(struct loop *loop, uint32_t index)
{
	struct slot *slot = &loop->slots[index];

	if (slot->waiting)
		return;
	slot->waiting = true;
	slot->next = NO_SLOT;
	if (loop->waiting_last != NO_SLOT)
		loop->slots[loop->waiting_last].next = index;
	else
		loop->waiting_first = index;
	loop->waiting_last = index;
}

static void arm(struct loop *loop, uint32_t index)
{
	if (!try_arm(loop, index)) {
		loop->slots[index].arm = true;
		wait_in_line(loop, index);
	}
}

static void cancel(struct loop *loop, uint32_t index)
{
	if (!try_cancel(loop, index)) {
		loop->slots[index].cancel = true;
		wait_in_line(loop, index);
	}
}

static void work_off_line(struct loop *loop)
{
	while (loop->waiting_first != NO_SLOT) {
		uint32_t index = loop->waiting_first;
		struct slot *slot = &loop->slots[index];

		if (slot->arm && !try_arm(loop, index))
			return;
		slot->arm = false;
		if (slot->cancel && !try_cancel(loop, index))
			return;
		slot->cancel = false;
		loop->waiting_first = slot->next;
		if (loop->waiting_first == NO_SLOT)
			loop->waiting_last = NO_SLOT;
		slot->waiting = false;
		if (slot->type == SLOT_FREE) {
			slot->next = loop->free;
			loop->free = index;
		}
	}
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
	arm(loop, index);
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
		cancel(loop, index);
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
		arm(loop, index);
}

/* ---- operations -------------------------------------------------------------------------- */

/* On success *ret is to be filled by one io_uring_prep_*(), then op_queued(). */
static int op_queue(struct loop *loop, struct loop_op *op, struct io_uring_sqe **ret)
{
	struct io_uring_sqe *sqe;
	uint32_t index;
	int r;

	r = slot_take(loop, SLOT_OP, op, &index);
	if (r < 0)
		return r;
	sqe = get_sqe(loop);
	if (!sqe) {
		slot_give(loop, index);
		return -ENOMEM;
	}
	op->loop = loop;
	op->id = slot_id(loop, index);
	op->busy = true;
	*ret = sqe;
	return 0;
}

static int op_queued(struct loop_op *op, struct io_uring_sqe *sqe)
{
	submitted(op->loop, (uint32_t)op->id, sqe);
	return 0;
}

int loop_read(struct loop *loop, struct loop_op *op, int fd, void *buffer, unsigned int size,
	      uint64_t offset)
{
	struct io_uring_sqe *sqe;
	int r = op_queue(loop, op, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_read(sqe, fd, buffer, size, offset);
	return op_queued(op, sqe);
}

int loop_write(struct loop *loop, struct loop_op *op, int fd, const void *buffer, unsigned int size,
	       uint64_t offset)
{
	struct io_uring_sqe *sqe;
	int r = op_queue(loop, op, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_write(sqe, fd, buffer, size, offset);
	return op_queued(op, sqe);
}

int loop_fdatasync(struct loop *loop, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe;
	int r = op_queue(loop, op, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	return op_queued(op, sqe);
}

int loop_accept(struct loop *loop, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe;
	int r = op_queue(loop, op, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	return op_queued(op, sqe);
}

int loop_recvmsg(struct loop *loop, struct loop_op *op, int fd, struct msghdr *message, int flags)
{
	struct io_uring_sqe *sqe;
	int r = op_queue(loop, op, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_recvmsg(sqe, fd, message, (unsigned int)flags);
	return op_queued(op, sqe);
}

int loop_sendmsg(struct loop *loop, struct loop_op *op, int fd, const struct msghdr *message,
		 int flags)
{
	struct io_uring_sqe *sqe;
	int r = op_queue(loop, op, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_sendmsg(sqe, fd, message, (unsigned int)flags);
	return op_queued(op, sqe);
}

void loop_op_cancel(struct loop_op *op)
{
	if (op->busy)
		cancel(op->loop, (uint32_t)op->id);
}

static void op_completed(struct loop *loop, uint32_t index, int result)
{
	struct loop_op *op = loop->slots[index].owner;

	slot_give(loop, index);
	if (op) {
		op->busy = false;
		op->fn(op, result);
	}
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

	work_off_line(loop);
	if (loop->waiting_first != NO_SLOT && deadline > loop_now() + RETRY_NSEC)
		deadline = loop_now() + RETRY_NSEC;
	r = submit_and_wait(loop, deadline);
	/* EBUSY, EAGAIN: completions have to be taken first, or memory is short: the next step tries again */
	if (r < 0 && r != -ETIME && r != -EINTR && r != -EBUSY && r != -EAGAIN)
		return r;
	reap(loop);
	return 0;
}

int loop_new(unsigned int entries, struct loop **ret)
{
	/* completions are posted when this thread asks for them, not by interrupting it (Linux 6.1) */
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
	sqe = get_sqe(loop);
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
