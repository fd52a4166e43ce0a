/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Flow control: whoever does not read, does not wait, or makes closing wait, holds up nobody else. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/session/rig.h"

/* Closing the second one waits until the first one has read what is on its way, or is closed. */
static void lingering(int *ret_end, int *ret_socket)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
	socklen_t size = sizeof(address);
	static const char bytes[65536];
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &size), 0);
	ck_assert_int_eq(connect(*ret_socket, (struct sockaddr *)&address, size), 0);
	*ret_end = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(*ret_end, 0);
	close(listening);
	ck_assert_int_eq(setsockopt(*ret_socket, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(*ret_socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

START_TEST(closing_waits_for_nobody)
{
	struct proto_message message = { .type = PROTO_STATUS_GET };
	uint32_t serial = 7;
	struct quota_user *user;
	int fds[2], end;

	ck_assert_int_eq(quota_user_get(quota, getuid(), &user), 0);
	hello();
	settle();
	ck_assert_int_eq(hear(&message), 1);
	lingering(&end, &fds[0]);
	fds[1] = fds[0];
	message = (struct proto_message){ .type = PROTO_STATUS_GET };
	say_with(client, &message, serial, fds, 2);
	close(fds[0]);
	settle();
	hear_refused(serial, PROTO_E_MALFORMED);
	settle();
	ck_assert_uint_eq(n_closed, 1);
	/* whose session it was has it until that is over */
	ck_assert_uint_eq(quota_used(user, QUOTA_SESSIONS), 1);
	close(end);
	while (quota_used(user, QUOTA_SESSIONS) > 0) {
		settle();
		sched_yield();
	}
	quota_user_put(user);
}
END_TEST

START_TEST(unanswered_requests_stop_reading)
{
	struct proto_message message;

	answers = false;
	hello();
	for (uint32_t i = 2; i <= 10; i++)
		say(PROTO_STATUS_GET, i);
	settle();
	ck_assert_uint_eq(n_requests, 4);
	session_done(current, 1, 0);
	settle();
	ck_assert_uint_eq(n_requests, 5);
	answers = true;
	for (uint32_t i = 2; i <= 5; i++)
		session_done(current, i, 0);
	settle();
	ck_assert_uint_eq(n_requests, 10);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(hear(&message), 1);
	ck_assert_int_eq(hear(&message), -EAGAIN);
}
END_TEST

START_TEST(who_does_not_read_is_hung_up_on)
{
	struct proto_message message = { .type = PROTO_LAPSED };
	int i;

	hello();
	settle();
	for (i = 0; i < 100000 && !current->hung_up; i++)
		session_event(current, &message);
	ck_assert_int_lt(i, 100000);
	settle();
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

START_TEST(parts_wait_and_stop_reading)
{
	struct proto_message message;
	unsigned int parts = 0;

	hello();
	settle();
	for (int i = 0; i < 20000; i++) {
		message = (struct proto_message){ .type = PROTO_LIST_BREAK };
		message.list_break.object = "x";
		session_part(current, 2, &message);
	}
	ck_assert(!current->hung_up);
	/* one request was asked for before that; no second one is */
	say(PROTO_STATUS_GET, 3);
	say(PROTO_STATUS_GET, 4);
	settle();
	ck_assert_uint_eq(n_requests, 2);
	while (parts < 20000) {
		int r = hear(&message);

		if (r == -EAGAIN) {
			settle();
			continue;
		}
		ck_assert_int_eq(r, 1);
		parts += message.type == PROTO_LIST_BREAK;
	}
	settle();
	ck_assert_uint_eq(n_requests, 3);
}
END_TEST

START_TEST(descriptors_are_closed_when_not_sent)
{
	struct proto_message message = { .type = PROTO_DEVICE };
	size_t open_at_first;

	hello();
	settle();
	open_at_first = count_open();
	for (int i = 0; i < 3000; i++) {
		int fd = fcntl(client, F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			break;
		session_reply(current, 2, &message, fd);
	}
	ck_assert(current->hung_up);
	/* and only few of them are kept for who does not read */
	ck_assert_uint_lt(count_open(), open_at_first + 4);
	settle();
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flow");
	TCase *tc = tcase_create("flow");

	tcase_add_checked_fixture(tc, setup, teardown);
	/* valgrind lets one thread run at a time, and keeps to that while close(2) waits */
	if (!strstr(getenv("LD_PRELOAD") ?: "", "vgpreload"))
		tcase_add_test(tc, closing_waits_for_nobody);
	tcase_add_test(tc, unanswered_requests_stop_reading);
	tcase_add_test(tc, who_does_not_read_is_hung_up_on);
	tcase_add_test(tc, parts_wait_and_stop_reading);
	tcase_add_test(tc, descriptors_are_closed_when_not_sent);
	suite_add_tcase(suite, tc);
	return rig_run(suite);
}
