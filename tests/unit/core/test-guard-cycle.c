/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cycles of DIRECT seals among processes that guards hold: the younger break is denied. */

#include "tests/unit/core/core-test.h"

/* Process @p holds [p * 100, p * 100 + 100). */
static uint64_t direct(uint64_t p)
{
	return seal(holder_of(p), p * 100, p * 100 + 100, CORE_WRITE, .kind = CORE_DIRECT);
}

/* A thread of @p, held by a guard, wants what @q holds. */
static uint64_t guard(uint64_t p, uint64_t q)
{
	return brk(q * 100, q * 100 + 100, .process = p, .flags = CORE_F_GUARD);
}

START_TEST(two_processes)
{
	uint64_t a = direct(1), b = direct(2), first, second;

	pass(20);
	first = guard(1, 2);
	second = guard(2, 1);
	refused(second, CORE_E_DEADLOCK);
	/* Nothing was recalled for it. */
	ck_assert_int_eq(view(a).state, CORE_SEAL_HELD);
	none(CORE_CMD_LAPSED);
	ck_assert_int_eq(view(b).state, CORE_SEAL_RECALLED);
	give_back(b, 200, 300);
	ready(first);
	ck_assert_uint_eq(stats().deadlocks_denied, 1);
}
END_TEST

START_TEST(three_processes)
{
	direct(1), direct(2), direct(3);
	pass(20);
	guard(1, 2);
	guard(2, 3);
	none(CORE_CMD_REFUSE);
	refused(guard(3, 1), CORE_E_DEADLOCK);
}
END_TEST

START_TEST(own_seal)
{
	direct(1);
	pass(20);
	refused(guard(1, 1), CORE_E_DENIED);
}
END_TEST

START_TEST(a_chain_is_no_cycle)
{
	direct(1), direct(2), direct(3), direct(4);
	pass(20);
	guard(1, 2);
	guard(2, 3);
	guard(3, 4);
	guard(1, 4);
	none(CORE_CMD_REFUSE);
}
END_TEST

START_TEST(windows_are_no_part_of_it)
{
	direct(1);
	seal(holder_of(2), 200, 300, CORE_WRITE);
	pass(20);
	guard(1, 2);
	guard(2, 1);
	none(CORE_CMD_REFUSE);
}
END_TEST

START_TEST(only_guards_hold_a_process)
{
	direct(1), direct(2);
	pass(20);
	brk(200, 300, .process = 1);
	guard(2, 1);
	none(CORE_CMD_REFUSE);
}
END_TEST

START_TEST(the_session_names_its_process)
{
	uint64_t h = holder_of(2);

	direct(1), direct(2);
	pass(20);
	guard(1, 2);
	refused(brk(100, 200, .holder = h, .flags = CORE_F_GUARD), CORE_E_DEADLOCK);
}
END_TEST

START_TEST(what_is_back_no_longer_counts)
{
	uint64_t b;

	direct(1);
	b = direct(2);
	pass(20);
	guard(1, 2);
	give_back(b, 200, 300);
	guard(2, 1);
	none(CORE_CMD_REFUSE);
}
END_TEST

START_TEST(cycle_closed_by_a_later_grant)
{
	uint64_t a, b, first, second, w;

	/* The first break waits behind an acquire of process 2, the second one for process 1. */
	a = direct(1);
	b = seal(holder_of(3), 200, 300, CORE_WRITE);
	pass(20);
	w = ask(holder_of(2), 200, 300, CORE_READ, .kind = CORE_DIRECT);
	first = guard(1, 2);
	second = guard(2, 1);
	none(CORE_CMD_REFUSE);
	give_back(b, 200, 300);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, w);
	/* The older one found out; the younger one is denied all the same. */
	refused(second, CORE_E_DEADLOCK);
	none(CORE_CMD_REFUSE);
	ck_assert_int_eq(view(a).state, CORE_SEAL_HELD);
	(void)first;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard-cycle");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, two_processes);
	tcase_add_test(tc, three_processes);
	tcase_add_test(tc, own_seal);
	tcase_add_test(tc, a_chain_is_no_cycle);
	tcase_add_test(tc, windows_are_no_part_of_it);
	tcase_add_test(tc, only_guards_hold_a_process);
	tcase_add_test(tc, the_session_names_its_process);
	tcase_add_test(tc, what_is_back_no_longer_counts);
	tcase_add_test(tc, cycle_closed_by_a_later_grant);
	return core_run(s);
}
