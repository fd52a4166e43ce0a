/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A session under test: its owner, its quotas, and the client at the other end of its socket. */

#include "tests/unit/session/rig.h"

#include <check.h>
#include <dirent.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

struct loop *loop;
struct quota *quota;
struct sessions *sessions;
struct session *current;
unsigned int n_requests, n_closed;
uint32_t last_serial;
bool answers;
int client;
static size_t open_before;

size_t count_open(void)
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

int connect_one(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(sessions_accept(sessions, pair[1]), 0);
	return pair[0];
}

void setup(void)
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

void settle(void)
{
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(loop_step(loop, 0), 0);
		sessions_reap(sessions);
	}
}

void teardown(void)
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

void say_with(int socket, struct proto_message *message, uint32_t serial, const int *fds,
	      size_t n_fds)
{
	char frame[PROTO_FRAME_MAX];
	int size;

	message->serial = serial;
	size = proto_encode(message, frame);
	ck_assert_int_gt(size, 0);
	ck_assert_int_eq(proto_frame_send(socket, frame, (size_t)size, fds, n_fds, MSG_DONTWAIT), 0);
}

void say(uint16_t type, uint32_t serial)
{
	struct proto_message message = { .type = type };

	say_with(client, &message, serial, NULL, 0);
}

void hello(void)
{
	struct proto_message message = {
		.type = PROTO_HELLO,
		.hello = { .min_version = 1, .max_version = 9 },
	};

	say_with(client, &message, 1, NULL, 0);
}

static char heard_frame[PROTO_FRAME_MAX];
static size_t heard_at, heard_size; /* what is left of it */

int hear(struct proto_message *ret)
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

void hear_refused(uint32_t serial, enum proto_error code)
{
	struct proto_message message;

	ck_assert_int_eq(hear(&message), 1);
	ck_assert_int_eq(message.type, PROTO_REFUSED);
	ck_assert_uint_eq(message.serial, serial);
	ck_assert_str_eq(proto_error_name(message.refused.code), proto_error_name(code));
	ck_assert_int_gt(strlen(message.refused.text), 0);
}

int rig_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
