/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The same by io_uring: one request, and its completion. */

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include "tests/matrix/functions.h"

/* The completion's result. */
static int submit(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int r = io_uring_submit_and_wait(ring, 1);

	if (r < 0)
		return r;
	r = io_uring_wait_cqe(ring, &cqe);
	return r < 0 ? r : cqe->res;
}

static int ring_with(struct io_uring *ring, struct io_uring_sqe **ret)
{
	int r = io_uring_queue_init(1, ring, 0);

	if (r == 0)
		*ret = io_uring_get_sqe(ring);
	return r;
}

static int all(int result)
{
	return result < 0 ? result : whole(result, MATRIX_PAGE);
}

int op_uring_read(const struct doing *doing)
{
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int r = ring_with(&ring, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_read(sqe, doing->fd, doing->seen->bytes, MATRIX_PAGE, SEAL_START);
	r = all(submit(&ring));
	io_uring_queue_exit(&ring);
	doing->seen->at = SEAL_START;
	doing->seen->n = r == 0 ? MATRIX_PAGE : 0;
	return r;
}

/* @a: offset, @b: the request's flags */
int op_uring_write(const struct doing *doing)
{
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int r = ring_with(&ring, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_write(sqe, doing->fd, strange_page, MATRIX_PAGE, doing->a);
	io_uring_sqe_set_flags(sqe, (unsigned int)doing->b);
	r = all(submit(&ring));
	io_uring_queue_exit(&ring);
	return r;
}

/* @a: mode, @b: offset */
int op_uring_fallocate(const struct doing *doing)
{
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int r = ring_with(&ring, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_fallocate(sqe, doing->fd, (int)doing->a, (off_t)doing->b, MATRIX_PAGE);
	r = submit(&ring);
	io_uring_queue_exit(&ring);
	return r;
}

/* @a: flags */
int op_uring_open(const struct doing *doing)
{
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int r = ring_with(&ring, &sqe);

	if (r < 0)
		return r;
	io_uring_prep_openat(sqe, AT_FDCWD, doing->path, (int)doing->a | O_CLOEXEC, 0);
	r = submit(&ring);
	io_uring_queue_exit(&ring);
	if (r < 0)
		return r;
	close(r);
	return 0;
}
