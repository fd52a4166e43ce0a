/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The recall of one seal: when it is asked for, how far, and when nobody wants it any more. */

#include "tests/unit/core/core-test.h"

START_TEST(grant_has_seq_one)
{
	uint64_t s;
	struct core_command c;

	ask(holder(), 0, 100, CORE_WRITE, .flags = CORE_F_PINNABLE);
	c = take(CORE_CMD_GRANT);
	ck_assert_uint_eq(c.seq, 1);
	ck_assert_uint_eq(c.start, 0);
	ck_assert_uint_eq(c.end, 100);
	ck_assert_int_eq(c.mode, CORE_WRITE);
	ck_assert_int_eq(c.kind, CORE_WINDOW);
	ck_assert_uint_ne(c.window, 0);
	s = c.seal;
	ck_assert(view(s).pinnable);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	ck_assert_uint_eq(view(s).deadline, CORE_NEVER);
	ck_assert_uint_eq(view(s).recalled_by, 0);
}
END_TEST

START_TEST(recall_moves_seq_and_names_range)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), b;
	struct core_command c;

	pass(20);
	b = brk(50, 200, .flags = CORE_F_MAP_WILL_CHANGE);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.seal, s);
	ck_assert_uint_eq(c.seq, 2);
	ck_assert_uint_eq(c.request, b);
	ck_assert_uint_eq(c.start, 50);
	ck_assert_uint_eq(c.end, 100);
	ck_assert(c.map_will_change);
	ck_assert_int_eq(c.scope, CORE_SCOPE_RANGE);
	ck_assert_int_eq(view(s).state, CORE_SEAL_RECALLED);
	ck_assert_uint_eq(view(s).recalled_by, b);
	none(CORE_CMD_BREAK_READY);
}
END_TEST

START_TEST(map_stays_unless_said)
{
	seal(holder(), 0, 100, CORE_READ);
	pass(20);
	brk(0, 100);
	ck_assert(!take(CORE_CMD_RECALL).map_will_change);
}
END_TEST

START_TEST(minimum_hold_delays_recall)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ);

	pass(5);
	brk(0, 100);
	none(CORE_CMD_RECALL);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	ck_assert_uint_eq(core_next_deadline(t.core), t.now + 15 * MS);
	pass(14);
	none(CORE_CMD_RECALL);
	pass(1);
	take(CORE_CMD_RECALL);
}
END_TEST

START_TEST(return_before_recall_is_enough)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), b = brk(0, 100);

	give_back(s, 0, 100);
	ready(b);
	pass(100);
	none(CORE_CMD_RECALL);
}
END_TEST

START_TEST(second_break_joins)
{
	uint64_t a, s = recalled(&a), b, deadline;

	deadline = take(CORE_CMD_RECALL).deadline;
	pass(1000);
	b = brk(20, 30);
	none(CORE_CMD_RECALL);
	ck_assert_uint_eq(view(s).deadline, deadline);
	pass(1000);
	fence(CORE_CAUSE_REVOKE);
	ready(a);
	ready(b);
}
END_TEST

START_TEST(wider_break_asks_again_for_hull)
{
	uint64_t s = held(), deadline;
	struct core_command c;
	uint32_t ms;

	brk(10, 20);
	deadline = take(CORE_CMD_RECALL).deadline;
	ck_assert_int_eq(answer(s, CORE_ANSWER_OK, 0, &ms), 0);
	pass(100);
	brk(50, 60);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.seq, 3);
	ck_assert_uint_eq(c.start, 10);
	ck_assert_uint_eq(c.end, 60);
	ck_assert_uint_eq(c.deadline, deadline);
	ck_assert_int_eq(core_answer(t.core, c.holder, s, 2, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_OLD_SEQ);
	ck_assert_int_eq(answer(s, CORE_ANSWER_OK, 0, &ms), 0);
}
END_TEST

START_TEST(recall_lapses_with_its_last_break)
{
	uint64_t a, s = recalled(&a), b;
	uint32_t ms;

	b = brk(0, 50);
	ck_assert_int_eq(answer(s, CORE_ANSWER_OK, 0, &ms), 0);
	ck_assert_int_eq(core_withdraw(t.core, a, t.now), 0);
	none(CORE_CMD_LAPSED);
	ck_assert_uint_eq(view(s).recalled_by, b);
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), 0);
	ck_assert_uint_eq(take(CORE_CMD_LAPSED).seal, s);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	ck_assert_uint_eq(view(s).deadline, CORE_NEVER);
	pass(20000);
	none(CORE_CMD_FENCE);
	/* Usable as before: it can be recalled again, from the start. */
	brk(0, 100);
	ck_assert_uint_eq(view(s).deadline, t.now + 2000 * MS);
}
END_TEST

START_TEST(lapse_before_asking_is_silent)
{
	uint64_t b;

	seal(holder(), 0, 100, CORE_WRITE);
	b = brk(0, 100);
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), 0);
	none(CORE_CMD_LAPSED);
	pass(100);
	none(CORE_CMD_RECALL);
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
}
END_TEST

START_TEST(seq_wraps_to_one)
{
	struct core_config config = { .first_seq = UINT32_MAX };
	uint64_t s;
	uint32_t ms;

	teardown();
	setup_config(&config);
	s = seal(holder(), 0, 100, CORE_WRITE);
	ck_assert_uint_eq(view(s).seq, UINT32_MAX);
	pass(20);
	brk(0, 100);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seq, 1);
	ck_assert_int_eq(core_answer(t.core, view(s).holder, s, UINT32_MAX, CORE_ANSWER_OK, 0,
				     t.now, &ms),
			 CORE_E_OLD_SEQ);
	ck_assert_int_eq(core_answer(t.core, view(s).holder, s, 1, CORE_ANSWER_OK, 0, t.now, &ms),
			 0);
	ck_assert_uint_eq(stats().seq_wraps, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("recall");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, grant_has_seq_one);
	tcase_add_test(tc, recall_moves_seq_and_names_range);
	tcase_add_test(tc, map_stays_unless_said);
	tcase_add_test(tc, minimum_hold_delays_recall);
	tcase_add_test(tc, return_before_recall_is_enough);
	tcase_add_test(tc, second_break_joins);
	tcase_add_test(tc, wider_break_asks_again_for_hull);
	tcase_add_test(tc, recall_lapses_with_its_last_break);
	tcase_add_test(tc, lapse_before_asking_is_silent);
	tcase_add_test(tc, seq_wraps_to_one);
	return core_run(s);
}
