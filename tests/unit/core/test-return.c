/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Returns: of the whole, of a part, of the middle; what is left, what fails, what is progress. */

#include "tests/unit/core/core-test.h"

START_TEST(return_is_checked)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE);

	ck_assert_int_eq(core_return(t.core, h, s, 1, 5, 5, false, t.now), CORE_E_BAD_RANGE);
	ck_assert_int_eq(core_return(t.core, h, s, 1, 100, 200, false, t.now), CORE_E_BAD_RANGE);
	ck_assert_int_eq(core_return(t.core, h, s, 2, 0, 10, false, t.now), CORE_E_BAD_SEAL);
	ck_assert_int_eq(core_return(t.core, 0, s, 1, 0, 10, false, t.now), CORE_E_BAD_HOLDER);
	ck_assert_int_eq(core_return(t.core, holder(), s, 1, 0, 10, false, t.now), CORE_E_BAD_SEAL);
	pass(20);
	brk(0, 100);
	ck_assert_int_eq(core_return(t.core, h, s, 1, 0, 10, false, t.now), CORE_E_OLD_SEQ);
	none(CORE_CMD_FENCE);
	ck_assert_int_eq(core_return(t.core, h, s, 2, 0, 10, true, t.now), 0);
	ck_assert(take(CORE_CMD_FENCE).discard);
	ck_assert_int_eq(core_return(t.core, h, s, 2, 50, 60, false, t.now), CORE_E_STATE);
}
END_TEST

START_TEST(return_is_clipped)
{
	uint64_t s = seal(holder(), 10, 100, CORE_WRITE);
	struct core_command c;

	ck_assert_int_eq(give(s, 0, 50), 0);
	c = take(CORE_CMD_FENCE);
	ck_assert_uint_eq(c.start, 10);
	ck_assert_uint_eq(c.end, 50);
}
END_TEST

START_TEST(range_is_free_only_when_fenced)
{
	uint64_t s = held(), b;
	struct core_command c;

	b = brk(0, 50);
	ck_assert_int_eq(give(s, 0, 50), 0);
	ck_assert_uint_eq(view(s).start, 0);
	ck_assert_int_eq(view(s).state, CORE_SEAL_RECALLED);
	none(CORE_CMD_BREAK_READY);
	c = take(CORE_CMD_FENCE);
	fence_done(c.job, CORE_FENCE_FENCED);
	c = take(CORE_CMD_RETURNED);
	ck_assert_int_eq(c.error, 0);
	ck_assert_uint_eq(c.seq, 3);
	ck_assert_uint_eq(c.split_seal, 0);
	ck_assert_uint_eq(view(s).start, 50);
	ck_assert_uint_eq(view(s).seq, 3);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	ready(b);
	none(CORE_CMD_LAPSED);
	none(CORE_CMD_SEAL_ENDED);
	pass(5000);
	none(CORE_CMD_FENCE);
}
END_TEST

START_TEST(whole_return_ends_seal)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);

	ck_assert_int_eq(give(s, 0, CORE_INFINITY), 0);
	ck_assert_int_eq(view(s).state, CORE_SEAL_FENCING);
	ck_assert_int_eq(give(s, 0, 100), CORE_E_STATE);
	fence(CORE_CAUSE_RETURN);
	ck_assert_uint_eq(take(CORE_CMD_RETURNED).seq, 2);
	ck_assert_uint_eq(take(CORE_CMD_SEAL_ENDED).seal, s);
	ck_assert(!exists(s));
	ck_assert_uint_eq(stats().returns, 1);
}
END_TEST

START_TEST(failed_return_changes_nothing)
{
	uint64_t b, s = recalled(&b);
	struct core_command c;

	ck_assert_int_eq(give(s, 0, 100), 0);
	fence_failed(take(CORE_CMD_FENCE).job, -28);
	c = take(CORE_CMD_RETURNED);
	ck_assert_int_eq(c.error, -28);
	ck_assert_uint_eq(c.seq, 2);
	ck_assert_uint_eq(view(s).seq, 2);
	ck_assert_int_eq(view(s).state, CORE_SEAL_RECALLED);
	none(CORE_CMD_BREAK_READY);
	/* The recall goes on: another try, or the deadline. */
	pass(2000);
	fence(CORE_CAUSE_REVOKE);
	ready(b);
}
END_TEST

START_TEST(failed_return_begins_recall_for_those_who_came)
{
	uint64_t s = held(), b, job;

	ck_assert_int_eq(give(s, 0, 100), 0);
	job = take(CORE_CMD_FENCE).job;
	b = brk(0, 100);
	none(CORE_CMD_RECALL);
	fence_failed(job, -5);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).request, b);
	ck_assert_int_eq(view(s).state, CORE_SEAL_RECALLED);
}
END_TEST

START_TEST(failed_return_begins_the_recall_that_was_due_meanwhile)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b, job;
	struct core_command c;

	b = brk(0, 100);
	ck_assert_int_eq(give(s, 0, 100), 0);
	job = take(CORE_CMD_FENCE).job;
	pass(500);
	fence_failed(job, -28);
	ck_assert_int_eq(take(CORE_CMD_RETURNED).error, -28);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.request, b);
	ck_assert_uint_eq(c.deadline, t.now + 2000 * MS);
	pass(1999);
	none(CORE_CMD_FENCE);
	pass(1);
	take(CORE_CMD_FENCE);
}
END_TEST

START_TEST(failed_return_begins_the_wide_recall_that_was_due_meanwhile)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b, job;
	struct core_command c;

	b = brk(0, 0, .scope = CORE_SCOPE_OBJECT);
	ck_assert_int_eq(give(s, 0, 100), 0);
	job = take(CORE_CMD_FENCE).job;
	pass(500);
	none(CORE_CMD_RECALL);
	fence_failed(job, -28);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.request, b);
	ck_assert_int_eq(c.scope, CORE_SCOPE_OBJECT);
	pass(2000);
	fence(CORE_CAUSE_REVOKE);
	ready(b);
}
END_TEST

START_TEST(failed_return_of_a_hard_seal_denies_those_who_came)
{
	uint64_t s, p, b, hold, job, r;

	/* A parked seal finds the place taken, by the right of the token that it was parked for. */
	p = seal(holder(), 0, 100, CORE_WRITE, .flags = CORE_F_TRANSPARENT);
	pass(20);
	hold = brk(0, 200, .hold_ms = 1000);
	fence(CORE_CAUSE_PARK);
	b = ready(hold).token;
	s = seal(holder(), 50, 60, CORE_WRITE, .flags = CORE_F_HARD, .token = b);
	ck_assert_int_eq(give(s, 50, 60), 0);
	job = take(CORE_CMD_FENCE).job;
	forget();
	ck_assert_int_eq(core_break_end(t.core, 0, hold, b, t.now), 0);
	none(CORE_CMD_REGRANT);
	r = ask(holder(), 50, 60, CORE_READ);
	fence_failed(job, -28);
	ck_assert_uint_eq(take(CORE_CMD_REVOKED).seal, p);
	ck_assert_uint_eq(take(CORE_CMD_SEAL_ENDED).seal, p);
	refused(r, CORE_E_DENIED);
	ck_assert(!exists(p));
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	ck_assert_uint_eq(stats().requests, 0);
}
END_TEST

START_TEST(return_of_parked_seal)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ, .flags = CORE_F_TRANSPARENT), b, up;

	pass(20);
	b = brk(0, 100, .hold_ms = 1000);
	fence(CORE_CAUSE_PARK);
	ready(b);
	up = give_back(s, 40, 60).split_seal;
	none(CORE_CMD_REGRANT);
	ck_assert_int_eq(view(s).state, CORE_SEAL_PARKED);
	ck_assert_int_eq(view(up).state, CORE_SEAL_PARKED);
	ck_assert_int_eq(give(up, 60, 100), 0);
	pass(1000);
	/* Not while part of it is on its way back. */
	ck_assert_uint_eq(take(CORE_CMD_REGRANT).seal, s);
	none(CORE_CMD_REGRANT);
	fence(CORE_CAUSE_RETURN);
	take(CORE_CMD_SEAL_ENDED);
	ck_assert(!exists(up));
}
END_TEST

START_TEST(unknown_jobs_are_ignored)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);

	fence_done(12345, CORE_FENCE_FENCED);
	core_flushed(t.core, 12345, 0, t.now);
	ck_assert_int_eq(give(s, 0, 100), 0);
	core_flushed(t.core, take(CORE_CMD_FENCE).job, 0, t.now);
	ck_assert_int_eq(view(s).state, CORE_SEAL_FENCING);
}
END_TEST

/* ---- parts ------------------------------------------------------------------------------- */

START_TEST(middle_return_splits)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE, .flags = CORE_F_PINNABLE), u;
	struct core_command c = give_back(s, 40, 60);

	u = c.split_seal;
	ck_assert_uint_ne(u, 0);
	ck_assert_uint_eq(c.split_seq, 1);
	ck_assert_uint_eq(c.seq, 2);
	ck_assert_uint_eq(view(s).end, 40);
	ck_assert_uint_eq(view(u).start, 60);
	ck_assert_uint_eq(view(u).end, 100);
	ck_assert_uint_eq(view(u).window, view(s).window);
	ck_assert_uint_eq(view(u).seq, 1);
	ck_assert(view(u).pinnable);
	ck_assert_uint_eq(view(u).holder, h);
	ck_assert_uint_eq(stats().splits, 1);
	give_back(s, 0, 40);
	ck_assert_uint_eq(take(CORE_CMD_SEAL_ENDED).seal, s);
	give_back(u, 60, 100);
	ck_assert_uint_eq(take(CORE_CMD_SEAL_ENDED).seal, u);
}
END_TEST

START_TEST(split_takes_recall_along)
{
	uint64_t s = held(), b, up, wide;
	struct core_command c;

	b = brk(70, 80);
	wide = brk(0, 100);
	up = give_back(s, 40, 60).split_seal;
	none(CORE_CMD_BREAK_READY);
	ck_assert_int_eq(view(s).state, CORE_SEAL_RECALLED);
	ck_assert_int_eq(view(up).state, CORE_SEAL_RECALLED);
	ck_assert_uint_eq(view(up).deadline, t.now + 2000 * MS);
	/* The lower half is not what the first break waits for. */
	give_back(up, 60, 100);
	ready(b);
	none(CORE_CMD_BREAK_READY);
	give_back(s, 0, 40);
	c = ready(wide);
	ck_assert_uint_eq(c.n_account, 2);
}
END_TEST

START_TEST(split_half_that_nobody_wants_is_left_alone)
{
	uint64_t s = held(), up;

	brk(70, 80);
	up = give_back(s, 40, 60).split_seal;
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	ck_assert_int_eq(view(up).state, CORE_SEAL_RECALLED);
	pass(2000);
	ck_assert_uint_eq(fence(CORE_CAUSE_REVOKE).seal, up);
	ck_assert(exists(s));
}
END_TEST

START_TEST(progress_moves_deadline)
{
	uint64_t s = recalled(NULL), hard;

	hard = t.now + 10000 * MS;
	pass(1900);
	give_back(s, 0, 10);
	ck_assert_uint_eq(view(s).deadline, t.now + 500 * MS);
	pass(400);
	give_back(s, 10, 20);
	ck_assert_uint_eq(view(s).deadline, t.now + 500 * MS);
	for (int i = 20; i < 38; i++) {
		pass(400);
		give_back(s, i, i + 1);
	}
	/* 9500 ms have passed. */
	ck_assert_uint_eq(view(s).deadline, hard);
	pass(500);
	fence(CORE_CAUSE_REVOKE);
}
END_TEST

START_TEST(progress_never_shortens)
{
	uint64_t s = recalled(NULL), deadline;

	deadline = view(s).deadline;
	give_back(s, 0, 10);
	ck_assert_uint_eq(view(s).deadline, deadline);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("return");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, return_is_checked);
	tcase_add_test(tc, return_is_clipped);
	tcase_add_test(tc, range_is_free_only_when_fenced);
	tcase_add_test(tc, whole_return_ends_seal);
	tcase_add_test(tc, failed_return_changes_nothing);
	tcase_add_test(tc, failed_return_begins_recall_for_those_who_came);
	tcase_add_test(tc, failed_return_begins_the_recall_that_was_due_meanwhile);
	tcase_add_test(tc, failed_return_begins_the_wide_recall_that_was_due_meanwhile);
	tcase_add_test(tc, failed_return_of_a_hard_seal_denies_those_who_came);
	tcase_add_test(tc, return_of_parked_seal);
	tcase_add_test(tc, unknown_jobs_are_ignored);
	tcase_add_test(tc, middle_return_splits);
	tcase_add_test(tc, split_takes_recall_along);
	tcase_add_test(tc, split_half_that_nobody_wants_is_left_alone);
	tcase_add_test(tc, progress_moves_deadline);
	tcase_add_test(tc, progress_never_shortens);
	return core_run(s);
}
