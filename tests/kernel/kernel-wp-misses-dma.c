/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Write-protection does not see a device: a page that was pinned before changes without a fault. A
 * punch leaves the device with an orphan. */

#include <liburing.h>

#include "kernel.h"

static int uffd, memory;
static unsigned char *at;

/* Serves what is touched, writable. */
static void *serve(void *data)
{
	for (;;) {
		struct uffd_msg message = next_message(uffd);
		uint64_t address = message.arg.pagefault.address & ~(PAGE - 1);
		unsigned char *page = at + (address - (uintptr_t)at);

		check(!(message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP));
		check(pwrite(memory, "f", 1, page - at) == 1);
		check(continue_at(uffd, page, PAGE, 0) == 0);
	}
	return data;
}

static void dma(struct io_uring *ring, int *pipe_fds, const char *text)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;

	check(write(pipe_fds[1], text, 3) == 3);
	io_uring_prep_read_fixed(sqe, pipe_fds[0], at, 3, 0, 0);
	check(io_uring_submit_and_wait(ring, 1) == 1);
	check(io_uring_wait_cqe(ring, &cqe) == 0 && cqe->res == 3);
	io_uring_cqe_seen(ring, cqe);
}

int main(void)
{
	struct iovec iov = { .iov_len = 2 * PAGE };
	char seen[4] = "";
	int pipe_fds[2];
	struct io_uring ring;
	pthread_t thread;

	need_root();
	uffd = uffd_of(0, SHMEM_FEATURES);
	memory = memory_of(2 * PAGE);
	at = map_of(memory, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	check(register_at(uffd, at, 2 * PAGE, ALL_MODES) == 0);
	check(pipe(pipe_fds) == 0);
	check(pthread_create(&thread, NULL, serve, NULL) == 0);
	if (io_uring_queue_init(4, &ring, 0) < 0)
		skip("no io_uring");
	/* pinning what is not there works only since Linux 6.3 */
	at[0] = at[PAGE] = 't';
	iov.iov_base = at;
	check(io_uring_register_buffers(&ring, &iov, 1) == 0);
	check(protect_at(uffd, at, 2 * PAGE, true) == 0);
	dma(&ring, pipe_fds, "NEW");
	check(pread(memory, seen, 3, 0) == 3 && strcmp(seen, "NEW") == 0);
	check(punch(memory, 0, 2 * PAGE) == 0);
	check(lseek(memory, 0, SEEK_DATA) < 0);
	dma(&ring, pipe_fds, "OLD");
	check(lseek(memory, 0, SEEK_DATA) < 0);
	_exit(0);
}
