/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See device.h. */

#include "tests/system/device.h"

#include <unistd.h>

#include "tests/system/rig.h"

void device_pin(struct device *device, void *address, size_t size)
{
	struct iovec iov = { .iov_base = address, .iov_len = size };

	expect(pipe(device->pipe_fds) == 0);
	expect_eq(io_uring_queue_init(4, &device->ring, 0), 0);
	expect_eq(io_uring_register_buffers(&device->ring, &iov, 1), 0);
}

void device_write(struct device *device, void *at, const void *bytes, size_t n)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;

	expect_eq(write(device->pipe_fds[1], bytes, n), n);
	sqe = io_uring_get_sqe(&device->ring);
	io_uring_prep_read_fixed(sqe, device->pipe_fds[0], at, (unsigned int)n, 0, 0);
	expect_eq(io_uring_submit_and_wait(&device->ring, 1), 1);
	expect_eq(io_uring_peek_cqe(&device->ring, &cqe), 0);
	expect_eq(cqe->res, n);
	io_uring_cqe_seen(&device->ring, cqe);
}
