/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Breaks that a guard makes for a thread which it holds in the kernel: what they pass, what they
 * are denied. */

#include "tests/unit/core/core-test.h"

static uint64_t stranger(uint64_t process, enum core_want want, unsigned int flags)
{
	return brk(0, 100, .process = process, .want = want, .flags = CORE_F_GUARD | flags);
}

START_TEST(own_layout_is_denied)
{
	seal(holder_of(1), 0, 100, CORE_READ);
	pass(20);
	refused(stranger(1, CORE_WANT_LAYOUT, 0), CORE_E_DENIED);
}
END_TEST

START_TEST(own_writing_takes_the_window)
{
	uint64_t own = seal(holder_of(1), 0, 100, CORE_READ), b;

	pass(20);
	b = stranger(1, CORE_WANT_FOREIGN_WRITE, 0);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, own);
	ready(b);
}
END_TEST

START_TEST(own_growth_beside_direct_is_denied)
{
	seal(holder_of(1), 0, 100, CORE_WRITE, .kind = CORE_DIRECT);
	pass(20);
	refused(stranger(1, CORE_WANT_FOREIGN_EXTEND, 0), CORE_E_DENIED);
	ready(stranger(1, CORE_WANT_FOREIGN_WRITE, 0));
}
END_TEST

START_TEST(others_layout_is_recalled)
{
	uint64_t other = seal(holder_of(2), 0, 100, CORE_READ);

	pass(20);
	stranger(1, CORE_WANT_LAYOUT, 0);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, other);
}
END_TEST

/* The thread can't try later, and what the hold keeps out are those who ask. */
START_TEST(a_hold_is_passed)
{
	uint64_t b = brk(0, 100, .holder = holder(), .hold_ms = 1000);

	ready(b);
	ready(stranger(0, CORE_WANT_LAYOUT, 0));
	refused(ask(holder(), 0, 100, CORE_READ), CORE_E_TRY_LATER);
}
END_TEST

START_TEST(a_seal_beside_a_hold_is_recalled_for_it)
{
	uint64_t b = brk(0, 50, .holder = holder(), .hold_ms = 100000), s;

	ready(b);
	s = seal(holder(), 50, 100, CORE_READ);
	pass(20);
	b = stranger(0, CORE_WANT_LAYOUT, 0);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, s);
	give_back(s, 50, 100);
	ready(b);
}
END_TEST

START_TEST(hard_denies)
{
	seal(holder(), 0, 100, CORE_READ, .flags = CORE_F_HARD);
	pass(20);
	refused(stranger(0, CORE_WANT_LAYOUT, 0), CORE_E_DENIED);
}
END_TEST

/* Behind a lease: better asked for than lost. */
START_TEST(hard_is_recalled_for_who_cant_be_denied)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ, .flags = CORE_F_HARD);

	pass(20);
	stranger(0, CORE_WANT_LAYOUT, CORE_F_UNDENIABLE);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, own_layout_is_denied);
	tcase_add_test(tc, own_writing_takes_the_window);
	tcase_add_test(tc, own_growth_beside_direct_is_denied);
	tcase_add_test(tc, others_layout_is_recalled);
	tcase_add_test(tc, a_hold_is_passed);
	tcase_add_test(tc, a_seal_beside_a_hold_is_recalled_for_it);
	tcase_add_test(tc, hard_denies);
	tcase_add_test(tc, hard_is_recalled_for_who_cant_be_denied);
	return core_run(s);
}
