/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Operations: each ends exactly once, and its buffer is the caller's again then. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/loop/loop-test.h"

START_TEST(files)
{
	char buffer[16] = "";
	struct result r = new_result(&r);
	int fd = memfd_create("loop", MFD_CLOEXEC);

	ck_assert_int_eq(loop_write(loop, &r.op, fd, "window", 6, 4096), 0);
	ck_assert(r.op.busy);
	ck_assert_int_eq(wait_for(&r), 6);
	ck_assert_int_eq(loop_fdatasync(loop, &r.op, fd), 0);
	ck_assert_int_eq(wait_for(&r), 0);
	ck_assert_int_eq(loop_read(loop, &r.op, fd, buffer, sizeof(buffer), 4098), 0);
	ck_assert_int_eq(wait_for(&r), 4);
	ck_assert_str_eq(buffer, "ndow");
	ck_assert_int_eq(loop_read(loop, &r.op, fd, buffer, sizeof(buffer), 5000), 0);
	ck_assert_int_eq(wait_for(&r), 0);
	close(fd);
	ck_assert_int_eq(loop_read(loop, &r.op, fd, buffer, sizeof(buffer), 0), 0);
	ck_assert_int_eq(wait_for(&r), -EBADF);
}
END_TEST

START_TEST(sockets)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(sa_family_t);
	char out[] = "recall", in[16] = "";
	struct iovec out_iov = { out, sizeof(out) }, in_iov = { in, sizeof(in) };
	struct msghdr out_msg = { .msg_iov = &out_iov, .msg_iovlen = 1 };
	struct msghdr in_msg = { .msg_iov = &in_iov, .msg_iovlen = 1 };
	struct result accepted = new_result(&accepted), received = new_result(&received);
	struct result sent = new_result(&sent);
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	int client = socket(AF_UNIX, SOCK_SEQPACKET, 0), server;

	ck_assert_int_eq(bind(listener, (void *)&address, length), 0); /* autobind */
	length = sizeof(address);
	ck_assert_int_eq(getsockname(listener, (void *)&address, &length), 0);
	ck_assert_int_eq(listen(listener, 5), 0);
	ck_assert_int_eq(loop_accept(loop, &accepted.op, listener), 0);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_int_eq(connect(client, (void *)&address, length), 0);
	server = wait_for(&accepted);
	ck_assert_int_ge(server, 0);
	ck_assert_int_eq(fcntl(server, F_GETFD), FD_CLOEXEC);
	fcntl(server, F_SETFL, O_NONBLOCK);

	/* O_NONBLOCK does not end it early */
	ck_assert_int_eq(loop_recvmsg(loop, &received.op, server, &in_msg, MSG_CMSG_CLOEXEC), 0);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(received.calls, 0);
	ck_assert_int_eq(loop_sendmsg(loop, &sent.op, client, &out_msg, MSG_NOSIGNAL), 0);
	ck_assert_int_eq(wait_for(&sent), sizeof(out));
	ck_assert_int_eq(wait_for(&received), sizeof(out));
	ck_assert_str_eq(in, "recall");
	close(client);
	in_iov.iov_len = sizeof(in);
	ck_assert_int_eq(loop_recvmsg(loop, &received.op, server, &in_msg, MSG_CMSG_CLOEXEC), 0);
	ck_assert_int_eq(wait_for(&received), 0);
	close(server);
	close(listener);
}
END_TEST

START_TEST(cancelled)
{
	struct result r = new_result(&r);
	char buffer[8];
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(loop_read(loop, &r.op, fds[0], buffer, sizeof(buffer), UINT64_MAX), 0);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(r.calls, 0);
	loop_op_cancel(&r.op);
	loop_op_cancel(&r.op);
	ck_assert_int_eq(wait_for(&r), -ECANCELED);
	loop_op_cancel(&r.op);

	/* the late second one must not hit the next tenant of the slot */
	ck_assert_int_eq(loop_read(loop, &r.op, fds[0], buffer, sizeof(buffer), UINT64_MAX), 0);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(r.calls, 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ck_assert_int_eq(wait_for(&r), 1);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* More operations than the submission queue holds, all queued before the first step. */
START_TEST(queue_full)
{
	enum { N = 500 };
	struct result *results = calloc(N, sizeof(*results));
	uint32_t *values = calloc(N, sizeof(*values));
	int fd = memfd_create("loop", MFD_CLOEXEC);
	unsigned int calls;

	ck_assert(results && values);
	for (uint32_t i = 0; i < N; i++)
		ck_assert_int_eq(pwrite(fd, &i, sizeof(i), i * 4), 4);
	for (uint32_t i = 0; i < N; i++) {
		results[i] = new_result(&results[i]);
		ck_assert_int_eq(loop_read(loop, &results[i].op, fd, &values[i], 4, i * 4), 0);
	}
	do {
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
		calls = 0;
		for (uint32_t i = 0; i < N; i++)
			calls += results[i].calls;
	} while (calls < N);
	for (uint32_t i = 0; i < N; i++) {
		ck_assert_uint_eq(results[i].calls, 1);
		ck_assert_int_eq(results[i].result, 4);
		ck_assert_uint_eq(values[i], i);
	}
	free(values);
	free(results);
	close(fd);
}
END_TEST

/* The kernel may write into the buffer until loop_free() returned, and not afterwards. */
START_TEST(freed_with_work_outstanding)
{
	struct result r = new_result(&r);
	struct counter counter;
	struct loop *other;
	char *buffer = malloc(8);
	int fds[2], fd = new_event(0);

	ck_assert_int_eq(loop_new(4, &other), 0);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(loop_read(other, &r.op, fds[0], buffer, 8, UINT64_MAX), 0);
	counter = (struct counter){ .poll = { .fd = fd, .fn = count, .data = &counter } };
	ck_assert_int_eq(loop_poll_start(other, &counter.poll, EPOLLIN), 0);
	ck_assert_int_eq(loop_step(other, 0), 0);
	ck_assert_ptr_null(loop_free(other));
	free(buffer);
	ck_assert_int_eq(write(fds[1], "12345678", 8), 8);
	ck_assert_uint_eq(r.calls, 0);
	ck_assert_uint_eq(counter.calls, 0);
	close(fds[0]);
	close(fds[1]);
	close(fd);
	ck_assert_ptr_null(loop_free(NULL));
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, files);
	tcase_add_test(tcase, sockets);
	tcase_add_test(tcase, cancelled);
	tcase_add_test(tcase, queue_full);
	tcase_add_test(tcase, freed_with_work_outstanding);
}

int main(void)
{
	return run_case("op", add_tests);
}
