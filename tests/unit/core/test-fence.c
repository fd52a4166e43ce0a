/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How long a fence may take: for somebody who waits, a bounded time; for nobody, as long as the disk. */

#include "tests/unit/core/core-test.h"

START_TEST(revocation_is_forced_once)
{
	uint64_t s = recalled(NULL), job;

	pass(2000);
	job = take(CORE_CMD_FENCE).job;
	pass(1999);
	none(CORE_CMD_FENCE_FORCE);
	pass(1);
	ck_assert_uint_eq(take(CORE_CMD_FENCE_FORCE).job, job);
	none(CORE_CMD_BREAK_READY);
	brk(0, 100);
	pass(10000);
	none(CORE_CMD_FENCE_FORCE);
	ck_assert(exists(s));
	fence_done(job, CORE_FENCE_TORN_POSSIBLE);
	take(CORE_CMD_BREAK_READY);
	ck_assert_uint_eq(stats().forced, 1);
}
END_TEST

/* ---- returns ----------------------------------------------------------------------------- */

START_TEST(revocation_overtakes_return)
{
	uint64_t b, s = recalled(&b), old;

	ck_assert_int_eq(give(s, 0, 50), 0);
	old = take(CORE_CMD_FENCE).job;
	pass(2000);
	ck_assert_int_eq(view(s).state, CORE_SEAL_FENCING);
	ck_assert_int_eq(give(s, 0, 100), CORE_E_STATE);
	fence_done(old, CORE_FENCE_FENCED);
	ck_assert_uint_eq(take(CORE_CMD_FORGIVEN).job, old);
	none(CORE_CMD_RETURNED);
	none(CORE_CMD_BREAK_READY);
	ck_assert_uint_eq(view(s).start, 0);
	fence(CORE_CAUSE_REVOKE);
	take(CORE_CMD_REVOKED);
	ready(b);
}
END_TEST

START_TEST(return_takes_as_long_as_it_takes)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), job;

	ck_assert_int_eq(give(s, 0, 100), 0);
	job = take(CORE_CMD_FENCE).job;
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	pass(3600000);
	none(CORE_CMD_FENCE_FORCE);
	fence_done(job, CORE_FENCE_FENCED);
	ck_assert_int_eq(take(CORE_CMD_RETURNED).error, 0);
	take(CORE_CMD_SEAL_ENDED);
}
END_TEST

START_TEST(recalled_return_has_what_is_left_of_the_deadline)
{
	uint64_t b, s = recalled(&b);

	pass(1500);
	ck_assert_int_eq(give(s, 0, 100), 0);
	ck_assert_int_eq(take(CORE_CMD_FENCE).cause, CORE_CAUSE_RETURN);
	pass(499);
	none(CORE_CMD_FENCE);
	pass(1);
	fence(CORE_CAUSE_REVOKE);
	take(CORE_CMD_REVOKED);
	none(CORE_CMD_RETURNED);
	none(CORE_CMD_FENCE_FORCE);
	ready(b);
}
END_TEST

START_TEST(granted_delay_goes_for_the_return_too)
{
	uint64_t s = recalled(NULL);
	uint32_t ms;

	ck_assert_int_eq(answer(s, CORE_ANSWER_DELAY, 60000, &ms), 0);
	ck_assert_uint_eq(ms, 10000);
	ck_assert_int_eq(give(s, 0, 100), 0);
	take(CORE_CMD_FENCE);
	pass(9999);
	none(CORE_CMD_FENCE);
	pass(1);
	ck_assert_int_eq(take(CORE_CMD_FENCE).cause, CORE_CAUSE_REVOKE);
	pass(2000);
	ck_assert_int_eq(take(CORE_CMD_FENCE_FORCE).cause, CORE_CAUSE_REVOKE);
}
END_TEST

START_TEST(who_comes_to_a_slow_return_waits_a_deadline)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE), b, old, job;

	ck_assert_int_eq(give(s, 0, 100), 0);
	old = take(CORE_CMD_FENCE).job;
	pass(60000);
	b = brk(0, 50);
	none(CORE_CMD_RECALL);
	pass(1000);
	ask(holder(), 50, 100, CORE_WRITE);
	pass(999);
	none(CORE_CMD_FENCE);
	pass(1);
	job = take(CORE_CMD_FENCE).job;
	pass(1999);
	none(CORE_CMD_FENCE_FORCE);
	pass(1);
	ck_assert_uint_eq(take(CORE_CMD_FENCE_FORCE).job, job);
	fence_done(job, CORE_FENCE_TORN_POSSIBLE);
	ck_assert_uint_eq(take(CORE_CMD_REVOKED).seal, s);
	ck_assert_int_eq(ready(b).account[0].result, CORE_RESULT_REVOKED);
	take(CORE_CMD_GRANT);
	fence_failed(old, -5);
	take(CORE_CMD_FORGIVEN);
	none(CORE_CMD_RETURNED);
	ck_assert_uint_eq(stats().revocations, 1);
}
END_TEST

START_TEST(declared_io_goes_for_who_comes_to_a_return)
{
	struct core_holder_info info = { .process = 1, .max_io_ms = 4000 };
	uint64_t h;

	ck_assert_int_eq(core_holder_add(t.core, &info, &h), 0);
	ck_assert_int_eq(give(seal(h, 0, 100, CORE_WRITE), 0, 100), 0);
	take(CORE_CMD_FENCE);
	brk(0, 100);
	pass(3999);
	none(CORE_CMD_FENCE);
	pass(1);
	take(CORE_CMD_FENCE);
}
END_TEST

START_TEST(return_begun_while_somebody_waits_is_not_forgotten)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);

	/* Not asked for yet: the minimum hold. */
	brk(0, 100);
	pass(10);
	ck_assert_int_eq(give(s, 0, 100), 0);
	take(CORE_CMD_FENCE);
	pass(1999);
	/* Nor later, since it is on its way. */
	none(CORE_CMD_RECALL);
	none(CORE_CMD_FENCE);
	pass(1);
	fence(CORE_CAUSE_REVOKE);
	take(CORE_CMD_BREAK_READY);
}
END_TEST

START_TEST(return_is_calm_again_when_nobody_waits)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b;

	ck_assert_int_eq(give(s, 0, 100), 0);
	take(CORE_CMD_FENCE);
	b = brk(0, 100, .wait_ms = 1500);
	pass(1500);
	refused(b, CORE_E_TIMED_OUT);
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	pass(100);
	brk(0, 100);
	pass(1999);
	none(CORE_CMD_FENCE);
	pass(1);
	take(CORE_CMD_FENCE);
}
END_TEST

START_TEST(lapsed_recall_leaves_its_return_alone)
{
	uint64_t b, s = recalled(&b);

	ck_assert_int_eq(give(s, 0, 100), 0);
	take(CORE_CMD_FENCE);
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), 0);
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	pass(100);
	b = brk(0, 100);
	ck_assert_uint_eq(core_next_deadline(t.core), t.now + 2000 * MS);
}
END_TEST

START_TEST(transparent_return_is_not_parked_halfway)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE, .flags = CORE_F_TRANSPARENT), b, job;

	b = brk(0, 100);
	ck_assert_int_eq(give(s, 0, 100), 0);
	job = take(CORE_CMD_FENCE).job;
	pass(500);
	none(CORE_CMD_FENCE);
	fence_done(job, CORE_FENCE_FENCED);
	take(CORE_CMD_RETURNED);
	take(CORE_CMD_SEAL_ENDED);
	ready(b);
}
END_TEST

START_TEST(partial_return_does_not_hold_up_the_recall)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);

	ck_assert_int_eq(give(s, 0, 50), 0);
	take(CORE_CMD_FENCE);
	pass(60000);
	none(CORE_CMD_FENCE_FORCE);
	brk(60, 70);
	take(CORE_CMD_RECALL);
	pass(2000);
	ck_assert_int_eq(take(CORE_CMD_FENCE).cause, CORE_CAUSE_REVOKE);
}
END_TEST

/* ---- what could not be written ----------------------------------------------------------- */

START_TEST(quarantine_is_told)
{
	uint64_t s = seal(holder_of(5), 0, 100, CORE_WRITE), b;
	struct core_fence_result r = { .fence = CORE_FENCE_FENCED, .quarantined = 8192,
				       .quarantine_errno = 28 };
	struct core_command c;

	pass(20);
	b = brk(0, 100);
	pass(2000);
	r.job = take(CORE_CMD_FENCE).job;
	core_fenced(t.core, &r, t.now);
	c = take(CORE_CMD_QUARANTINED);
	ck_assert_uint_eq(c.uid, 1005);
	ck_assert_uint_eq(c.seal, s);
	ck_assert_uint_eq(c.object, t.object);
	ck_assert_uint_eq(c.job, r.job);
	ck_assert_uint_eq(c.quarantined, 8192);
	ck_assert_int_eq(c.quarantine_errno, 28);
	ck_assert_uint_eq(ready(b).account[0].quarantined, 8192);
	ck_assert_uint_eq(stats().quarantines, 1);
}
END_TEST

START_TEST(quarantine_is_told_of_what_was_overtaken)
{
	uint64_t h = holder_of(5), s = seal(h, 0, 100, CORE_WRITE);
	struct core_fence_result r = { .fence = CORE_FENCE_FENCED, .quarantined = 4096,
				       .quarantine_errno = 5 };
	struct core_command c;

	ck_assert_int_eq(give(s, 0, 50), 0);
	r.job = take(CORE_CMD_FENCE).job;
	core_holder_gone(t.core, h, t.now);
	fence(CORE_CAUSE_DEATH);
	take(CORE_CMD_SEAL_ENDED);
	core_fenced(t.core, &r, t.now);
	c = take(CORE_CMD_QUARANTINED);
	ck_assert_uint_eq(c.uid, 1005);
	ck_assert_uint_eq(c.seal, s);
	ck_assert_uint_eq(c.holder, h);
	ck_assert_uint_eq(c.object, t.object);
	ck_assert_uint_eq(c.job, r.job);
	ck_assert_uint_eq(c.end, 50);
	ck_assert_uint_eq(c.quarantined, 4096);
	ck_assert_int_eq(c.quarantine_errno, 5);
	take(CORE_CMD_FORGIVEN);
	none(CORE_CMD_RETURNED);
	ck_assert_uint_eq(stats().quarantines, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fence");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, revocation_is_forced_once);
	tcase_add_test(tc, revocation_overtakes_return);
	tcase_add_test(tc, return_takes_as_long_as_it_takes);
	tcase_add_test(tc, recalled_return_has_what_is_left_of_the_deadline);
	tcase_add_test(tc, granted_delay_goes_for_the_return_too);
	tcase_add_test(tc, who_comes_to_a_slow_return_waits_a_deadline);
	tcase_add_test(tc, declared_io_goes_for_who_comes_to_a_return);
	tcase_add_test(tc, return_begun_while_somebody_waits_is_not_forgotten);
	tcase_add_test(tc, return_is_calm_again_when_nobody_waits);
	tcase_add_test(tc, lapsed_recall_leaves_its_return_alone);
	tcase_add_test(tc, transparent_return_is_not_parked_halfway);
	tcase_add_test(tc, partial_return_does_not_hold_up_the_recall);
	tcase_add_test(tc, quarantine_is_told);
	tcase_add_test(tc, quarantine_is_told_of_what_was_overtaken);
	return core_run(s);
}
