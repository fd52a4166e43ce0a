/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One connection over a real socket, with an owner that does what the test says: order of messages,
 * refusals, flow control, and never a descriptor more than before.
 */

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/session/session.h"

static struct loop *loop;
static struct quota *quota;
static struct sessions *sessions;
static struct session *current; /* the one that the last request came from */
static unsigned int n_requests, n_closed;
static uint32_t last_serial;
static bool answers; /* the owner answers at once */
static int client;
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

static void on_request(struct session *session, const struct proto_message *message,
		       struct fdlist *fds, void *data)
{
	(void)fds, (void)data;
	current = session;
	n_requests++;
	last_serial = message->serial;
	if (answers)
		session_done(session, message->serial, n_requests);
}

static void on_closed(struct session *session, void *data)
{
	(void)session, (void)data;
	current = NULL;
	n_closed++;
}

static int connect_one(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(sessions_accept(sessions, pair[1]), 0);
	return pair[0];
}

static void setup(void)
{
	struct quota_limits limits = { .max = { 2, 10, 1000, 4 } };
	struct session_limits session = { .max_in_flight = 4, .max_queue = 16384 };
	struct session_ops ops = { .request = on_request, .closed = on_closed };

	open_before = count_open();
	ck_assert_int_eq(loop_new(64, &loop), 0);
	ck_assert_int_eq(quota_new(&limits, &quota), 0);
	ck_assert_int_eq(sessions_new(loop, quota, &session, &ops, &sessions), 0);
	n_requests = n_closed = 0;
	answers = true;
	client = connect_one();
}

/* Everything that can happen without anybody doing anything more. */
static void settle(void)
{
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(loop_step(loop, 0), 0);
		sessions_reap(sessions);
	}
}

static void teardown(void)
{
	fd_close(client);
	sessions_hang_up_all(sessions);
	while (sessions_count(sessions) > 0) {
		sessions_reap(sessions);
		if (sessions_count(sessions) > 0)
			ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	}
	sessions_free(sessions);
	quota_free(quota);
	loop_free(loop);
	while (count_open() > open_before)
		sched_yield(); /* sockets are closed by another thread */
	ck_assert_uint_eq(count_open(), open_before);
}

static void say_with(int socket, struct proto_message *message, uint32_t serial, const int *fds,
		     size_t n_fds)
{
	char frame[PROTO_FRAME_MAX];
	int size;

	message->serial = serial;
	size = proto_encode(message, frame);
	ck_assert_int_gt(size, 0);
	ck_assert_int_eq(proto_frame_send(socket, frame, (size_t)size, fds, n_fds, MSG_DONTWAIT), 0);
}

static void say(uint16_t type, uint32_t serial)
{
	struct proto_message message = { .type = type };

	say_with(client, &message, serial, NULL, 0);
}

static void hello(void)
{
	struct proto_message message = {
		.type = PROTO_HELLO,
		.hello = { .min_version = 1, .max_version = 9 },
	};

	say_with(client, &message, 1, NULL, 0);
}

static char heard_frame[PROTO_FRAME_MAX];
static size_t heard_at, heard_size; /* what is left of it */

/* What the client hears next: 0 if it was hung up on, -EAGAIN if nothing. */
static int hear(struct proto_message *ret)
{
	struct proto_fault fault;
	struct fdlist fds;
	size_t size;
	int r;

	fdlist_init(&fds);
	if (heard_at == heard_size) {
		heard_at = heard_size = 0;
		r = proto_frame_recv(client, heard_frame, &heard_size, &fds, MSG_DONTWAIT);
		fdlist_clear(&fds);
		if (r < 0)
			return r;
		if (heard_size == 0)
			return 0;
	}
	size = proto_first(heard_frame + heard_at, heard_size - heard_at);
	ck_assert_int_eq(proto_decode(heard_frame + heard_at, size, fds.n, PROTO_REPLY, ret,
				      &fault), 0);
	heard_at += size;
	ck_assert_int_eq(ret->more, heard_at < heard_size);
	return 1;
}

static void hear_refused(uint32_t serial, enum proto_error code)
{
	struct proto_message message;

	ck_assert_int_eq(hear(&message), 1);
	ck_assert_int_eq(message.type, PROTO_REFUSED);
	ck_assert_uint_eq(message.serial, serial);
	ck_assert_str_eq(proto_error_name(message.refused.code), proto_error_name(code));
	ck_assert_int_gt(strlen(message.refused.text), 0);
}

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
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, who_is_there);
	tcase_add_test(tc, hello_comes_first);
	tcase_add_test(tc, hello_comes_once);
	tcase_add_loop_test(tc, no_version_in_common, 0, 3);
	tcase_add_test(tc, malformed_is_the_end);
	tcase_add_test(tc, unknown_goes_on);
	tcase_add_test(tc, surplus_descriptors);
	/* valgrind lets one thread run at a time, and keeps to that while close(2) waits */
	if (!strstr(getenv("LD_PRELOAD") ?: "", "vgpreload"))
		tcase_add_test(tc, closing_waits_for_nobody);
	tcase_add_test(tc, unanswered_requests_stop_reading);
	tcase_add_test(tc, who_does_not_read_is_hung_up_on);
	tcase_add_test(tc, parts_wait_and_stop_reading);
	tcase_add_test(tc, descriptors_are_closed_when_not_sent);
	tcase_add_test(tc, too_many_sessions);
	tcase_add_test(tc, room_by_the_time_it_asks);
	tcase_add_test(tc, client_hangs_up);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
