/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Frames and descriptors over real sockets. Whatever a peer sends beside a frame, this process has
 * afterwards as many descriptors open as it had before.
 */

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/frame.h"

static int pair[2];
static struct fdlist fds;
static uint8_t frame[PROTO_FRAME_MAX];
static size_t open_before;

static size_t count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fdlist_init(&fds);
	open_before = count_open();
}

static void teardown(void)
{
	fdlist_clear(&fds);
	ck_assert_uint_eq(count_open(), open_before);
	close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
}

/* Sends what proto_frame_send() would not: any number of descriptors, all of them pair[0]. */
static void send_raw(const void *bytes, size_t size, size_t n_fds)
{
	char control[CMSG_SPACE(PROTO_KERNEL_FDS_MAX * sizeof(int))] PROTO_CONTROL_ALIGNED;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	int many[PROTO_KERNEL_FDS_MAX];

	for (size_t i = 0; i < n_fds; i++)
		many[i] = pair[0];
	proto_frame_fill_control(&header, control, many, n_fds);
	ck_assert_int_eq(sendmsg(pair[1], &header, 0), (ssize_t)size);
}

START_TEST(without_descriptors)
{
	size_t size = 99;

	ck_assert_int_eq(proto_frame_send(pair[1], "hello", 5, NULL, 0, 0), 0);
	ck_assert_int_eq(proto_frame_send(pair[1], "again", 4, NULL, 0, 0), 0);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(size, 5);
	ck_assert_int_eq(memcmp(frame, "hello", 5), 0);
	ck_assert_uint_eq(fds.n, 0);
	ck_assert_int_eq(fdlist_take(&fds, 0), -1);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(size, 4);
}
END_TEST

START_TEST(with_descriptors)
{
	int sent[PROTO_FDS_MAX], got[PROTO_FDS_MAX];
	size_t size;
	char byte = 0;

	ck_assert_int_eq(pipe(sent), 0);
	ck_assert_int_eq(proto_frame_send(pair[1], "x", 1, sent, PROTO_FDS_MAX, 0), 0);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(fds.n, PROTO_FDS_MAX);
	for (size_t i = 0; i < PROTO_FDS_MAX; i++) {
		got[i] = fdlist_take(&fds, i);
		ck_assert_int_ge(got[i], 0);
		ck_assert_int_eq(fdlist_take(&fds, i), -1);
		ck_assert_int_eq(fcntl(got[i], F_GETFD), FD_CLOEXEC);
	}
	/* In the order in which they were sent, and the caller's own from here on. */
	fdlist_clear(&fds);
	ck_assert_int_eq(write(got[1], "y", 1), 1);
	ck_assert_int_eq(read(got[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'y');
	for (size_t i = 0; i < PROTO_FDS_MAX; i++) {
		close(got[i]);
		close(sent[i]);
	}
}
END_TEST

START_TEST(what_is_not_taken_is_closed)
{
	size_t size;

	send_raw("x", 1, 2);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(count_open(), open_before + 2);
	fdlist_clear(&fds);
	ck_assert_uint_eq(count_open(), open_before);
	ck_assert_uint_eq(fds.n, 0);
	fdlist_clear(&fds);
}
END_TEST

START_TEST(surplus_is_counted_and_closed)
{
	static const size_t numbers[] = { 3, 4, 64, PROTO_KERNEL_FDS_MAX };
	struct proto_message message;
	struct proto_fault fault;
	size_t size;
	int n;

	message = (struct proto_message){ .type = PROTO_STATUS_GET, .serial = 1 };
	n = proto_encode(&message, frame);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		send_raw(frame, (size_t)n, numbers[i]);
		ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0),
				 PROTO_FRAME_WHOLE);
		ck_assert_uint_eq(fds.n, numbers[i]);
		ck_assert_uint_eq(count_open(), open_before + PROTO_FDS_MAX);
		ck_assert_int_eq(proto_decode(frame, size, fds.n, PROTO_REQUEST, &message, &fault),
				 PROTO_E_MALFORMED);
		fdlist_clear(&fds);
		ck_assert_uint_eq(count_open(), open_before);
	}
}
END_TEST

START_TEST(surplus_beside_credentials)
{
	size_t size;
	int on = 1;

	ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	send_raw("x", 1, PROTO_KERNEL_FDS_MAX);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(fds.n, PROTO_KERNEL_FDS_MAX);
	ck_assert_uint_eq(count_open(), open_before + PROTO_FDS_MAX);
}
END_TEST

/* Whether the kernel knows the limit that was set: valgrind keeps it to itself. */
static bool limit_is_real(rlim_t limit)
{
	FILE *f = fopen("/proc/self/limits", "r");
	unsigned long found = 0;
	char line[256];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Max open files %lu", &found) == 1)
			break;
	fclose(f);
	return found == limit;
}

/* A process that may hold no more descriptors is told so, and keeps none unasked. */
START_TEST(no_room_for_descriptors)
{
	struct rlimit old, tight;
	size_t size;
	int lowest, r;
	bool real;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	lowest = dup(pair[0]);
	ck_assert_int_ge(lowest, 0);
	close(lowest);
	send_raw("x", 1, 2);
	send_raw("y", 1, 0);
	tight = old;
	tight.rlim_cur = (rlim_t)lowest + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	real = limit_is_real(tight.rlim_cur);
	r = proto_frame_recv(pair[0], frame, &size, &fds, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	if (real)
		ck_assert_int_eq(r, PROTO_FRAME_FDS_LOST);
	else
		printf("no_room_for_descriptors: the limit is not the kernel's here\n");
	ck_assert_uint_eq(size, 1);
	ck_assert_int_eq(frame[0], 'x');
	fdlist_clear(&fds);
	ck_assert_uint_eq(count_open(), open_before);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_int_eq(frame[0], 'y');
}
END_TEST

START_TEST(longest_and_too_long)
{
	static uint8_t bytes[PROTO_FRAME_MAX + 1000];
	struct proto_message message;
	struct proto_fault fault;
	size_t size;

	ck_assert_int_eq(proto_frame_send(pair[1], bytes, PROTO_FRAME_MAX, NULL, 0, 0), 0);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(size, PROTO_FRAME_MAX);
	ck_assert_int_eq(proto_frame_send(pair[1], bytes, PROTO_FRAME_MAX + 1, NULL, 0, 0),
			 -EMSGSIZE);
	ck_assert_int_eq(proto_frame_send(pair[1], bytes, 1, pair, PROTO_FDS_MAX + 1, 0),
			 -EMSGSIZE);

	send_raw(bytes, sizeof(bytes), 1);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(size, sizeof(bytes));
	ck_assert_uint_eq(fds.n, 1);
	ck_assert_int_eq(proto_decode(frame, size, fds.n, PROTO_REQUEST, &message, &fault),
			 PROTO_E_MALFORMED);
	ck_assert_str_eq(fault.text, "too long, 9192 bytes: at most 8192");
}
END_TEST

START_TEST(nothing_to_receive)
{
	size_t size = 99;

	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, MSG_DONTWAIT), -EAGAIN);
	ck_assert_uint_eq(size, 99);
}
END_TEST

START_TEST(no_room_to_send)
{
	int r;

	do
		r = proto_frame_send(pair[1], frame, sizeof(frame), NULL, 0, MSG_DONTWAIT);
	while (!r);
	ck_assert_int_eq(r, -EAGAIN);
}
END_TEST

START_TEST(hang_up)
{
	size_t size = 99;

	ck_assert_int_eq(proto_frame_send(pair[1], "x", 1, NULL, 0, 0), 0);
	open_before--;
	close(pair[1]);
	pair[1] = -1;
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(size, 1);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(size, 0);
	/* No SIGPIPE: it would end the process here. */
	ck_assert_int_eq(proto_frame_send(pair[0], "x", 1, NULL, 0, 0), -EPIPE);
}
END_TEST

/* It looks like a hang-up, and must not leave its descriptors behind either. */
START_TEST(empty_frame)
{
	size_t size = 99;

	send_raw("", 0, 5);
	ck_assert_int_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(size, 0);
	ck_assert_uint_eq(fds.n, 5);
	fdlist_clear(&fds);
	ck_assert_uint_eq(count_open(), open_before);
}
END_TEST

START_TEST(header_without_control)
{
	char control[PROTO_CONTROL_SEND] PROTO_CONTROL_ALIGNED;
	struct msghdr header = { .msg_control = control, .msg_controllen = sizeof(control) };

	proto_frame_fill_control(&header, control, NULL, 0);
	ck_assert_ptr_null(header.msg_control);
	ck_assert_uint_eq(header.msg_controllen, 0);
	ck_assert_int_eq(proto_frame_parse_control(&header, &fds), PROTO_FRAME_WHOLE);
	ck_assert_uint_eq(fds.n, 0);
}
END_TEST

START_TEST(header_that_lost_descriptors)
{
	char control[PROTO_CONTROL_SEND] PROTO_CONTROL_ALIGNED;
	struct msghdr header = { .msg_flags = MSG_CTRUNC };
	int fd = dup(pair[0]);

	proto_frame_fill_control(&header, control, &fd, 1);
	ck_assert_int_eq(proto_frame_parse_control(&header, &fds), PROTO_FRAME_FDS_LOST);
	ck_assert_uint_eq(fds.n, 1);
	ck_assert_int_eq(fds.fds[0], fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proto-frame");
	TCase *tc = tcase_create("frame");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_descriptors);
	tcase_add_test(tc, with_descriptors);
	tcase_add_test(tc, what_is_not_taken_is_closed);
	tcase_add_test(tc, surplus_is_counted_and_closed);
	tcase_add_test(tc, surplus_beside_credentials);
	tcase_add_test(tc, no_room_for_descriptors);
	tcase_add_test(tc, longest_and_too_long);
	tcase_add_test(tc, nothing_to_receive);
	tcase_add_test(tc, no_room_to_send);
	tcase_add_test(tc, hang_up);
	tcase_add_test(tc, empty_frame);
	tcase_add_test(tc, header_without_control);
	tcase_add_test(tc, header_that_lost_descriptors);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
