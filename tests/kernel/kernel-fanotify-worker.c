/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A worker of an io_uring, and a thread of the kernel, show a system call that is not theirs; their
 * stack pointer and instruction pointer are 0. The worker's status says that it is none of the
 * kernel's. */

#include <liburing.h>

#include "fan.h"

static int writes(void)
{
	int fd = open(fan_path, O_WRONLY);
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	if (io_uring_queue_init(4, &ring, 0) < 0)
		return errno;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, "b", 1, 0);
	sqe->flags |= IOSQE_ASYNC;
	if (io_uring_submit_and_wait(&ring, 1) != 1 || io_uring_wait_cqe(&ring, &cqe) < 0)
		return errno;
	return cqe->res == 1 ? 0 : -cqe->res;
}

static void read_of(pid_t tid, const char *name, char text[4096])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0);
	n = read(fd, text, 4095);
	check(n >= 0);
	text[n] = 0;
	close(fd);
}

int main(void)
{
	struct io_uring ring;
	char text[4096];
	struct fan fan;
	int fd, group;
	pid_t pid;

	need_root();
	if (io_uring_queue_init(4, &ring, 0) < 0)
		skip("no io_uring");
	io_uring_queue_exit(&ring);
	fd = fan_file(1);
	group = fan_group(0);
	fan_mark_file(group, fd, HELD);
	pid = fan_stranger(writes);
	fan = fan_read(group);
	fan_allow(group, &fan);
	fan = fan_read(group);
	check(fan.mask == FAN_PRE_ACCESS && fan.tid != pid);
	do
		read_of(fan.tid, "syscall", text);
	while (strncmp(text, "running", 7) == 0);
	check(strstr(text, " 0x0 0x0\n"));
	read_of(fan.tid, "status", text);
	check(strstr(text, "\nKthread:\t0\n"));
	fan_allow(group, &fan);
	check(fan_result(pid) == 0);
	read_of(2, "status", text);
	check(strstr(text, "\nKthread:\t1\n") || getpid() == 2 || !strstr(text, "kthreadd"));
	return 0;
}
