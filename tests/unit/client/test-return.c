/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Returns, seen from the other end of the socket: parts, the middle of a seal, more than was asked
 * for, and newer messages that cross them.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "peer.h"

static struct peer peer;

/* ---- parts ------------------------------------------------------------------------------- */

static void script_parts(struct peer *p)
{
	peer_begin(p, 8);
	/* The middle; what is left goes by two names from then on. */
	peer_recall(p, 5, 2, PEER_PAGES(2), PEER_PAGES(2));
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, PEER_PAGES(2), PEER_PAGES(2));
	peer_returned(p, 3, 6, 1);
	/* A call on both halves is a call on each. */
	peer_expect(p, PROTO_COMMIT);
	ck_assert_uint_eq(p->message.commit.seal, 5);
	peer_done(p);
	peer_expect(p, PROTO_COMMIT);
	ck_assert_uint_eq(p->message.commit.seal, 6);
	ck_assert_uint_eq(p->message.commit.offset, PEER_PAGES(4));
	peer_done(p);
	/* The upper half alone. */
	peer_recall(p, 6, 2, 0, PEER_PAGES(100));
	peer_expect_answer(p, 6, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 6, 2, PEER_PAGES(4), PEER_PAGES(4));
	peer_returned(p, 3, 0, 0);
	peer_expect_return(p, 5, 3, 0, PEER_PAGES(2));
	peer_returned(p, 4, 0, 0);
	peer_expect_end(p);
}

static void count_returns(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m;
	if (event->type == MAPSEAL_EVENT_RETURNED)
		++*(int *)data;
}

START_TEST(test_middle_split)
{
	struct mapseal_seal *seal;
	struct mapseal *m;
	struct pollfd polled;
	int returns = 0;

	peer_start(&peer, script_parts);
	m = peer_connect(&peer, 0, count_returns, &returns);
	polled = (struct pollfd){ .fd = mapseal_get_fd(m), .events = POLLIN };
	seal = peer_acquire(m, 8, peer_return_it, NULL);
	while (returns < 1) {
		poll(&polled, 1, -1);
		ck_assert_int_eq(mapseal_dispatch(m), 0);
	}
	/* The rest is held, and may be used. */
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	ck_assert_int_eq(mapseal_enter(seal), 0);
	mapseal_exit(seal);
	ck_assert_int_eq(mapseal_commit(seal, PEER_PAGE, PEER_PAGES(2)), -ESTALE);
	ck_assert_int_eq(mapseal_commit(seal, 0, PEER_PAGES(2)), 0);
	ck_assert_int_eq(mapseal_commit(seal, PEER_PAGES(4), PEER_PAGE), 0);
	while (returns < 2) {
		poll(&polled, 1, -1);
		ck_assert_int_eq(mapseal_dispatch(m), 0);
	}
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	/* Over what is not there any more. */
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGES(8), 0), 0);
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_RETURNED);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGES(8), 0), -ESTALE);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* Posted when the supervisor has the RETURN, so that what is sent next comes after it. */
static sem_t return_seen;

static void script_commit_crosses(struct peer *p)
{
	uint32_t serial;

	peer_begin(p, 8);
	peer_recall(p, 5, 2, 0, PEER_PAGES(2));
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(2));
	serial = p->message.serial;
	sem_post(&return_seen);
	peer_expect(p, PROTO_COMMIT);
	ck_assert_uint_eq(p->message.commit.length, PEER_PAGES(8));
	peer_send(p, (struct proto_message){ .type = PROTO_RETURNED,
					     .serial = serial,
					     .returned = { .seal = 5, .seq = 3,
							   .length = PEER_PAGES(2) } });
	peer_refuse(p, PROTO_E_BAD_RANGE, "the range begins before the seal does");
	peer_expect(p, PROTO_COMMIT);
	peer_refuse(p, PROTO_E_BAD_RANGE, "and this one is in the wrong");
	peer_expect_return(p, 5, 3, PEER_PAGES(2), PEER_PAGES(6));
	peer_returned(p, 4, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_commit_crosses_a_return)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	sem_init(&return_seen, 0, 0);
	peer_start(&peer, script_commit_crosses);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = peer_acquire(m, 8, peer_return_it, NULL);
	while (sem_wait(&return_seen) < 0)
		;
	ck_assert_int_eq(mapseal_commit(seal, 0, PEER_PAGES(8)), -ESTALE);
	ck_assert_int_eq(mapseal_commit(seal, PEER_PAGES(2), PEER_PAGES(6)), -EINVAL);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* A caller's return splits what a handler is being asked for. */
static sem_t handler_runs, handler_may_end;

static void script_split_while_asking(struct peer *p)
{
	peer_begin(p, 8);
	peer_recall(p, 5, 2, 0, PEER_PAGES(8));
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, PEER_PAGES(2), PEER_PAGES(2));
	peer_returned(p, 3, 6, 1);
	peer_expect_return(p, 5, 3, 0, PEER_PAGES(2));
	peer_returned(p, 4, 0, 0);
	peer_expect_return(p, 6, 1, PEER_PAGES(4), PEER_PAGES(4));
	peer_returned(p, 2, 0, 0);
	peer_expect_end(p);
}

static enum mapseal_verdict return_slowly(struct mapseal_recall *recall, void *data)
{
	if (peer_handler_calls == 0) {
		sem_post(&handler_runs);
		while (sem_wait(&handler_may_end) < 0)
			;
	}
	return peer_return_it(recall, data);
}

START_TEST(test_split_while_the_handler_runs)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	sem_init(&handler_runs, 0, 0);
	sem_init(&handler_may_end, 0, 0);
	peer_start(&peer, script_split_while_asking);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = peer_acquire(m, 8, return_slowly, NULL);
	while (sem_wait(&handler_runs) < 0)
		;
	ck_assert_int_eq(mapseal_return(seal, PEER_PAGES(2), PEER_PAGES(2), 0), 0);
	sem_post(&handler_may_end);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, 1);
	/* for the upper half too, which the first call knew nothing of */
	ck_assert_int_eq(peer_handler_calls, 2);
	ck_assert_uint_eq(peer_handler_saw.offset, PEER_PAGES(4));
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static enum mapseal_verdict want_whole(struct mapseal_recall *recall, void *data)
{
	(void)data;
	recall->whole = true;
	return MAPSEAL_RETURN;
}

static void script_whole(struct peer *p)
{
	peer_begin(p, 8);
	peer_recall(p, 5, 2, PEER_PAGES(2), PEER_PAGES(2));
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(8));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_returning_more_than_asked)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_whole);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 8, want_whole, NULL);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* ---- messages that cross ----------------------------------------------------------------- */

static void script_old_seq(struct peer *p)
{
	peer_begin(p, 4);
	peer_recall(p, 5, 2, 0, PEER_PAGE);
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, 0, PEER_PAGE);
	/* Asked for more meanwhile. */
	peer_recall(p, 5, 3, 0, PEER_PAGES(4));
	peer_refuse(p, PROTO_E_OLD_SEQ, "seq 2, it is 3");
	peer_expect_answer(p, 5, 3, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 3, 0, PEER_PAGES(4));
	peer_returned(p, 4, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_old_seq_is_repeated)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_old_seq);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 4, peer_return_it, NULL);
	peer_wait_for(m, seal, MAPSEAL_RETURNED, _i);
	ck_assert_int_eq(peer_handler_calls, 2);
	ck_assert_uint_eq(peer_handler_saw.length, PEER_PAGES(4));
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* The refusal may overtake what it is about. */
static void script_old_seq_early(struct peer *p)
{
	peer_begin(p, 4);
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(4));
	peer_refuse(p, PROTO_E_OLD_SEQ, "seq 1, it is 2");
	peer_recall(p, 5, 2, 0, PEER_PAGE);
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(4));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_refusal_overtakes_the_recall)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_old_seq_early);
	m = peer_connect(&peer, 0, NULL, NULL);
	seal = peer_acquire(m, 4, peer_return_it, NULL);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGES(4), 0), 0);
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_RETURNED);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_own_old_seq(struct peer *p)
{
	peer_begin(p, 4);
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(4));
	peer_recall(p, 5, 2, 0, PEER_PAGES(4));
	peer_refuse(p, PROTO_E_OLD_SEQ, "seq 1, it is 2");
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(4));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_own_return_crosses_a_recall)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_own_old_seq);
	m = peer_connect(&peer, peer_flags(_i), NULL, NULL);
	seal = peer_acquire(m, 4, peer_return_it, NULL);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGES(4), 0), 0);
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_RETURNED);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_lapsed(struct peer *p)
{
	peer_begin(p, 4);
	peer_wait(p);
	peer_recall(p, 5, 2, 0, PEER_PAGES(4));
	peer_expect_answer(p, 5, 2, PROTO_ANSWER_OK);
	peer_wait(p);
	peer_send(p, (struct proto_message){ .type = PROTO_LAPSED,
					     .lapsed = { .seal = 5, .seq = 2 } });
	peer_expect_return(p, 5, 2, 0, PEER_PAGES(4));
	peer_returned(p, 3, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_lapsed_opens_the_gate)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_lapsed);
	m = peer_connect(&peer, 0, NULL, NULL);
	seal = peer_acquire(m, 4, peer_return_it, NULL);
	ck_assert_int_eq(mapseal_enter(seal), 0);
	peer_go(&peer);
	peer_dispatch_until(m, seal, MAPSEAL_RECALLED);
	peer_go(&peer);
	peer_dispatch_until(m, seal, MAPSEAL_HELD);
	mapseal_exit(seal);
	ck_assert_int_eq(mapseal_enter(seal), 0);
	mapseal_exit(seal);
	ck_assert_int_eq(peer_handler_calls, 0);
	mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("return");

	tcase_add_test(tc, test_middle_split);
	tcase_add_test(tc, test_commit_crosses_a_return);
	tcase_add_test(tc, test_split_while_the_handler_runs);
	tcase_add_loop_test(tc, test_returning_more_than_asked, 0, 2);
	tcase_add_loop_test(tc, test_old_seq_is_repeated, 0, 2);
	tcase_add_test(tc, test_refusal_overtakes_the_recall);
	tcase_add_loop_test(tc, test_own_return_crosses_a_recall, 0, 2);
	tcase_add_test(tc, test_lapsed_opens_the_gate);
	return peer_run(tc, true);
}
