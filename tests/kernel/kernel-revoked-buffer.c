/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A write whose buffer became inaccessible before its bytes were copied writes nothing: EFAULT. */

#include <liburing.h>

#include "kernel.h"

int main(void)
{
	const char *directory = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	unsigned char *buffer =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	char seen[4] = "";

	check(fd >= 0 && buffer != MAP_FAILED);
	check(pwrite(fd, "old", 3, 0) == 3);
	memset(buffer, 'n', 4 * PAGE);
	if (io_uring_queue_init(4, &ring, 0) < 0)
		skip("no io_uring");
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, buffer, 4 * PAGE, 0);
	check(mprotect(buffer, 4 * PAGE, PROT_NONE) == 0);
	check(io_uring_submit_and_wait(&ring, 1) == 1);
	check(io_uring_wait_cqe(&ring, &cqe) == 0);
	check(cqe->res == -EFAULT);
	check(pread(fd, seen, 3, 0) == 3 && strcmp(seen, "old") == 0);
	io_uring_queue_exit(&ring);
	return 0;
}
