/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The no-deadlock rules about windows: transparent seals, the order within one process, processes
 * that a guard holds.
 */

#include "tests/unit/core/core-test.h"

#define TRANSPARENT .flags = CORE_F_TRANSPARENT

START_TEST(transparent_is_fenced_not_asked)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE, TRANSPARENT), b;
	struct core_command c;

	pass(20);
	b = brk(10, 20, .hold_ms = 50);
	none(CORE_CMD_RECALL);
	c = fence(CORE_CAUSE_PARK);
	ck_assert_uint_eq(c.start, 0);
	ck_assert_uint_eq(c.end, 100);
	ck_assert_int_eq(view(s).state, CORE_SEAL_PARKED);
	c = ready(b);
	ck_assert_int_eq(c.account[0].result, CORE_RESULT_PARKED);
	/* Nobody asked it, but whoever looks at its state may know. */
	c = take(CORE_CMD_REVOKED);
	ck_assert_uint_eq(c.cause, CORE_CAUSE_PARK);
	none(CORE_CMD_REGRANT);
	pass(50);
	c = take(CORE_CMD_REGRANT);
	ck_assert_uint_eq(c.seal, s);
	ck_assert_uint_eq(c.seq, 2);
	ck_assert_uint_eq(stats().parks, 1);
	ck_assert_uint_eq(stats().regrants, 1);
	ck_assert_uint_eq(stats().revocations, 0);
}
END_TEST

START_TEST(transparent_has_its_minimum_hold)
{
	seal(holder(), 0, 100, CORE_WRITE, TRANSPARENT);
	brk(0, 100);
	none(CORE_CMD_FENCE);
	pass(19);
	none(CORE_CMD_FENCE);
	pass(1);
	fence(CORE_CAUSE_PARK);
}
END_TEST

START_TEST(granted_again_after_a_break_without_hold)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE, TRANSPARENT), b;

	pass(20);
	b = brk(0, 100);
	fence(CORE_CAUSE_PARK);
	ready(b);
	ck_assert_uint_eq(take(CORE_CMD_REGRANT).seal, s);
}
END_TEST

START_TEST(parked_wait_in_line)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE, TRANSPARENT), a, before, after, b;
	struct core_command c;

	pass(20);
	b = brk(0, 100, .hold_ms = 1000);
	before = ask(holder(), 0, 50, CORE_WRITE);
	fence(CORE_CAUSE_PARK);
	ready(b);
	(void)s;
	a = brk(200, 300);
	ready(a);
	pass(1000);
	/* Asked before the seal parked: goes first. */
	c = take(CORE_CMD_GRANT);
	ck_assert_uint_eq(c.request, before);
	none(CORE_CMD_REGRANT);
	after = ask(holder(), 60, 70, CORE_WRITE);
	none(CORE_CMD_GRANT);
	pass(20);
	give_back(c.seal, 0, 50);
	take(CORE_CMD_REGRANT);
	none(CORE_CMD_GRANT);
	pass(20);
	fence(CORE_CAUSE_PARK);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, after);
}
END_TEST

START_TEST(parked_stands_in_nobodys_way)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE, TRANSPARENT), token;

	pass(20);
	brk(0, 100, .hold_ms = 1000);
	fence(CORE_CAUSE_PARK);
	token = take(CORE_CMD_BREAK_READY).token;
	seal(holder(), 0, 100, CORE_WRITE, .token = token);
	none(CORE_CMD_FENCE);
	ck_assert_int_eq(view(s).state, CORE_SEAL_PARKED);
}
END_TEST

START_TEST(parked_before_a_hard_seal_ends)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE, TRANSPARENT), hard;

	pass(20);
	hard = ask(holder(), 0, 100, CORE_WRITE, .flags = CORE_F_HARD);
	fence(CORE_CAUSE_PARK);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, hard);
	take(CORE_CMD_REVOKED);
	ck_assert_uint_eq(take(CORE_CMD_SEAL_ENDED).seal, s);
	ck_assert(!exists(s));
}
END_TEST

START_TEST(cooperative_ones_of_the_process_come_first)
{
	uint64_t coop = seal(holder_of(1), 0, 100, CORE_WRITE);
	uint64_t trans = seal(holder_of(1), 100, 200, CORE_WRITE, TRANSPARENT), b;

	pass(20);
	b = brk(0, 200);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, coop);
	none(CORE_CMD_FENCE);
	ck_assert_int_eq(view(trans).state, CORE_SEAL_HELD);
	ck_assert_int_eq(give(coop, 0, 100), 0);
	/* Said, but not done. */
	ck_assert_uint_eq(take(CORE_CMD_FENCE).seal, coop);
	none(CORE_CMD_FENCE);
	fence_done(t.log[t.n_log - 1].command.job, CORE_FENCE_FENCED);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, trans);
	ready(b);
}
END_TEST

START_TEST(also_in_the_other_order_of_ranges)
{
	uint64_t trans = seal(holder_of(1), 0, 100, CORE_WRITE, TRANSPARENT);
	uint64_t coop = seal(holder_of(1), 100, 200, CORE_WRITE);

	pass(20);
	brk(0, 200);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, coop);
	none(CORE_CMD_FENCE);
	give_back(coop, 100, 200);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, trans);
}
END_TEST

START_TEST(cooperative_ones_of_any_break_count)
{
	uint64_t o2 = new_object(9, NULL), coop, trans;

	coop = seal(holder_of(1), 0, 100, CORE_WRITE, .object = o2);
	trans = seal(holder_of(1), 0, 100, CORE_WRITE, TRANSPARENT);
	pass(20);
	brk(0, 100, .object = o2);
	brk(0, 100);
	none(CORE_CMD_FENCE);
	pass(2000);
	/* Revoked is as good as returned, once it is fenced. */
	ck_assert_uint_eq(fence(CORE_CAUSE_REVOKE).seal, coop);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, trans);
}
END_TEST

START_TEST(a_lapsed_recall_is_not_waited_for)
{
	uint64_t o2 = new_object(9, NULL), b;

	seal(holder_of(1), 0, 100, CORE_WRITE, .object = o2);
	seal(holder_of(1), 0, 100, CORE_WRITE, TRANSPARENT);
	pass(20);
	b = brk(0, 100, .object = o2);
	brk(0, 100);
	none(CORE_CMD_FENCE);
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), 0);
	fence(CORE_CAUSE_PARK);
}
END_TEST

START_TEST(other_processes_do_not_count)
{
	uint64_t trans;

	seal(holder_of(1), 0, 100, CORE_WRITE);
	trans = seal(holder_of(2), 100, 200, CORE_WRITE, TRANSPARENT);
	pass(20);
	brk(0, 200);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, trans);
}
END_TEST

START_TEST(waiting_for_cooperative_ones_is_bounded)
{
	struct core_policy slow = { .deadline_ms = 60000, .hard_ms = 60000, .hold_ms = 1,
				    .fence_ms = 1 };
	uint64_t o2 = new_object(9, &slow);

	seal(holder_of(1), 0, 100, CORE_WRITE, .object = o2);
	seal(holder_of(1), 0, 100, CORE_WRITE, TRANSPARENT);
	pass(20);
	brk(0, 100, .object = o2);
	brk(0, 100);
	pass(9999);
	none(CORE_CMD_FENCE);
	pass(1);
	fence(CORE_CAUSE_PARK);
}
END_TEST

/* ---- a process that a guard holds -------------------------------------------------------- */

START_TEST(blocked_process_is_not_asked)
{
	uint64_t s = seal(holder_of(1), 0, 100, CORE_WRITE), b;

	pass(20);
	core_process_blocked(t.core, 1, true, t.now);
	b = brk(0, 100);
	none(CORE_CMD_RECALL);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, s);
	ck_assert_int_eq(ready(b).account[0].result, CORE_RESULT_PARKED);
	take(CORE_CMD_REGRANT);
}
END_TEST

START_TEST(blocking_ends_a_running_recall)
{
	uint64_t s = seal(holder_of(1), 0, 100, CORE_WRITE), b;

	pass(20);
	b = brk(0, 100);
	take(CORE_CMD_RECALL);
	core_process_blocked(t.core, 1, true, t.now);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, s);
	/* It was asked, so it is told. */
	take(CORE_CMD_REVOKED);
	ready(b);
	take(CORE_CMD_REGRANT);
}
END_TEST

START_TEST(blocked_goes_before_the_order_within_a_process)
{
	uint64_t coop = seal(holder_of(1), 0, 100, CORE_WRITE, .kind = CORE_DIRECT);
	uint64_t trans = seal(holder_of(1), 100, 200, CORE_WRITE, TRANSPARENT);

	pass(20);
	brk(0, 200);
	none(CORE_CMD_FENCE);
	core_process_blocked(t.core, 1, true, t.now);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, trans);
	/* DIRECT can't be fenced without its holder. */
	none(CORE_CMD_FENCE);
	ck_assert_int_eq(view(coop).state, CORE_SEAL_RECALLED);
}
END_TEST

START_TEST(blocking_nests)
{
	uint64_t s = seal(holder_of(1), 0, 100, CORE_WRITE);

	pass(20);
	core_process_blocked(t.core, 1, true, t.now);
	core_process_blocked(t.core, 1, true, t.now);
	core_process_blocked(t.core, 1, false, t.now);
	brk(0, 100);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, s);
	forget();
	core_process_blocked(t.core, 1, false, t.now);
	core_process_blocked(t.core, 1, false, t.now);
	pass(20);
	brk(0, 100);
	take(CORE_CMD_RECALL);
	none(CORE_CMD_FENCE);
}
END_TEST

START_TEST(blocked_before_it_has_seals)
{
	core_process_blocked(t.core, 55, true, t.now);
	seal(holder_of(55), 0, 100, CORE_WRITE);
	pass(20);
	brk(0, 100);
	fence(CORE_CAUSE_PARK);
}
END_TEST

START_TEST(guard_break_blocks_its_process)
{
	uint64_t own = seal(holder_of(1), 0, 100, CORE_WRITE);
	uint64_t other = seal(holder_of(2), 100, 200, CORE_WRITE), b;

	pass(20);
	b = brk(0, 200, .process = 1, .flags = CORE_F_GUARD,
		.want = CORE_WANT_FOREIGN_WRITE);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, other);
	ck_assert_uint_eq(fence(CORE_CAUSE_PARK).seal, own);
	give_back(other, 100, 200);
	ready(b);
	ck_assert_uint_eq(take(CORE_CMD_REGRANT).seal, own);
	/* Over with the break. */
	pass(20);
	brk(0, 100);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, own);
}
END_TEST

START_TEST(withdrawn_guard_break_unblocks)
{
	uint64_t own, b;

	own = seal(holder_of(1), 0, 100, CORE_WRITE);
	seal(holder_of(2), 100, 200, CORE_WRITE);
	pass(20);
	b = brk(100, 200, .process = 1, .flags = CORE_F_GUARD);
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), 0);
	forget();
	brk(0, 100);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, own);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("deadlock");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, transparent_is_fenced_not_asked);
	tcase_add_test(tc, transparent_has_its_minimum_hold);
	tcase_add_test(tc, granted_again_after_a_break_without_hold);
	tcase_add_test(tc, parked_wait_in_line);
	tcase_add_test(tc, parked_stands_in_nobodys_way);
	tcase_add_test(tc, parked_before_a_hard_seal_ends);
	tcase_add_test(tc, cooperative_ones_of_the_process_come_first);
	tcase_add_test(tc, also_in_the_other_order_of_ranges);
	tcase_add_test(tc, cooperative_ones_of_any_break_count);
	tcase_add_test(tc, a_lapsed_recall_is_not_waited_for);
	tcase_add_test(tc, other_processes_do_not_count);
	tcase_add_test(tc, waiting_for_cooperative_ones_is_bounded);
	tcase_add_test(tc, blocked_process_is_not_asked);
	tcase_add_test(tc, blocking_ends_a_running_recall);
	tcase_add_test(tc, blocked_goes_before_the_order_within_a_process);
	tcase_add_test(tc, blocking_nests);
	tcase_add_test(tc, blocked_before_it_has_seals);
	tcase_add_test(tc, guard_break_blocks_its_process);
	tcase_add_test(tc, withdrawn_guard_break_unblocks);
	return core_run(s);
}
