/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whether a recall is answered, or returned at once, which is an answer too, seen from the other
 * end of the socket.
 */

#include <errno.h>

#include "peer.h"

static struct peer peer;

static void recall_wide(struct peer *p, uint64_t recall)
{
	peer_send(p, (struct proto_message){ .type = PROTO_RECALL,
					     .recall = { .recall = recall,
							 .scope = PROTO_SCOPE_ALL,
							 .deadline_ms = 1000,
							 .hard_ms = 5000 } });
}

static void expect_wide_answer(struct peer *p, uint64_t recall)
{
	peer_expect(p, PROTO_ANSWER);
	ck_assert_uint_eq(p->message.answer.recall, recall);
	ck_assert_uint_eq(p->message.answer.seal, 0);
	ck_assert_uint_eq(p->message.answer.answer, PROTO_ANSWER_OK);
	peer_reply(p, (struct proto_message){ .type = PROTO_ANSWERED });
}

/* ---- nothing to wait for ----------------------------------------------------------------- */

static void script_at_once(struct peer *p)
{
	peer_begin(p, 4);
	peer_wait(p);
	peer_recall(p, 5, 2, PEER_PAGE, PEER_PAGE);
	peer_expect_return(p, 5, 2, PEER_PAGE, PEER_PAGE);
	peer_returned(p, 3, 6, 1);
	peer_recall(p, 5, 4, 0, PEER_PAGE);
	peer_expect_return(p, 5, 4, 0, PEER_PAGE);
	peer_returned(p, 5, 0, 0);
	peer_recall(p, 6, 2, PEER_PAGES(2), PEER_PAGES(2));
	peer_expect_return(p, 6, 2, PEER_PAGES(2), PEER_PAGES(2));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_returned_at_once)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_at_once);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 4, NULL, NULL);
	peer_go(&peer);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	ck_assert_int_eq(mapseal_enter(seal), -ESTALE);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_all_at_once(struct peer *p)
{
	peer_begin(p, 1);
	peer_grant(p, false, 6, 1);
	peer_map(p);
	peer_wait(p);
	recall_wide(p, 11);
	peer_expect_return(p, 5, 1, 0, PEER_PAGE);
	peer_returned(p, 2, 0, 0);
	peer_expect_return(p, 6, 1, 0, PEER_PAGE);
	peer_returned(p, 2, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_all_returned_at_once)
{
	struct mapseal_seal *seals[2];
	struct mapseal *m;

	peer_start(&peer, script_all_at_once);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seals[0] = peer_acquire(m, 1, NULL, NULL);
	seals[1] = peer_acquire(m, 1, NULL, NULL);
	peer_go(&peer);
	peer_wait_for(m, seals[1], MAPSEAL_RETURNED, _i);
	ck_assert_int_eq(mapseal_seal_state(seals[0]), MAPSEAL_RETURNED);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* ---- something to wait for --------------------------------------------------------------- */

static void script_some(struct peer *p)
{
	peer_begin(p, 1);
	peer_grant(p, false, 6, 1);
	peer_map(p);
	peer_grant(p, false, 7, 1);
	peer_map(p);
	peer_wait(p);
	recall_wide(p, 11);
	peer_expect_return(p, 5, 1, 0, PEER_PAGE);
	peer_returned(p, 2, 0, 0);
	peer_expect_return(p, 7, 1, 0, PEER_PAGE);
	peer_returned(p, 2, 0, 0);
	expect_wide_answer(p, 11);
	peer_expect_return(p, 6, 1, 0, PEER_PAGE);
	peer_returned(p, 2, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_only_who_has_a_handler_is_answered_for)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_some);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	peer_acquire(m, 1, NULL, NULL);
	seal = peer_acquire(m, 1, peer_return_it, NULL);
	peer_acquire(m, 1, NULL, NULL);
	peer_go(&peer);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	ck_assert_int_eq(peer_handler_calls, 1);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_inside(struct peer *p)
{
	peer_begin(p, 1);
	peer_wait(p);
	peer_recall(p, 5, 2, 0, PEER_PAGE);
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	/* nothing else comes before the thread has left */
	peer_wait(p);
	peer_expect_return(p, 5, 2, 0, PEER_PAGE);
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_answered_while_a_thread_is_inside)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_inside);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 1, NULL, NULL);
	ck_assert_int_eq(mapseal_enter(seal), 0);
	peer_go(&peer);
	peer_wait_for(m, seal, MAPSEAL_RECALLED, _i);
	peer_go(&peer);
	mapseal_exit(seal);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* Who reads is in the middle of something, and returns nothing behind the application's back. */
static void script_call(struct peer *p)
{
	struct proto_message done = { .type = PROTO_DONE };

	peer_begin(p, 1);
	peer_expect(p, PROTO_FLUSH);
	done.serial = p->message.serial;
	peer_recall(p, 5, 2, 0, PEER_PAGE);
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_send(p, done);
	peer_expect_return(p, 5, 2, 0, PEER_PAGE);
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_answered_by_a_call)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_call);
	m = peer_connect(&peer, 0, NULL, NULL);
	seal = peer_acquire(m, 1, NULL, NULL);
	ck_assert_int_eq(mapseal_flush(seal, 0, PEER_PAGE), 0);
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_RECALLED);
	peer_dispatch_until(m, seal, MAPSEAL_RETURNED);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* Asked for more while a part is on its way. */
static void script_more(struct peer *p)
{
	struct proto_message refused = {
		.type = PROTO_REFUSED,
		.refused = { .code = PROTO_E_OLD_SEQ, .text = "look", .comm = "" },
	};

	peer_begin(p, 4);
	peer_wait(p);
	peer_recall(p, 5, 2, 0, PEER_PAGE);
	peer_expect_return(p, 5, 2, 0, PEER_PAGE);
	refused.serial = p->message.serial;
	peer_recall(p, 5, 3, 0, PEER_PAGES(4));
	peer_expect_answer(p, 5, 3, PROTO_ANSWER_OK);
	peer_send(p, refused);
	peer_expect_return(p, 5, 3, 0, PEER_PAGES(4));
	peer_returned(p, 4, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_answered_while_a_part_is_on_its_way)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_more);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 4, NULL, NULL);
	peer_go(&peer);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("answer");

	tcase_add_loop_test(tc, test_returned_at_once, 0, 2);
	tcase_add_loop_test(tc, test_all_returned_at_once, 0, 2);
	tcase_add_loop_test(tc, test_only_who_has_a_handler_is_answered_for, 0, 2);
	tcase_add_loop_test(tc, test_answered_while_a_thread_is_inside, 0, 2);
	tcase_add_test(tc, test_answered_by_a_call);
	tcase_add_loop_test(tc, test_answered_while_a_part_is_on_its_way, 0, 2);
	return peer_run(tc, true);
}
