/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who may begin, what is refused and how, and how a session ends. */

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/session/rig.h"

START_TEST(who_is_there)
{
	hello();
	settle();
	ck_assert_uint_eq(n_requests, 1);
	ck_assert_int_eq(current->peer.pid, getpid());
	ck_assert_uint_eq(current->peer.uid, getuid());
	ck_assert_uint_eq(current->version, PROTO_VERSION);
	ck_assert_int_eq(peer_process_pid(current->peer.process), getpid());
	ck_assert_str_ne(current->peer.comm, "");
	ck_assert(peer_in_group(&current->peer, getgid()));
}
END_TEST

START_TEST(hello_comes_first)
{
	struct proto_message message;

	say(PROTO_STATUS_GET, 5);
	settle();
	hear_refused(5, PROTO_E_STATE);
	ck_assert_int_eq(hear(&message), 0);
	ck_assert_uint_eq(n_requests, 0);
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

START_TEST(hello_comes_once)
{
	struct proto_message message;

	hello();
	hello();
	say(PROTO_STATUS_GET, 2);
	settle();
	ck_assert_int_eq(hear(&message), 1);
	ck_assert_int_eq(message.type, PROTO_DONE);
	hear_refused(1, PROTO_E_STATE);
	ck_assert_int_eq(hear(&message), 1);
	ck_assert_int_eq(message.type, PROTO_DONE);
}
END_TEST

START_TEST(no_version_in_common)
{
	static const uint16_t versions[][2] = { { 2, 9 }, { 0, 0 }, { 3, 1 } };
	struct proto_message message = {
		.type = PROTO_HELLO,
		.hello = { .min_version = versions[_i][0], .max_version = versions[_i][1] },
	};

	say_with(client, &message, 3, NULL, 0);
	settle();
	hear_refused(3, PROTO_E_VERSION);
	ck_assert_int_eq(hear(&message), 0);
	ck_assert_uint_eq(n_requests, 0);
}
END_TEST

START_TEST(malformed_is_the_end)
{
	static const char frame[] = { PROTO_STATUS_GET, 0, 0, 0, 9, 0, 0, 0, 'x' };
	struct proto_message message;

	hello();
	settle();
	ck_assert_int_eq(hear(&message), 1);
	/* what comes after it in the same breath is not even looked at */
	ck_assert_int_eq(proto_frame_send(client, frame, sizeof(frame), NULL, 0, 0), 0);
	say(PROTO_STATUS_GET, 10);
	settle();
	hear_refused(9, PROTO_E_MALFORMED);
	ck_assert_int_eq(hear(&message), 0);
	ck_assert_uint_eq(n_requests, 1);
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

START_TEST(unknown_goes_on)
{
	static const char frame[] = { (char)0xff, 0x7f, 0, 0, 9, 0, 0, 0 };
	struct proto_message message;

	hello();
	ck_assert_int_eq(proto_frame_send(client, frame, sizeof(frame), NULL, 0, 0), 0);
	say(PROTO_STATUS_GET, 10);
	settle();
	ck_assert_int_eq(hear(&message), 1);
	hear_refused(9, PROTO_E_UNKNOWN_MESSAGE);
	ck_assert_int_eq(hear(&message), 1);
	ck_assert_uint_eq(message.serial, 10);
}
END_TEST

START_TEST(surplus_descriptors)
{
	struct proto_message message = { .type = PROTO_STATUS_GET };
	int fds[2] = { client, client };

	hello();
	settle();
	ck_assert_int_eq(hear(&message), 1);
	message = (struct proto_message){ .type = PROTO_STATUS_GET };
	say_with(client, &message, 7, fds, 2);
	settle();
	hear_refused(7, PROTO_E_MALFORMED);
}
END_TEST

START_TEST(too_many_sessions)
{
	int second = connect_one(), keep = client, third[100];
	struct proto_message message;

	client = connect_one();
	hello();
	settle();
	hear_refused(1, PROTO_E_QUOTA);
	ck_assert_int_eq(hear(&message), 0);
	close(client);
	/* those who don't even ask don't stay */
	for (int i = 0; i < 100; i++)
		third[i] = connect_one();
	settle();
	ck_assert_uint_lt(sessions_count(sessions), 80);
	for (int i = 0; i < 100; i++)
		close(third[i]);
	close(second);
	settle();
	ck_assert_uint_eq(sessions_count(sessions), 1);
	client = connect_one();
	hello();
	settle();
	ck_assert_uint_eq(n_requests, 1);
	close(client);
	client = keep;
}
END_TEST

START_TEST(room_by_the_time_it_asks)
{
	int second = connect_one(), third = connect_one(), keep = client;

	close(second);
	settle();
	client = third;
	hello();
	settle();
	ck_assert_uint_eq(n_requests, 1);
	close(client);
	client = keep;
}
END_TEST

START_TEST(client_hangs_up)
{
	/* what it said before is still heard, as long as nothing has to be sent to it */
	answers = false;
	hello();
	say(PROTO_STATUS_GET, 2);
	client = fd_close(client);
	settle();
	ck_assert_uint_eq(n_requests, 2);
	ck_assert_uint_eq(n_closed, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *tc = tcase_create("session");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, who_is_there);
	tcase_add_test(tc, hello_comes_first);
	tcase_add_test(tc, hello_comes_once);
	tcase_add_loop_test(tc, no_version_in_common, 0, 3);
	tcase_add_test(tc, malformed_is_the_end);
	tcase_add_test(tc, unknown_goes_on);
	tcase_add_test(tc, surplus_descriptors);
	tcase_add_test(tc, too_many_sessions);
	tcase_add_test(tc, room_by_the_time_it_asks);
	tcase_add_test(tc, client_hangs_up);
	suite_add_tcase(suite, tc);
	return rig_run(suite);
}
