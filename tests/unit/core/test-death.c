/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The end of a holder: what is fenced then, what goes on, and how long that may take. */

#include "tests/unit/core/core-test.h"

START_TEST(holder_gone_is_fenced)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE), b;
	struct core_command c;

	pass(20);
	b = brk(0, 100);
	core_holder_gone(t.core, h, t.now);
	c = take(CORE_CMD_FENCE);
	ck_assert_int_eq(c.cause, CORE_CAUSE_DEATH);
	none(CORE_CMD_BREAK_READY);
	ck_assert(exists(s));
	ck_assert_int_eq(give(s, 0, 100), CORE_E_BAD_HOLDER);
	fence_done(c.job, CORE_FENCE_FENCED);
	take(CORE_CMD_SEAL_ENDED);
	none(CORE_CMD_REVOKED);
	ck_assert_int_eq(ready(b).account[0].result, CORE_RESULT_GONE);
}
END_TEST

START_TEST(holder_gone_overtakes_return_but_not_revocation)
{
	uint64_t h = holder(), a = seal(h, 0, 100, CORE_WRITE), b = seal(h, 200, 300, CORE_WRITE);
	uint64_t old;

	pass(20);
	brk(200, 300);
	pass(2000);
	ck_assert_int_eq(take(CORE_CMD_FENCE).cause, CORE_CAUSE_REVOKE);
	ck_assert_int_eq(give(a, 0, 100), 0);
	old = take(CORE_CMD_FENCE).job;
	core_holder_gone(t.core, h, t.now);
	ck_assert_uint_eq(take(CORE_CMD_FENCE).seal, a);
	none(CORE_CMD_FENCE);
	fence_done(old, CORE_FENCE_FENCED);
	take(CORE_CMD_FORGIVEN);
	ck_assert(exists(a));
	ck_assert(exists(b));
}
END_TEST

START_TEST(parked_seal_of_gone_holder_ends_at_once)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_READ, .flags = CORE_F_TRANSPARENT), b;

	pass(20);
	b = brk(0, 100, .hold_ms = 1000);
	fence(CORE_CAUSE_PARK);
	ready(b);
	core_holder_gone(t.core, h, t.now);
	none(CORE_CMD_FENCE);
	take(CORE_CMD_SEAL_ENDED);
	ck_assert(!exists(s));
	pass(1000);
	none(CORE_CMD_REGRANT);
}
END_TEST

START_TEST(gone_while_being_parked_ends)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_READ, .flags = CORE_F_TRANSPARENT);

	pass(20);
	brk(0, 100);
	core_holder_gone(t.core, h, t.now);
	fence(CORE_CAUSE_PARK);
	take(CORE_CMD_SEAL_ENDED);
	none(CORE_CMD_REGRANT);
	ck_assert(!exists(s));
}
END_TEST

/* ---- how long ---------------------------------------------------------------------------- */

/* The job of the fence that a holder's death began. */
static uint64_t dead(uint64_t start, uint64_t end)
{
	uint64_t h = holder();
	struct core_command c;

	seal(h, start, end, CORE_WRITE);
	core_holder_gone(t.core, h, t.now);
	c = take(CORE_CMD_FENCE);
	ck_assert_int_eq(c.cause, CORE_CAUSE_DEATH);
	return c.job;
}

START_TEST(dead_holders_bytes_have_time)
{
	uint64_t job = dead(0, 100);

	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	pass(3600000);
	none(CORE_CMD_FENCE_FORCE);
	fence_done(job, CORE_FENCE_FENCED);
	take(CORE_CMD_SEAL_ENDED);
}
END_TEST

START_TEST(dead_holders_bytes_are_hurried_for_who_comes)
{
	uint64_t job = dead(0, 100), b;

	pass(60000);
	brk(100, 200);
	take(CORE_CMD_BREAK_READY);
	b = brk(50, 60);
	pass(1000);
	brk(0, 10);
	pass(999);
	none(CORE_CMD_FENCE_FORCE);
	pass(1);
	ck_assert_uint_eq(take(CORE_CMD_FENCE_FORCE).job, job);
	brk(0, 10);
	pass(60000);
	none(CORE_CMD_FENCE_FORCE);
	fence_done(job, CORE_FENCE_FENCED);
	ck_assert_int_eq(ready(b).account[0].result, CORE_RESULT_GONE);
}
END_TEST

START_TEST(dead_holders_bytes_are_hurried_for_acquires_and_wide_breaks)
{
	uint64_t job = dead(0, 100);

	ask(holder(), 0, 10, CORE_READ);
	pass(2000);
	ck_assert_uint_eq(take(CORE_CMD_FENCE_FORCE).job, job);
	fence_done(job, CORE_FENCE_FENCED);
	take(CORE_CMD_GRANT);
	job = dead(200, 300);
	brk(0, 0, .scope = CORE_SCOPE_DEVICE, .device = 7);
	pass(2000);
	ck_assert_uint_eq(take(CORE_CMD_FENCE_FORCE).job, job);
}
END_TEST

START_TEST(dead_holders_bytes_are_not_hurried_for_readers)
{
	uint64_t job = dead(0, 100), r = brk(0, 100, .want = CORE_WANT_FOREIGN_READ), b;

	pass(60000);
	none(CORE_CMD_FENCE_FORCE);
	/* A break behind the read hurries both. */
	b = brk(0, 100);
	pass(2000);
	take(CORE_CMD_FENCE_FORCE);
	fence_done(job, CORE_FENCE_FENCED);
	ready(r);
	ready(b);
}
END_TEST

START_TEST(dead_holders_bytes_have_time_again_when_nobody_waits)
{
	uint64_t b;

	dead(0, 100);
	b = brk(0, 100);
	pass(1500);
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), 0);
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	none(CORE_CMD_LAPSED);
	pass(100);
	brk(0, 100);
	pass(1999);
	none(CORE_CMD_FENCE_FORCE);
	pass(1);
	take(CORE_CMD_FENCE_FORCE);
}
END_TEST

START_TEST(death_while_somebody_waits_is_hurried)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE), b, old, job;

	pass(20);
	b = brk(0, 100);
	ck_assert_int_eq(give(s, 0, 100), 0);
	old = take(CORE_CMD_FENCE).job;
	core_holder_gone(t.core, h, t.now);
	job = take(CORE_CMD_FENCE).job;
	fence_failed(old, -5);
	take(CORE_CMD_FORGIVEN);
	pass(2000);
	ck_assert_uint_eq(take(CORE_CMD_FENCE_FORCE).job, job);
	fence_done(job, CORE_FENCE_FENCED);
	ready(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("death");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, holder_gone_is_fenced);
	tcase_add_test(tc, holder_gone_overtakes_return_but_not_revocation);
	tcase_add_test(tc, parked_seal_of_gone_holder_ends_at_once);
	tcase_add_test(tc, gone_while_being_parked_ends);
	tcase_add_test(tc, dead_holders_bytes_have_time);
	tcase_add_test(tc, dead_holders_bytes_are_hurried_for_who_comes);
	tcase_add_test(tc, dead_holders_bytes_are_hurried_for_acquires_and_wide_breaks);
	tcase_add_test(tc, dead_holders_bytes_are_not_hurried_for_readers);
	tcase_add_test(tc, dead_holders_bytes_have_time_again_when_nobody_waits);
	tcase_add_test(tc, death_while_somebody_waits_is_hurried);
	return core_run(s);
}
