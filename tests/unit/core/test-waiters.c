/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The line: who waits, for whom, in which order, and who is told instead of waiting. */

#include "tests/unit/core/core-test.h"

START_TEST(conflicting_acquire_is_a_break)
{
	uint64_t s = held(), a;
	struct core_command c;

	a = ask(holder(), 50, 150, CORE_READ);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.request, a);
	ck_assert_uint_eq(c.start, 50);
	none(CORE_CMD_GRANT);
	give_back(s, 50, 100);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, a);
	none(CORE_CMD_BREAK_READY);
	ck_assert_uint_eq(stats().waiters_served, 1);
}
END_TEST

START_TEST(waits_for_all)
{
	uint64_t a = seal(holder(), 0, 100, CORE_READ), b = seal(holder(), 0, 100, CORE_READ), w;

	pass(20);
	w = ask(holder(), 0, 100, CORE_WRITE);
	give_back(a, 0, 100);
	none(CORE_CMD_GRANT);
	give_back(b, 0, 100);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, w);
}
END_TEST

START_TEST(in_order_of_arrival)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), r[5];

	pass(20);
	for (int i = 0; i < 5; i++)
		r[i] = ask(holder(), 0, 100, CORE_WRITE);
	give_back(s, 0, 100);
	for (int i = 0; i < 5; i++) {
		struct core_command c = take(CORE_CMD_GRANT);

		ck_assert_uint_eq(c.request, r[i]);
		none(CORE_CMD_GRANT);
		pass(20);
		give_back(c.seal, 0, 100);
	}
}
END_TEST

START_TEST(those_who_share_go_together_in_order)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), r[5];

	pass(20);
	for (int i = 0; i < 5; i++)
		r[i] = ask(holder(), 0, 100, CORE_READ);
	give_back(s, 0, 100);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(take(CORE_CMD_GRANT).request, r[i]);
}
END_TEST

START_TEST(no_overtaking_a_waiting_conflict)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), w, r;
	struct core_command c;

	pass(20);
	w = ask(holder(), 0, 100, CORE_WRITE);
	/* It would get along with the seal, not with who came before. */
	r = ask(holder(), 0, 100, CORE_READ);
	none(CORE_CMD_GRANT);
	give_back(s, 0, 100);
	c = take(CORE_CMD_GRANT);
	ck_assert_uint_eq(c.request, w);
	none(CORE_CMD_GRANT);
	give_back(c.seal, 0, 100);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, r);
}
END_TEST

START_TEST(elsewhere_is_not_held_up)
{
	seal(holder(), 0, 100, CORE_READ);
	pass(20);
	ask(holder(), 0, 100, CORE_WRITE);
	seal(holder(), 100, 200, CORE_READ);
}
END_TEST

START_TEST(nothing_is_granted_during_an_overlapping_recall)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), d, r, other;

	pass(20);
	/* DIRECT READ gets along with the seal and with who waits for it, but not with the recall. */
	d = ask(holder(), 0, 100, CORE_WRITE, .kind = CORE_DIRECT);
	r = ask(holder(), 0, 100, CORE_READ, .kind = CORE_DIRECT);
	none(CORE_CMD_GRANT);
	other = brk(500, 600, .want = CORE_WANT_FOREIGN_WRITE);
	ready(other);
	give_back(s, 0, 100);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, d);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, r);
}
END_TEST

START_TEST(acquire_waits_for_running_break)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), b, a;

	pass(20);
	b = brk(0, 200, .want = CORE_WANT_FOREIGN_WRITE);
	a = ask(holder(), 150, 160, CORE_READ);
	none(CORE_CMD_GRANT);
	give_back(s, 0, 100);
	ready(b);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, a);
}
END_TEST

START_TEST(asked_holder_is_not_made_to_wait_for_itself)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_READ);
	uint32_t ms;

	pass(20);
	brk(0, 200);
	ck_assert_uint_eq(refused(ask(h, 50, 60, CORE_READ), CORE_E_RECALL_CONFLICT).blocker, s);
	/* Elsewhere under the same break as well. */
	refused(ask(h, 150, 160, CORE_READ), CORE_E_RECALL_CONFLICT);
	ck_assert_int_eq(answer(s, CORE_ANSWER_OK, 0, &ms), 0);
	refused(ask(h, 50, 60, CORE_READ), CORE_E_RETURN_CONFLICT);
	refused(ask(h, 150, 160, CORE_READ), CORE_E_RETURN_CONFLICT);
	/* What has nothing to do with it is granted. */
	seal(h, 300, 400, CORE_READ);
}
END_TEST

/* It was asked before one of its threads was held. */
START_TEST(nor_is_one_that_is_blocked_since)
{
	uint64_t h = holder_of(1), s = seal(h, 0, 100, CORE_READ);

	pass(20);
	brk(0, 200);
	take(CORE_CMD_RECALL);
	ck_assert_int_eq(give(s, 0, 100), 0);
	ck_assert_int_eq(take(CORE_CMD_FENCE).cause, CORE_CAUSE_RETURN);
	core_process_blocked(t.core, 1, true, t.now);
	refused(ask(h, 50, 60, CORE_READ), CORE_E_RETURN_CONFLICT);
	refused(ask(h, 150, 160, CORE_READ), CORE_E_RETURN_CONFLICT);
}
END_TEST

START_TEST(asked_by_an_acquire_is_the_same)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_READ);

	(void)s;
	ask(holder(), 0, 100, CORE_WRITE);
	/* Not even sent yet. */
	refused(ask(h, 0, 100, CORE_READ), CORE_E_RECALL_CONFLICT);
}
END_TEST

START_TEST(minimum_hold_stops_ping_pong)
{
	uint64_t a = holder(), b = holder(), s = seal(a, 0, 100, CORE_WRITE);

	for (int i = 0; i < 10; i++) {
		uint64_t r = ask(i % 2 ? a : b, 0, 100, CORE_WRITE);

		pass(19);
		none(CORE_CMD_RECALL);
		pass(1);
		take(CORE_CMD_RECALL);
		give_back(s, 0, 100);
		s = take(CORE_CMD_GRANT).seal;
		(void)r;
	}
}
END_TEST

START_TEST(later_grant_is_recalled_for_who_waits_behind)
{
	uint64_t s = held(), b;
	struct core_command c;

	ask(holder(), 0, 100, CORE_WRITE);
	b = brk(0, 100);
	forget();
	give_back(s, 0, 100);
	c = take(CORE_CMD_GRANT);
	none(CORE_CMD_BREAK_READY);
	pass(20);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, c.seal);
	give_back(c.seal, 0, 100);
	ck_assert_uint_eq(ready(b).n_account, 2);
}
END_TEST

START_TEST(bad_form_is_answered_directly)
{
	struct core_acquire a = { .holder = holder(), .object = t.object, .end = 1,
				  .mode = CORE_READ, .kind = CORE_WINDOW };
	struct core_acquire b = a;
	uint64_t id = 77;

	b.end = 0;
	ck_assert_int_eq(core_acquire(t.core, &b, t.now, &id), CORE_E_BAD_RANGE);
	b.start = 2, b.end = 1;
	ck_assert_int_eq(core_acquire(t.core, &b, t.now, &id), CORE_E_BAD_RANGE);
	b = a, b.holder = 999;
	ck_assert_int_eq(core_acquire(t.core, &b, t.now, &id), CORE_E_BAD_HOLDER);
	b = a, b.object = 999;
	ck_assert_int_eq(core_acquire(t.core, &b, t.now, &id), CORE_E_BAD_OBJECT);
	b = a, b.token = 999;
	ck_assert_int_eq(core_acquire(t.core, &b, t.now, &id), CORE_E_BAD_BREAK);
	ck_assert_uint_eq(id, 77);
	t_log();
	ck_assert_uint_eq(t.n_log, 0);
}
END_TEST

START_TEST(a_thousand_waiters_and_holders)
{
	static uint64_t seals[1000], reqs[200];
	struct core_command c;

	for (int i = 0; i < 1000; i++)
		seals[i] = seal(holder(), 0, 100, CORE_READ);
	pass(20);
	for (int i = 0; i < 200; i++)
		reqs[i] = ask(holder(), 0, 100, CORE_WRITE);
	ck_assert_uint_eq(stats().recalls, 1000);
	for (int i = 0; i < 1000; i++) {
		none(CORE_CMD_GRANT);
		ck_assert_int_eq(give(seals[i], 0, 100), 0);
		while (core_next_command(t.core, &c))
			if (c.type == CORE_CMD_FENCE)
				break;
		fence_done(c.job, CORE_FENCE_FENCED);
	}
	for (int i = 0; i < 200; i++) {
		c = take(CORE_CMD_GRANT);
		ck_assert_uint_eq(c.request, reqs[i]);
		give_back(c.seal, 0, 100);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("waiters");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, conflicting_acquire_is_a_break);
	tcase_add_test(tc, waits_for_all);
	tcase_add_test(tc, in_order_of_arrival);
	tcase_add_test(tc, those_who_share_go_together_in_order);
	tcase_add_test(tc, no_overtaking_a_waiting_conflict);
	tcase_add_test(tc, elsewhere_is_not_held_up);
	tcase_add_test(tc, nothing_is_granted_during_an_overlapping_recall);
	tcase_add_test(tc, acquire_waits_for_running_break);
	tcase_add_test(tc, asked_holder_is_not_made_to_wait_for_itself);
	tcase_add_test(tc, nor_is_one_that_is_blocked_since);
	tcase_add_test(tc, asked_by_an_acquire_is_the_same);
	tcase_add_test(tc, minimum_hold_stops_ping_pong);
	tcase_add_test(tc, later_grant_is_recalled_for_who_waits_behind);
	tcase_add_test(tc, bad_form_is_answered_directly);
	tcase_add_test(tc, a_thousand_waiters_and_holders);
	return core_run(s);
}
