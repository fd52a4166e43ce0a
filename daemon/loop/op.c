/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Operations: one submission, one completion, one call back.
 *
 * The struct is the loop's from the call that starts the operation to the callback, in which it may
 * be used again already. An operation that can't be queued has not begun.
 */

#include <errno.h>

#include "daemon/loop/slots.h"

/* On success *ret is to be filled by one io_uring_prep_*(), then op_queued(). */
static int op_queue(struct loop *loop, struct loop_op *op, struct io_uring_sqe **ret)
{
	struct io_uring_sqe *sqe;
	uint32_t index;
	int r;

	r = slot_take(loop, SLOT_OP, op, &index);
	if (r < 0)
		return r;
	sqe = slots_sqe(loop);
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
	slot_submitted(op->loop, (uint32_t)op->id, sqe);
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
		slot_cancel(op->loop, (uint32_t)op->id);
}

void op_completed(struct loop *loop, uint32_t index, int result)
{
	struct loop_op *op = loop->slots[index].owner;

	slot_give(loop, index);
	if (op) {
		op->busy = false;
		op->fn(op, result);
	}
}
