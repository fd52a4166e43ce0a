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

static void hold_over(struct core_command hold)
{
	ck_assert_int_eq(core_break_end(t.core, hold.holder, hold.request, hold.token, t.now), 0);
}

static uint64_t stranger_at(uint64_t start, uint64_t end)
{
	return brk(start, end, .process = 1, .flags = CORE_F_GUARD);
}

/* A transparent window on [0, 200), fenced for a hold on [0, 100), behind which it waits. */
static uint64_t parked(struct core_command *ret_hold)
{
	uint64_t s = seal(holder(), 0, 200, CORE_WRITE, .flags = CORE_F_TRANSPARENT), b;

	pass(20);
	b = brk(0, 100, .holder = holder(), .hold_ms = 1000);
	fence(CORE_CAUSE_PARK);
	*ret_hold = ready(b);
	ck_assert_int_eq(view(s).state, CORE_SEAL_PARKED);
	return s;
}

START_TEST(who_is_parked_behind_a_hold_is_passed)
{
	struct core_command h;
	uint64_t s = parked(&h);

	ready(stranger_at(100, 200));
	ready(stranger_at(50, 150));
	none(CORE_CMD_REGRANT);
	hold_over(h);
	ck_assert_uint_eq(take(CORE_CMD_REGRANT).seal, s);
}
END_TEST

START_TEST(who_waits_for_one_who_waits_for_a_hold_is_passed)
{
	struct core_command h;
	uint64_t s = parked(&h), a = ask(holder(), 150, 300, CORE_WRITE);

	ready(stranger_at(200, 300));
	none(CORE_CMD_GRANT);
	hold_over(h);
	ck_assert_uint_eq(take(CORE_CMD_REGRANT).seal, s);
	none(CORE_CMD_GRANT);
	pass(20);
	fence(CORE_CAUSE_PARK);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, a);
}
END_TEST

/* Until then it could have been their turn first. */
START_TEST(those_in_line_are_passed_when_the_hold_begins)
{
	uint64_t s = held(), b, first, g;

	b = brk(0, 100, .holder = holder(), .hold_ms = 1000);
	first = ask(holder(), 50, 200, CORE_WRITE);
	ask(holder(), 150, 300, CORE_WRITE);
	g = stranger_at(250, 300);
	none(CORE_CMD_BREAK_READY);
	give_back(s, 0, 100);
	ready(b);
	ready(g);
	none(CORE_CMD_GRANT);
	pass(1000);
	take(CORE_CMD_BREAK_EXPIRED);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, first);
	none(CORE_CMD_GRANT);
}
END_TEST

START_TEST(those_who_come_to_wait_for_a_hold_are_passed)
{
	uint64_t s = held(), other = seal(holder(), 100, 200, CORE_WRITE), b, first, g;

	pass(20);
	b = brk(0, 100, .holder = holder(), .hold_ms = 1000);
	first = ask(holder(), 100, 200, CORE_WRITE);
	ask(holder(), 50, 250, CORE_WRITE);
	g = stranger_at(200, 250);
	give_back(s, 0, 100);
	ready(b);
	/* The second stands behind the first so far. */
	none(CORE_CMD_BREAK_READY);
	give_back(other, 100, 200);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, first);
	ready(g);
	none(CORE_CMD_GRANT);
}
END_TEST

/* A flush takes as long as the disk does. */
START_TEST(who_reads_is_passed)
{
	uint64_t s = held(), r = brk(0, 200, .want = CORE_WANT_FOREIGN_READ), a, job;

	job = take(CORE_CMD_FLUSH).job;
	ready(stranger_at(100, 200));
	a = ask(holder(), 150, 300, CORE_WRITE);
	ready(stranger_at(250, 300));
	none(CORE_CMD_GRANT);
	core_flushed(t.core, job, 0, t.now);
	ready(r);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, a);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
}
END_TEST

/* The hold that kept both is over; the read still keeps one. */
START_TEST(whom_a_read_keeps_is_passed_when_the_hold_is_over)
{
	uint64_t s = held(), b, r, job;

	seal(holder(), 200, 300, CORE_WRITE);
	b = brk(0, 100, .holder = holder(), .hold_ms = 1000);
	r = brk(50, 400, .want = CORE_WANT_FOREIGN_READ);
	ask(holder(), 350, 500, CORE_WRITE);
	give_back(s, 0, 100);
	ready(b);
	none(CORE_CMD_FLUSH);
	ready(stranger_at(450, 500));
	pass(1000);
	job = take(CORE_CMD_FLUSH).job;
	ready(stranger_at(450, 500));
	none(CORE_CMD_GRANT);
	core_flushed(t.core, job, 0, t.now);
	ready(r);
	take(CORE_CMD_GRANT);
}
END_TEST

/* Or there would be a seal in the way of it at any time, for as long as there are holds. */
START_TEST(no_token_overtakes_it)
{
	struct core_command h = ready(brk(0, 100, .holder = holder(), .hold_ms = 30000)), later;
	uint64_t s = seal(holder(), 0, 100, CORE_READ, .token = h.token), g;

	pass(20);
	g = stranger_at(0, 100);
	take(CORE_CMD_RECALL);
	ck_assert_uint_eq(refused(ask(holder(), 50, 150, CORE_READ, .token = h.token),
				  CORE_E_TRY_LATER).blocking_break, g);
	refused(brk(50, 150, .token = h.token), CORE_E_TRY_LATER);
	/* Elsewhere it is in nobody's way. */
	ready(brk(100, 150, .token = h.token));
	seal(holder(), 100, 150, CORE_READ, .token = h.token);
	later = refused(ask(holder(), 50, 100, CORE_READ, .token = h.token,
			    .flags = CORE_F_NO_WAIT | CORE_F_WANT_AVAIL), CORE_E_TRY_LATER);
	none(CORE_CMD_AVAIL);
	give_back(s, 0, 100);
	ready(g);
	ck_assert_uint_eq(take(CORE_CMD_AVAIL).request, later.request);
	seal(holder(), 0, 100, CORE_READ, .token = h.token);
}
END_TEST

START_TEST(whose_turn_it_is_is_not_passed)
{
	uint64_t s = held(), mine, g;

	ask(holder(), 0, 200, CORE_WRITE);
	g = stranger_at(100, 200);
	give_back(s, 0, 100);
	mine = take(CORE_CMD_GRANT).seal;
	none(CORE_CMD_BREAK_READY);
	pass(20);
	give_back(mine, 0, 200);
	ready(g);
}
END_TEST

/* With the hold's end it is the turn of who came first again, however many have passed. */
START_TEST(who_was_passed_loses_no_turn)
{
	uint64_t other = seal(holder(), 200, 300, CORE_READ), s, g;
	struct core_command h;

	s = parked(&h);
	for (int i = 0; i < 100; i++)
		ready(stranger_at(100, 200));
	g = stranger_at(100, 300);
	hold_over(h);
	ck_assert_uint_eq(take(CORE_CMD_REGRANT).seal, s);
	give_back(other, 200, 300);
	none(CORE_CMD_BREAK_READY);
	/* It has its minimum hold, too. */
	pass(19);
	none(CORE_CMD_FENCE);
	pass(1);
	fence(CORE_CAUSE_PARK);
	ready(g);
	ck_assert_uint_eq(take(CORE_CMD_REGRANT).seal, s);
}
END_TEST

START_TEST(whom_the_hold_kept_is_not_passed_when_it_is_over)
{
	struct core_command h;
	uint64_t s = parked(&h), second, g;

	ask(holder(), 150, 300, CORE_WRITE);
	second = ask(holder(), 250, 400, CORE_WRITE);
	hold_over(h);
	ck_assert_uint_eq(take(CORE_CMD_REGRANT).seal, s);
	/* Behind the second, who is behind the first, who waits for a seal. */
	g = stranger_at(350, 400);
	none(CORE_CMD_BREAK_READY);
	ck_assert_int_eq(core_withdraw(t.core, second, t.now), 0);
	ready(g);
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
	tcase_add_test(tc, who_is_parked_behind_a_hold_is_passed);
	tcase_add_test(tc, who_waits_for_one_who_waits_for_a_hold_is_passed);
	tcase_add_test(tc, those_in_line_are_passed_when_the_hold_begins);
	tcase_add_test(tc, those_who_come_to_wait_for_a_hold_are_passed);
	tcase_add_test(tc, who_reads_is_passed);
	tcase_add_test(tc, whom_a_read_keeps_is_passed_when_the_hold_is_over);
	tcase_add_test(tc, no_token_overtakes_it);
	tcase_add_test(tc, whose_turn_it_is_is_not_passed);
	tcase_add_test(tc, who_was_passed_loses_no_turn);
	tcase_add_test(tc, whom_the_hold_kept_is_not_passed_when_it_is_over);
	tcase_add_test(tc, a_seal_beside_a_hold_is_recalled_for_it);
	tcase_add_test(tc, hard_denies);
	tcase_add_test(tc, hard_is_recalled_for_who_cant_be_denied);
	return core_run(s);
}
