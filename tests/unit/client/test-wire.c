/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The client's end of the socket: hello, refusals, frames that are none, order, hang-ups, and many
 * threads on one connection.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

static struct peer peer;

static int try_connect(struct mapseal **ret)
{
	struct mapseal_options options = {
		.size = sizeof(options),
		.socket = peer.path,
		.max_io_ms = 25,
	};

	return mapseal_connect(&options, ret);
}

/* ---- hello ------------------------------------------------------------------------------- */

static void script_hello(struct peer *p)
{
	peer_welcome(p);
	ck_assert_uint_eq(p->message.hello.min_version, 1);
	ck_assert_uint_eq(p->message.hello.max_version, PROTO_VERSION);
	ck_assert_uint_eq(p->message.hello.max_io_ms, 25);
	peer_expect_end(p);
}

START_TEST(test_hello_and_close)
{
	struct mapseal *m = NULL;

	peer_start(&peer, script_hello);
	ck_assert_int_eq(try_connect(&m), 0);
	ck_assert_int_ge(mapseal_get_fd(m), 0);
	ck_assert_int_eq(mapseal_dispatch(m), 0);
	ck_assert_ptr_null(mapseal_close(m));
	peer_finish(&peer);
}
END_TEST

static void script_version(struct peer *p)
{
	peer_expect(p, PROTO_HELLO);
	peer_refuse(p, PROTO_E_VERSION, "we speak 7 to 9, you 1 to 1");
	peer_expect_end(p);
}

START_TEST(test_refusal_is_told_verbatim)
{
	struct mapseal *m = NULL;

	peer_start(&peer, script_version);
	ck_assert_int_eq(try_connect(&m), -EPROTONOSUPPORT);
	ck_assert_str_eq(mapseal_last_error()->text, "we speak 7 to 9, you 1 to 1");
	ck_assert_str_eq(mapseal_last_error()->code, "VERSION");
	ck_assert_int_eq(mapseal_last_error()->error, EPROTONOSUPPORT);
	ck_assert_ptr_null(m);
	peer_finish(&peer);
}
END_TEST

START_TEST(test_nobody_there)
{
	struct mapseal_options options = { .size = sizeof(options), .socket = "/nonexistent/s" };
	struct mapseal *m = NULL;

	ck_assert_int_eq(mapseal_connect(&options, &m), -ENOENT);
	ck_assert_ptr_nonnull(strstr(mapseal_last_error()->text, "/nonexistent/s"));
	ck_assert_str_eq(mapseal_last_error()->code, "");
	ck_assert_ptr_null(m);
}
END_TEST

/* ---- what is no protocol ----------------------------------------------------------------- */

static void script_garbage(struct peer *p)
{
	peer_expect(p, PROTO_HELLO);
	ck_assert_int_eq((int)send(p->socket, "garbage!", 8, MSG_NOSIGNAL), 8);
	peer_expect_end(p);
}

static void script_wrong_reply(struct peer *p)
{
	peer_expect(p, PROTO_HELLO);
	peer_done(p);
	peer_expect_end(p);
}

static void script_wrong_serial(struct peer *p)
{
	peer_expect(p, PROTO_HELLO);
	peer_send(p, (struct proto_message){ .type = PROTO_DONE, .serial = 4711 });
	peer_expect_end(p);
}

static void script_nothing_follows(struct peer *p)
{
	struct proto_message part = { .type = PROTO_LIST_SEAL, .more = true };
	unsigned char frame[PROTO_FRAME_MAX];
	int n;

	peer_expect(p, PROTO_HELLO);
	part.serial = p->message.serial;
	part.list_seal.mode = PROTO_MODE_READ;
	part.list_seal.kind = PROTO_KIND_WINDOW;
	n = proto_encode(&part, frame);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(proto_frame_send(p->socket, frame, (size_t)n, NULL, 0, 0), 0);
	peer_expect_end(p);
}

static void script_hang_up(struct peer *p)
{
	peer_expect(p, PROTO_HELLO);
}

START_TEST(test_bad_supervisors)
{
	static void (*const scripts[])(struct peer *) = {
		script_garbage,
		script_wrong_reply,
		script_wrong_serial,
		script_nothing_follows,
		script_hang_up,
	};
	struct mapseal *m = NULL;

	peer_start(&peer, scripts[_i]);
	ck_assert_int_eq(try_connect(&m), -ECONNRESET);
	ck_assert_ptr_null(m);
	peer_finish(&peer);
}
END_TEST

/* ---- order ------------------------------------------------------------------------------- */

/* Recalled before the client can have mapped it; the answer and MAP may cross. */
static void script_recall_crosses(struct peer *p)
{
	bool mapped = false, answered = false;

	peer_welcome(p);
	peer_grant(p, true, 5, 4);
	peer_recall(p, 5, 2, 0, PEER_PAGES(4));
	while (!mapped || !answered) {
		struct proto_fault fault;
		size_t size = 0;

		fdlist_clear(&p->fds);
		ck_assert_int_eq(proto_frame_recv(p->socket, p->frame, &size, &p->fds, 0), 0);
		ck_assert_int_eq(proto_decode(p->frame, size, p->fds.n, PROTO_REQUEST, &p->message,
					      &fault),
				 0);
		if (p->message.type == PROTO_MAP) {
			mapped = true;
			peer_done(p);
		} else {
			ck_assert_uint_eq(p->message.type, PROTO_ANSWER);
			ck_assert_uint_eq(p->message.answer.answer, PROTO_ANSWER_OK);
			answered = true;
			peer_reply(p, (struct proto_message){ .type = PROTO_ANSWERED });
		}
	}
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(4));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_recall_right_after_the_grant)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_recall_crosses);
	m = peer_connect(&peer, 0, NULL, NULL);
	seal = peer_acquire(m, 4, NULL, NULL);
	peer_dispatch_until(m, seal, MAPSEAL_RETURNED);
	ck_assert_int_eq(mapseal_enter(seal), -ESTALE);
	ck_assert_uint_eq(mapseal_seq(seal), 3);
	mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* ---- the end ----------------------------------------------------------------------------- */

#define N_CALLERS 8

static void script_take_and_hang_up(struct peer *p)
{
	peer_welcome(p);
	peer_grant(p, true, 5, 1);
	peer_map(p);
	for (int i = 0; i < N_CALLERS; i++)
		peer_expect(p, PROTO_COMMIT);
}

static void *commit(void *data)
{
	struct mapseal_seal *seal = data;

	return (void *)(intptr_t)mapseal_commit(seal, 0, PEER_PAGE);
}

static void count_disconnects(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m;
	if (event->type == MAPSEAL_EVENT_DISCONNECTED)
		__atomic_add_fetch((int *)data, 1, __ATOMIC_RELAXED);
}

START_TEST(test_hang_up_wakes_everybody)
{
	unsigned int flags = _i ? MAPSEAL_THREAD : 0;
	pthread_t threads[N_CALLERS];
	struct mapseal_seal *seal;
	int disconnects = 0;
	struct mapseal *m;

	peer_start(&peer, script_take_and_hang_up);
	m = peer_connect(&peer, flags, count_disconnects, &disconnects);
	seal = peer_acquire(m, 1, NULL, NULL);
	for (int i = 0; i < N_CALLERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, commit, seal), 0);
	for (int i = 0; i < N_CALLERS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		ck_assert_int_eq((int)(intptr_t)result, -ECONNRESET);
	}
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_PARKED);
	ck_assert_int_eq(mapseal_enter(seal), -ESTALE);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGE, 0), -ECONNRESET);
	if (!flags) {
		struct pollfd polled = { .fd = mapseal_get_fd(m), .events = POLLIN };

		ck_assert_int_eq(poll(&polled, 1, -1), 1);
		ck_assert_int_eq(mapseal_dispatch(m), -ECONNRESET);
		ck_assert_int_eq(disconnects, 1);
		ck_assert_int_eq(poll(&polled, 1, 0), 0);
	}
	mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* ---- many threads ------------------------------------------------------------------------ */

#define N_ROUNDS 200

static void script_status(struct peer *p)
{
	peer_welcome(p);
	for (int i = 0; i < N_CALLERS * N_ROUNDS; i++) {
		peer_expect(p, PROTO_QUARANTINE_DROP);
		/* Something unasked, in between. */
		if (i % 3 == 0)
			peer_send(p, (struct proto_message){ .type = PROTO_RECALL_ANY,
							     .recall_any = { .keep = 1 } });
		if (p->message.quarantine_drop.id % 2)
			peer_done(p);
		else
			peer_refuse(p, PROTO_E_DENIED, "even");
	}
	peer_expect_end(p);
}

static void *drop_many(void *data)
{
	struct mapseal *m = data;

	for (uint64_t i = 1; i <= N_ROUNDS; i++) {
		int r = mapseal_quarantine_drop(m, i);

		if (r != (i % 2 ? 0 : -EACCES))
			return (void *)1;
		if (r && strcmp(mapseal_last_error()->text, "even") != 0)
			return (void *)2;
	}
	return NULL;
}

START_TEST(test_replies_find_their_thread)
{
	pthread_t threads[N_CALLERS];
	struct mapseal *m;

	peer_start(&peer, script_status);
	m = peer_connect(&peer, _i ? MAPSEAL_THREAD : 0, NULL, NULL);
	for (int i = 0; i < N_CALLERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, drop_many, m), 0);
	for (int i = 0; i < N_CALLERS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		ck_assert_ptr_null(result);
	}
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

START_TEST(test_modes_of_dispatch)
{
	struct mapseal *m;

	peer_start(&peer, script_hello);
	{
		struct mapseal_options options = {
			.size = sizeof(options),
			.socket = peer.path,
			.flags = MAPSEAL_THREAD,
			.max_io_ms = 25,
		};

		ck_assert_int_eq(mapseal_connect(&options, &m), 0);
	}
	ck_assert_int_eq(mapseal_get_fd(m), -EBUSY);
	ck_assert_int_eq(mapseal_dispatch(m), -EBUSY);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("wire");

	tcase_add_test(tc, test_hello_and_close);
	tcase_add_test(tc, test_refusal_is_told_verbatim);
	tcase_add_test(tc, test_nobody_there);
	tcase_add_loop_test(tc, test_bad_supervisors, 0, 5);
	tcase_add_test(tc, test_recall_right_after_the_grant);
	tcase_add_loop_test(tc, test_hang_up_wakes_everybody, 0, 2);
	tcase_add_loop_test(tc, test_replies_find_their_thread, 0, 2);
	tcase_add_test(tc, test_modes_of_dispatch);
	return peer_run(tc, true);
}
