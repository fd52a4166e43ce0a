/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Breaks with their accounts and ends, listings with many parts, watching. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

static struct peer peer;

static bool one_frame;

static void send_line(struct peer *p, uint64_t seal, unsigned int answer, unsigned int result)
{
	peer_reply(p, (struct proto_message){ .type = PROTO_BREAK_HOLDER,
					      .more = one_frame,
					      .break_holder = { .seal = seal,
								.pid = 100,
								.uid = 7,
								.comm = "holder",
								.answer = (uint8_t)answer,
								.result = (uint8_t)result,
								.fence = PROTO_FENCE_FENCED,
								.ms = 12 } });
}

static void script_break(struct peer *p)
{
	peer_welcome(p);
	peer_expect(p, PROTO_BREAK_BEGIN);
	ck_assert_uint_eq(p->message.break_begin.flags, PROTO_BREAK_WHOLE | PROTO_BREAK_HOLD);
	ck_assert_uint_eq(p->message.break_begin.want, PROTO_WANT_LAYOUT);
	for (uint64_t i = 0; i < 5; i++)
		send_line(p, 50 + i, i ? PROTO_ANSWER_OK : 0,
			  i ? PROTO_RESULT_RETURNED : PROTO_RESULT_REVOKED);
	peer_reply(p, (struct proto_message){ .type = PROTO_BREAK_READY,
					      .break_ready = { .outcome = PROTO_OUTCOME_GRANTED,
							       .id = 9,
							       .token = 4242,
							       .hold_ms = 1000,
							       .ms = 17 } });
	peer_expect(p, PROTO_BREAK_END);
	ck_assert_uint_eq(p->message.break_end.id, 9);
	ck_assert_uint_eq(p->message.break_end.token, 4242);
	peer_done(p);
	peer_expect_end(p);
}

static int begin_break(struct mapseal *m, unsigned int flags, struct mapseal_break **ret)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = "object",
		.want = MAPSEAL_WANT_LAYOUT,
		.flags = flags,
	};

	return mapseal_break_begin(m, &request, ret);
}

START_TEST(test_hold)
{
	const struct mapseal_account *account;
	struct mapseal_break *b = NULL;
	struct mapseal *m;

	one_frame = _i & 2;
	peer_start(&peer, script_break);
	m = peer_connect(&peer, _i & 1 ? MAPSEAL_THREAD : 0, NULL, NULL);
	ck_assert_int_eq(begin_break(m, MAPSEAL_BREAK_HOLD, &b), 0);
	ck_assert_uint_eq(mapseal_break_token(b), 4242);
	ck_assert_uint_eq(mapseal_break_id(b), 9);
	ck_assert_uint_eq(mapseal_break_ms(b), 17);
	ck_assert_uint_eq(mapseal_break_hold_ms(b), 1000);
	ck_assert_str_eq(mapseal_break_outcome(b), "granted");
	ck_assert_uint_eq(mapseal_break_account(b, &account), 5);
	ck_assert_str_eq(account[0].answer, "none");
	ck_assert_str_eq(account[0].result, "revoked");
	ck_assert_str_eq(account[0].fence, "fenced");
	ck_assert_str_eq(account[4].answer, "ok");
	ck_assert_str_eq(account[4].comm, "holder");
	ck_assert_uint_eq(account[4].seal, 54);
	ck_assert_int_eq(mapseal_break_end(b), 0);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_break_busy(struct peer *p)
{
	peer_welcome(p);
	peer_expect(p, PROTO_BREAK_BEGIN);
	send_line(p, 50, PROTO_ANSWER_OK, PROTO_RESULT_RETURNED);
	send_line(p, 51, PROTO_ANSWER_DELAY, PROTO_RESULT_PENDING);
	peer_reply(p, (struct proto_message){ .type = PROTO_BREAK_READY,
					      .break_ready = { .outcome = PROTO_OUTCOME_TIMED_OUT,
							       .id = 9,
							       .text = "100 ms went by" } });
	/* Refused for its form: no object. */
	peer_expect(p, PROTO_BREAK_BEGIN);
	peer_refuse(p, PROTO_E_UNKNOWN_OBJECT, "no export \"object\"");
	peer_expect_end(p);
}

START_TEST(test_bad_ends)
{
	struct mapseal_break *b = NULL, *none = NULL;
	struct mapseal *m;

	peer_start(&peer, script_break_busy);
	m = peer_connect(&peer, 0, NULL, NULL);
	ck_assert_int_eq(begin_break(m, 0, &b), -ETIMEDOUT);
	ck_assert_str_eq(mapseal_last_error()->text, "100 ms went by");
	ck_assert_str_eq(mapseal_last_error()->code, "TIMED_OUT");
	ck_assert_uint_eq(mapseal_last_error()->seal, 51);
	ck_assert_str_eq(mapseal_last_error()->comm, "holder");
	ck_assert_str_eq(mapseal_break_outcome(b), "timed-out");
	/* Nothing is held, nothing is to be ended. */
	ck_assert_int_eq(mapseal_break_end(b), 0);

	ck_assert_int_eq(begin_break(m, 0, &none), -ENOENT);
	ck_assert_ptr_null(none);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_expired(struct peer *p)
{
	peer_welcome(p);
	peer_expect(p, PROTO_BREAK_BEGIN);
	peer_reply(p, (struct proto_message){ .type = PROTO_BREAK_READY,
					      .break_ready = { .outcome = PROTO_OUTCOME_GRANTED,
							       .id = 9,
							       .token = 1,
							       .hold_ms = 5 } });
	peer_send(p, (struct proto_message){ .type = PROTO_BREAK_EXPIRED,
					     .break_expired = { .id = 9 } });
	peer_expect_end(p);
}

static void note_expired(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m;
	ck_assert_int_eq(event->type, MAPSEAL_EVENT_BREAK_EXPIRED);
	*(struct mapseal_break **)data = event->brk;
}

START_TEST(test_expired)
{
	struct mapseal_break *b = NULL, *expired = NULL;
	struct pollfd polled;
	struct mapseal *m;

	peer_start(&peer, script_expired);
	m = peer_connect(&peer, 0, note_expired, &expired);
	polled = (struct pollfd){ .fd = mapseal_get_fd(m), .events = POLLIN };
	ck_assert_int_eq(begin_break(m, MAPSEAL_BREAK_HOLD, &b), 0);
	while (!expired) {
		poll(&polled, 1, -1);
		ck_assert_int_eq(mapseal_dispatch(m), 0);
	}
	ck_assert_ptr_eq(expired, b);
	ck_assert_int_eq(mapseal_break_end(b), -ESTALE);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* ---- listings ---------------------------------------------------------------------------- */

#define N_SEALS 500

static void send_seals(struct peer *p)
{
	peer_expect(p, PROTO_LIST);
	ck_assert_uint_eq(p->message.list.what, PROTO_LISTING_SEALS);
	for (uint64_t i = 1; i <= N_SEALS; i++)
		peer_reply(p, (struct proto_message){ .type = PROTO_LIST_SEAL,
						      .list_seal = { .id = i,
								     .object = "database",
								     .mode = PROTO_MODE_READ,
								     .kind = PROTO_KIND_WINDOW,
								     .comm = "sqlite3" } });
	peer_done(p);
}

static void script_list(struct peer *p)
{
	peer_welcome(p);
	send_seals(p);
	send_seals(p);
	peer_expect(p, PROTO_LIST);
	for (uint64_t i = 0; i < 3; i++) {
		peer_reply(p, (struct proto_message){ .type = PROTO_LIST_BREAK,
						      .list_break = { .id = 100 + i,
								      .object = "database",
								      .want = PROTO_WANT_LAYOUT,
								      .holders = (uint32_t)i } });
		for (uint64_t j = 0; j < i; j++)
			send_line(p, j, 0, PROTO_RESULT_PENDING);
	}
	peer_done(p);
	peer_expect(p, PROTO_LIST);
	peer_refuse(p, PROTO_E_DENIED, "not yours");
	peer_expect_end(p);
}

static int count_seals(const struct mapseal_seal_info *info, void *data)
{
	uint64_t *n = data;

	ck_assert_uint_eq(info->id, ++*n);
	ck_assert_str_eq(info->object, "database");
	ck_assert_str_eq(info->mode, "read");
	ck_assert_str_eq(info->guard, "cooperative");
	return 0;
}

static int stop_at_ten(const struct mapseal_seal_info *info, void *data)
{
	++*(uint64_t *)data;
	return info->id == 10 ? 77 : 0;
}

static int count_breaks(const struct mapseal_break_info *info, void *data)
{
	uint64_t *n = data;

	ck_assert_uint_eq(info->id, 100 + *n);
	ck_assert_uint_eq(info->n_account, *n);
	for (uint64_t i = 0; i < *n; i++)
		ck_assert_uint_eq(info->account[i].seal, i);
	++*n;
	return 0;
}

START_TEST(test_lists)
{
	uint64_t n = 0;
	struct mapseal *m;

	peer_start(&peer, script_list);
	m = peer_connect(&peer, _i ? MAPSEAL_THREAD : 0, NULL, NULL);
	ck_assert_int_eq(mapseal_list_seals(m, 0, count_seals, &n), 0);
	ck_assert_uint_eq(n, N_SEALS);
	n = 0;
	ck_assert_int_eq(mapseal_list_seals(m, 0, stop_at_ten, &n), 77);
	ck_assert_uint_eq(n, 10);
	n = 0;
	ck_assert_int_eq(mapseal_list_breaks(m, 0, count_breaks, &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(mapseal_list_breaks(m, 0, count_breaks, &n), -EACCES);
	ck_assert_str_eq(mapseal_last_error()->text, "not yours");
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* ---- small ones -------------------------------------------------------------------------- */

static void script_watch(struct peer *p)
{
	peer_welcome(p);
	peer_expect(p, PROTO_WATCH);
	peer_done(p);
	for (uint64_t i = 0; i < 3; i++)
		peer_send(p, (struct proto_message){ .type = PROTO_CHANGED,
						     .changed = { .change = PROTO_CHANGE_GRANTED,
								  .id = i,
								  .object = "database",
								  .detail = "write" } });
	peer_expect_end(p);
}

static void note_change(const struct mapseal_change *change, void *data)
{
	ck_assert_uint_eq(change->id, *(uint64_t *)data);
	ck_assert_str_eq(change->change, "granted");
	ck_assert_str_eq(change->detail, "write");
	++*(uint64_t *)data;
}

START_TEST(test_watch)
{
	struct pollfd polled;
	struct mapseal *m;
	uint64_t n = 0;

	peer_start(&peer, script_watch);
	m = peer_connect(&peer, 0, NULL, NULL);
	polled = (struct pollfd){ .fd = mapseal_get_fd(m), .events = POLLIN };
	ck_assert_int_eq(mapseal_watch(m, note_change, &n), 0);
	ck_assert_int_eq(mapseal_watch(m, note_change, &n), -EBUSY);
	while (n < 3) {
		poll(&polled, 1, -1);
		ck_assert_int_eq(mapseal_dispatch(m), 0);
	}
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_quarantine(struct peer *p)
{
	int pipes[2];

	peer_welcome(p);
	peer_expect(p, PROTO_QUARANTINE_READ);
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq((int)write(pipes[1], "kept", 4), 4);
	peer_send_fd(p,
		     (struct proto_message){ .type = PROTO_QUARANTINE_MEMORY,
					     .serial = p->message.serial,
					     .quarantine_memory = { .offset = 8192,
								    .length = 4 } },
		     pipes[0]);
	close(pipes[0]);
	close(pipes[1]);
	peer_expect(p, PROTO_CREATE);
	peer_reply(p, (struct proto_message){ .type = PROTO_CREATED,
					      .created = { .object = 1, .name = "anon-1" } });
	peer_expect_end(p);
}

START_TEST(test_quarantine_and_create)
{
	uint64_t offset, length;
	struct mapseal *m;
	char bytes[8], name[64];
	int fd;

	peer_start(&peer, script_quarantine);
	m = peer_connect(&peer, 0, NULL, NULL);
	fd = mapseal_quarantine_open(m, 3, &offset, &length);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(offset, 8192);
	ck_assert_uint_eq(length, 4);
	ck_assert_int_eq((int)read(fd, bytes, sizeof(bytes)), 4);
	close(fd);
	ck_assert_int_eq(mapseal_create(m, 0, name), -EINVAL);
	ck_assert_int_eq(mapseal_create(m, 4096, name), 0);
	ck_assert_str_eq(name, "anon-1");
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("break");

	tcase_add_loop_test(tc, test_hold, 0, 4);
	tcase_add_test(tc, test_bad_ends);
	tcase_add_test(tc, test_expired);
	tcase_add_loop_test(tc, test_lists, 0, 2);
	tcase_add_test(tc, test_watch);
	tcase_add_test(tc, test_quarantine_and_create);
	return peer_run(tc, false);
}
