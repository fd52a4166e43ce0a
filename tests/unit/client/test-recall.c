/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the client does with a recall, seen from the other end of the socket: answers, handlers and
 * what they may do, verdicts, scopes, revocation.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "peer.h"

static struct peer peer;

/* ---- the usual --------------------------------------------------------------------------- */

static void script_recall(struct peer *p)
{
	peer_begin(p, 4);
	peer_recall(p, 5, 2, 0, PEER_PAGES(4));
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(4));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

static void script_recall_later(struct peer *p)
{
	peer_begin(p, 4);
	peer_wait(p);
	peer_recall(p, 5, 2, 0, PEER_PAGES(4));
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(4));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_handler_then_return)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_recall);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 4, peer_return_it, NULL);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	ck_assert_int_eq(peer_handler_calls, 1);
	ck_assert_uint_eq(peer_handler_saw.length, PEER_PAGES(4));
	ck_assert_uint_le(peer_handler_saw.deadline_ms, 1000);
	ck_assert_uint_gt(peer_handler_saw.hard_ms, peer_handler_saw.deadline_ms);
	ck_assert_int_eq(mapseal_enter(seal), -ESTALE);
	ck_assert_int_eq(mapseal_commit(seal, 0, PEER_PAGE), -ESTALE);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_commit_in_handler(struct peer *p)
{
	peer_begin(p, 4);
	peer_recall(p, 5, 2, 0, PEER_PAGES(4));
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect(p, PROTO_COMMIT);
	/* It is the reader of the socket that calls: events before the reply must not confuse it.
	 * */
	peer_send(p, (struct proto_message){ .type = PROTO_RECALL_ANY,
					     .recall_any = { .keep = 1 } });
	peer_done(p);
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(4));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

static enum mapseal_verdict commit_and_return(struct mapseal_recall *recall, void *data)
{
	(void)data;
	peer_handler_calls++;
	ck_assert_int_eq(mapseal_seal_state(recall->seal), MAPSEAL_RECALLED);
	ck_assert_int_eq(mapseal_commit(recall->seal, recall->offset, recall->length), 0);
	ck_assert_int_eq(mapseal_return(recall->seal, recall->offset, recall->length, 0), 0);
	return MAPSEAL_RETURN;
}

START_TEST(test_handler_makes_calls)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_commit_in_handler);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 4, commit_and_return, NULL);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	ck_assert_int_eq(peer_handler_calls, 1);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* A handler that waits for another thread's call: somebody has to read the reply. */
static void script_other_thread(struct peer *p)
{
	peer_begin(p, 1);
	peer_recall(p, 5, 2, 0, PEER_PAGE);
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect(p, PROTO_FLUSH);
	peer_done(p);
	peer_expect_return(p, 5, 2, 0, PEER_PAGE);
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

static void *flush(void *data)
{
	return (void *)(intptr_t)mapseal_flush(data, 0, PEER_PAGE);
}

static enum mapseal_verdict wait_for_flush(struct mapseal_recall *recall, void *data)
{
	pthread_t thread;
	void *result;

	(void)data;
	ck_assert_int_eq(pthread_create(&thread, NULL, flush, recall->seal), 0);
	pthread_join(thread, &result);
	ck_assert_ptr_null(result);
	return MAPSEAL_RETURN;
}

START_TEST(test_handler_waits_for_another_thread)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_other_thread);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 1, wait_for_flush, NULL);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

START_TEST(test_thread_inside_holds_it_off)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_recall_later);
	m = peer_connect(&peer, 0, NULL, NULL);
	seal = peer_acquire(m, 4, peer_return_it, NULL);
	ck_assert_int_eq(mapseal_enter(seal), 0);
	peer_go(&peer);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGE, 0), -EDEADLK);
	peer_dispatch_until(m, seal, MAPSEAL_RECALLED);
	ck_assert_int_eq(mapseal_dispatch(m), 0);
	ck_assert_int_eq(peer_handler_calls, 0);
	/* Who is inside may nest. */
	ck_assert_int_eq(mapseal_enter(seal), 0);
	mapseal_exit(seal);
	mapseal_exit(seal);
	peer_dispatch_until(m, seal, MAPSEAL_RETURNED);
	ck_assert_int_eq(peer_handler_calls, 1);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* ---- verdicts ---------------------------------------------------------------------------- */

static void script_delay(struct peer *p)
{
	const struct proto_answer *answer;

	peer_begin(p, 1);
	peer_recall(p, 5, 2, 0, PEER_PAGE);
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	answer = &peer_expect(p, PROTO_ANSWER)->answer;
	ck_assert_uint_eq(answer->answer, PROTO_ANSWER_DELAY);
	ck_assert_uint_eq(answer->delay_ms, 3);
	peer_reply(p, (struct proto_message){ .type = PROTO_ANSWERED,
					      .answered = { .deadline_ms = 1003 } });
	peer_expect_return(p, 5, 2, 0, PEER_PAGE);
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

static enum mapseal_verdict delay_once(struct mapseal_recall *recall, void *data)
{
	(void)data;
	recall->delay_ms = 3;
	return peer_handler_calls++ ? MAPSEAL_RETURN : MAPSEAL_DELAY;
}

START_TEST(test_delay)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_delay);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 1, delay_once, NULL);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	ck_assert_int_eq(peer_handler_calls, 2);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static enum mapseal_verdict later(struct mapseal_recall *recall, void *data)
{
	(void)recall;
	__atomic_store_n((int *)data, 1, __ATOMIC_RELEASE);
	return MAPSEAL_LATER;
}

START_TEST(test_later)
{
	struct mapseal_seal *seal;
	struct mapseal *m;
	int asked = 0;

	peer_start(&peer, script_recall);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = peer_acquire(m, 4, later, &asked);
	while (!__atomic_load_n(&asked, __ATOMIC_ACQUIRE))
		sched_yield();
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_RECALLED);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGES(4), 0), 0);
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_RETURNED);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* ---- scopes, strangers, the end ---------------------------------------------------------- */

static void script_scopes(struct peer *p)
{
	struct proto_message all = { .type = PROTO_RECALL,
				     .recall = { .recall = 11,
						 .scope = PROTO_SCOPE_OBJECT,
						 .object = 8,
						 .deadline_ms = 1000,
						 .hard_ms = 5000 } };

	peer_begin(p, 2);
	/* Another object's; then everything. */
	peer_send(p, all);
	peer_expect(p, PROTO_ANSWER);
	ck_assert_uint_eq(p->message.answer.recall, 11);
	ck_assert_uint_eq(p->message.answer.seal, 0);
	ck_assert_uint_eq(p->message.answer.answer, PROTO_ANSWER_NO_MATCHING);
	peer_reply(p, (struct proto_message){ .type = PROTO_ANSWERED });
	/* A seal nobody has heard of. */
	peer_recall(p, 4711, 2, 0, PEER_PAGE);
	peer_expect_answer(p, 4711, 2, PROTO_ANSWER_NO_MATCHING);

	all.recall.recall = 12;
	all.recall.scope = PROTO_SCOPE_ALL;
	all.recall.object = 0;
	peer_send(p, all);
	peer_expect(p, PROTO_ANSWER);
	ck_assert_uint_eq(p->message.answer.recall, 12);
	ck_assert_uint_eq(p->message.answer.answer, PROTO_ANSWER_OK);
	peer_reply(p, (struct proto_message){ .type = PROTO_ANSWERED });
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(2));
	peer_returned(p, 2, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_scopes)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_scopes);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 2, peer_return_it, NULL);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_revoked(struct peer *p)
{
	peer_begin(p, 2);
	peer_send(p, (struct proto_message){ .type = PROTO_REVOKED,
					     .revoked = { .seal = 5,
							  .seq = 2,
							  .fence = PROTO_FENCE_FENCED,
							  .flags = PROTO_REVOKE_PARKED } });
	peer_send(p, (struct proto_message){ .type = PROTO_REGRANTED,
					     .regranted = { .seal = 5, .seq = 3, .size = 100 } });
	peer_send(p, (struct proto_message){ .type = PROTO_REVOKED,
					     .revoked = { .seal = 5,
							  .seq = 4,
							  .fence = PROTO_FENCE_TORN_POSSIBLE,
							  .quarantined = 9 } });
	peer_expect_end(p);
}

struct told {
	enum mapseal_event_type types[8];
	size_t n;
	uint64_t quarantined;
	char fence[32];
	struct mapseal_seal *seal;
};

static void note(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	struct told *told = data;

	(void)m;
	told->types[told->n++] = event->type;
	if (event->type != MAPSEAL_EVENT_REVOKED)
		return;
	told->quarantined = event->quarantined;
	strcpy(told->fence, event->fence);
	/* The last use of it may be right here. */
	told->seal = mapseal_seal_free(event->seal);
}

START_TEST(test_parked_regranted_revoked)
{
	struct told told = { .seal = (struct mapseal_seal *)&told };
	struct mapseal_seal *seal;
	struct pollfd polled;
	struct mapseal *m;

	peer_start(&peer, script_revoked);
	m = peer_connect(&peer, 0, note, &told);
	polled = (struct pollfd){ .fd = mapseal_get_fd(m), .events = POLLIN };
	seal = peer_acquire(m, 2, peer_return_it, NULL);
	(void)seal;
	while (told.seal) {
		poll(&polled, 1, -1);
		ck_assert_int_eq(mapseal_dispatch(m), 0);
	}
	ck_assert_uint_eq(told.n, 3);
	ck_assert_int_eq(told.types[0], MAPSEAL_EVENT_PARKED);
	ck_assert_int_eq(told.types[1], MAPSEAL_EVENT_REGRANTED);
	ck_assert_int_eq(told.types[2], MAPSEAL_EVENT_REVOKED);
	ck_assert_uint_eq(told.quarantined, 9);
	ck_assert_str_eq(told.fence, "torn-possible");
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("recall");

	tcase_add_loop_test(tc, test_handler_then_return, 0, 2);
	tcase_add_loop_test(tc, test_handler_makes_calls, 0, 2);
	tcase_add_loop_test(tc, test_handler_waits_for_another_thread, 0, 2);
	tcase_add_test(tc, test_thread_inside_holds_it_off);
	tcase_add_loop_test(tc, test_delay, 0, 2);
	tcase_add_test(tc, test_later);
	tcase_add_loop_test(tc, test_scopes, 0, 2);
	tcase_add_test(tc, test_parked_regranted_revoked);
	return peer_run(tc, true);
}
