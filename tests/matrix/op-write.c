/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading and writing by system calls. What is written has reached its place, or failed, when a
 * function returns. @a is the offset.
 *
 * libaio is used by its system calls: its library would only stand in between.
 */

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/matrix/functions.h"

static int saw(const struct doing *doing)
{
	doing->seen->at = SEAL_START;
	doing->seen->n = MATRIX_PAGE;
	return 0;
}

int op_read(const struct doing *doing)
{
	static unsigned char page[4096] __attribute__((aligned(4096)));
	int r = whole(pread(doing->fd, page, MATRIX_PAGE, SEAL_START), MATRIX_PAGE);

	memcpy(doing->seen->bytes, page, MATRIX_PAGE);
	return r < 0 ? r : saw(doing);
}

int op_sendfile(const struct doing *doing)
{
	off_t at = SEAL_START;
	int out = open(doing->other, O_WRONLY | O_CLOEXEC);
	int r;

	if (out < 0)
		return -errno;
	r = whole(sendfile(out, doing->fd, &at, MATRIX_PAGE), MATRIX_PAGE);
	close(out);
	return r < 0 ? r : see_other(doing, 0, SEAL_START);
}

int op_splice_from(const struct doing *doing)
{
	loff_t at = SEAL_START;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = whole(splice(doing->fd, &at, ends[1], NULL, MATRIX_PAGE, 0), MATRIX_PAGE);
	if (r == 0)
		r = whole(read(ends[0], doing->seen->bytes, MATRIX_PAGE), MATRIX_PAGE);
	close(ends[0]);
	close(ends[1]);
	return r < 0 ? r : saw(doing);
}

int op_write(const struct doing *doing)
{
	if (lseek(doing->fd, (off_t)doing->a, SEEK_SET) < 0)
		return -errno;
	return whole(write(doing->fd, strange_page, MATRIX_PAGE), MATRIX_PAGE);
}

int op_pwrite(const struct doing *doing)
{
	return whole(pwrite(doing->fd, strange_page, MATRIX_PAGE, (off_t)doing->a), MATRIX_PAGE);
}

/* @b: flags */
int op_pwritev2(const struct doing *doing)
{
	struct iovec half[2] = {
		{ strange_page, MATRIX_PAGE / 2 },
		{ strange_page, MATRIX_PAGE / 2 },
	};

	return whole(pwritev2(doing->fd, half, 2, (off_t)doing->a, (int)doing->b), MATRIX_PAGE);
}

int op_aio(const struct doing *doing)
{
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = (uint32_t)doing->fd,
		.aio_buf = (uintptr_t)strange_page,
		.aio_nbytes = MATRIX_PAGE,
		.aio_offset = (int64_t)doing->a,
	};
	struct iocb *iocbs[] = { &iocb };
	struct io_event event = { .res = -EIO };
	aio_context_t context = 0;
	int r;

	if (syscall(SYS_io_setup, 1, &context) < 0)
		return -errno;
	r = negative(syscall(SYS_io_submit, context, 1, iocbs));
	if (r == 0)
		r = negative(syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
	if (r == 0)
		r = event.res < 0 ? (int)event.res : whole((ssize_t)event.res, MATRIX_PAGE);
	syscall(SYS_io_destroy, context);
	return r;
}

int op_sendfile_into(const struct doing *doing)
{
	int in = open(doing->other, O_RDONLY | O_CLOEXEC);
	off_t at = 0;
	int r;

	if (in < 0)
		return -errno;
	r = negative(lseek(doing->fd, (off_t)doing->a, SEEK_SET));
	if (r == 0)
		r = whole(sendfile(doing->fd, in, &at, MATRIX_PAGE), MATRIX_PAGE);
	close(in);
	return r;
}

static int out_of_a_pipe(const struct doing *doing, uint64_t at, bool by_page)
{
	struct iovec iov = { strange_page, MATRIX_PAGE };
	loff_t to = (loff_t)at;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = whole(by_page ? vmsplice(ends[1], &iov, 1, 0)
			  : write(ends[1], strange_page, MATRIX_PAGE),
		  MATRIX_PAGE);
	if (r == 0)
		r = whole(splice(ends[0], NULL, doing->fd, &to, MATRIX_PAGE, SPLICE_F_MOVE),
			  MATRIX_PAGE);
	close(ends[0]);
	close(ends[1]);
	return r;
}

int op_splice_into(const struct doing *doing)
{
	return out_of_a_pipe(doing, doing->a, false);
}

int op_vmsplice_into(const struct doing *doing)
{
	return out_of_a_pipe(doing, doing->a, true);
}
