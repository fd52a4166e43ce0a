/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a holder says to a recall, and until when it may: answers, delays, deadlines, the hard limit. */

#include "tests/unit/core/core-test.h"

/* ---- deadlines --------------------------------------------------------------------------- */

START_TEST(revoked_at_deadline)
{
	uint64_t s = held(), b;
	struct core_command c;

	b = brk(10, 20);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.deadline, t.now + 2000 * MS);
	ck_assert_uint_eq(c.hard_limit, t.now + 10000 * MS);
	pass(1999);
	none(CORE_CMD_FENCE);
	pass(1);
	c = take(CORE_CMD_FENCE);
	ck_assert_int_eq(c.cause, CORE_CAUSE_REVOKE);
	/* The whole seal, not only what was asked for. */
	ck_assert_uint_eq(c.start, 0);
	ck_assert_uint_eq(c.end, 100);
	ck_assert_int_eq(view(s).state, CORE_SEAL_FENCING);
	none(CORE_CMD_BREAK_READY);
	fence_done(c.job, CORE_FENCE_TORN_POSSIBLE);
	c = take(CORE_CMD_REVOKED);
	ck_assert_int_eq(c.fence, CORE_FENCE_TORN_POSSIBLE);
	ck_assert_int_eq(c.cause, CORE_CAUSE_REVOKE);
	ck_assert_uint_eq(take(CORE_CMD_SEAL_ENDED).seal, s);
	ck_assert(!exists(s));
	ready(b);
	ck_assert_uint_eq(stats().revocations, 1);
}
END_TEST

START_TEST(revoke_park_is_granted_again)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE, .flags = CORE_F_REVOKE_PARK), b;
	struct core_command c;

	pass(20);
	b = brk(0, 100, .hold_ms = 100);
	pass(2000);
	fence(CORE_CAUSE_PARK);
	ck_assert_int_eq(take(CORE_CMD_REVOKED).cause, CORE_CAUSE_PARK);
	none(CORE_CMD_SEAL_ENDED);
	ck_assert_int_eq(view(s).state, CORE_SEAL_PARKED);
	c = ready(b);
	ck_assert_int_eq(c.account[0].result, CORE_RESULT_REVOKED);
	none(CORE_CMD_REGRANT);
	ck_assert_int_eq(core_break_end(t.core, 0, b, c.token, t.now), 0);
	c = take(CORE_CMD_REGRANT);
	ck_assert_uint_eq(c.seal, s);
	ck_assert_uint_eq(c.seq, 3);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	/* A new grant, so a new minimum hold. */
	ck_assert_uint_eq(view(s).granted_at, t.now);
	forget();
	brk(0, 100);
	none(CORE_CMD_RECALL);
	pass(20);
	take(CORE_CMD_RECALL);
}
END_TEST

START_TEST(max_io_lengthens_deadline)
{
	struct core_holder_info info = { .process = 1, .max_io_ms = 4000 };
	uint64_t h;

	ck_assert_int_eq(core_holder_add(t.core, &info, &h), 0);
	seal(h, 0, 100, CORE_WRITE);
	pass(20);
	brk(0, 100);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).deadline, t.now + 4000 * MS);
	pass(3999);
	none(CORE_CMD_FENCE);
	pass(1);
	take(CORE_CMD_FENCE);
}
END_TEST

START_TEST(unbounded_io_is_refused)
{
	struct core_holder_info info = { .process = 1, .max_io_ms = 10001 };
	struct core_acquire a = { .object = t.object, .end = 1, .mode = CORE_READ,
				  .kind = CORE_WINDOW };
	uint64_t id;

	ck_assert_int_eq(core_holder_add(t.core, &info, &a.holder), 0);
	ck_assert_int_eq(core_acquire(t.core, &a, t.now, &id), CORE_E_UNBOUNDED);
	info.max_io_ms = 10000;
	ck_assert_int_eq(core_holder_add(t.core, &info, &a.holder), 0);
	ck_assert_int_eq(core_acquire(t.core, &a, t.now, &id), 0);
}
END_TEST

START_TEST(policy_of_the_object_counts)
{
	struct core_policy p = { .deadline_ms = 10, .hard_ms = 30, .progress_ms = 5,
				 .min_hold_ms = 1, .hold_ms = 50, .fence_ms = 5 };
	uint64_t o = new_object(1, &p);
	struct core_command c;

	seal(holder(), 0, 100, CORE_WRITE, .object = o);
	brk(0, 100, .object = o);
	pass(1);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.deadline, t.now + 10 * MS);
	ck_assert_uint_eq(c.hard_limit, t.now + 30 * MS);
}
END_TEST

/* ---- answers ----------------------------------------------------------------------------- */

START_TEST(answer_does_not_stop_deadline)
{
	uint64_t s = recalled(NULL);
	uint32_t ms;

	pass(500);
	ck_assert_int_eq(answer(s, CORE_ANSWER_OK, 0, &ms), 0);
	ck_assert_uint_eq(ms, 1500);
	none(CORE_CMD_BREAK_READY);
	pass(1500);
	take(CORE_CMD_FENCE);
}
END_TEST

START_TEST(delay_moves_deadline)
{
	uint64_t s = recalled(NULL);
	uint32_t ms;

	pass(1000);
	ck_assert_int_eq(answer(s, CORE_ANSWER_DELAY, 3000, &ms), 0);
	ck_assert_uint_eq(ms, 3000);
	pass(2999);
	none(CORE_CMD_FENCE);
	pass(1);
	take(CORE_CMD_FENCE);
}
END_TEST

START_TEST(delay_ends_at_hard_limit)
{
	uint64_t s = recalled(NULL);
	uint32_t ms;

	for (int i = 0; i < 9; i++) {
		pass(1000);
		ck_assert_int_eq(answer(s, CORE_ANSWER_DELAY, 60000, &ms), 0);
		ck_assert_uint_eq(ms, 9000 - i * 1000);
	}
	pass(999);
	none(CORE_CMD_FENCE);
	pass(1);
	take(CORE_CMD_FENCE);
}
END_TEST

START_TEST(delay_never_shortens)
{
	uint64_t s = recalled(NULL);
	uint32_t ms;

	ck_assert_int_eq(answer(s, CORE_ANSWER_DELAY, 1, &ms), 0);
	ck_assert_uint_eq(ms, 2000);
}
END_TEST

START_TEST(no_matching_counts_as_returned)
{
	uint64_t s = held(), b;
	struct core_command c;
	uint32_t ms;

	b = brk(0, 10);
	ck_assert_int_eq(answer(s, CORE_ANSWER_NO_MATCHING, 0, &ms), 0);
	none(CORE_CMD_BREAK_READY);
	c = take(CORE_CMD_FENCE);
	ck_assert_int_eq(c.cause, CORE_CAUSE_REVOKE);
	fence_done(c.job, CORE_FENCE_FENCED);
	c = ready(b);
	ck_assert_int_eq(c.account[0].result, CORE_RESULT_NO_MATCHING);
	ck_assert_int_eq(c.account[0].answer, CORE_ANSWER_NO_MATCHING);
	none(CORE_CMD_REVOKED);
	take(CORE_CMD_SEAL_ENDED);
	ck_assert_uint_eq(stats().revocations, 0);
}
END_TEST

START_TEST(answers_need_recall_and_seq)
{
	uint64_t h = holder(), other = holder(), s = seal(h, 0, 100, CORE_WRITE);
	uint32_t ms = 77;

	ck_assert_int_eq(core_answer(t.core, h, s, 1, CORE_ANSWER_OK, 0, t.now, &ms), CORE_E_STATE);
	pass(20);
	brk(0, 100);
	ck_assert_int_eq(core_answer(t.core, h, s, 1, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_OLD_SEQ);
	ck_assert_int_eq(core_answer(t.core, h, s, 3, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_SEAL);
	ck_assert_int_eq(core_answer(t.core, h, s, 0, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_SEAL);
	ck_assert_int_eq(core_answer(t.core, other, s, 2, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_SEAL);
	ck_assert_int_eq(core_answer(t.core, h, 9999, 2, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_SEAL);
	ck_assert_int_eq(core_answer(t.core, 9999, s, 2, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_HOLDER);
	ck_assert_uint_eq(ms, 77);
	ck_assert_int_eq(core_answer(t.core, h, s, 2, CORE_ANSWER_OK, 0, t.now, &ms), 0);
}
END_TEST

/* ---- returns are answers ----------------------------------------------------------------- */

START_TEST(return_is_an_answer)
{
	uint64_t a, s = recalled(&a), b;

	pass(100);
	ck_assert_int_eq(give(s, 0, 100), 0);
	ck_assert_uint_eq(stats().answers_ok, 1);
	b = brk(0, 100, .flags = CORE_F_NO_WAIT);
	refused(b, CORE_E_TRY_LATER);
	fence(CORE_CAUSE_RETURN);
	ck_assert_int_eq(ready(a).account[0].answer, CORE_ANSWER_OK);
}
END_TEST

START_TEST(failed_return_is_an_answer_too)
{
	uint64_t a, s = recalled(&a);
	struct core_command c;

	ck_assert_int_eq(give(s, 0, 100), 0);
	fence_failed(take(CORE_CMD_FENCE).job, -28);
	pass(2000);
	fence(CORE_CAUSE_REVOKE);
	c = ready(a);
	ck_assert_int_eq(c.account[0].answer, CORE_ANSWER_OK);
	ck_assert_int_eq(c.account[0].result, CORE_RESULT_REVOKED);
}
END_TEST

START_TEST(return_takes_no_answer_back)
{
	uint64_t a, s = recalled(&a);
	uint32_t ms;

	ck_assert_int_eq(answer(s, CORE_ANSWER_DELAY, 5000, &ms), 0);
	give_back(s, 0, 100);
	ck_assert_int_eq(ready(a).account[0].answer, CORE_ANSWER_DELAY);
	ck_assert_uint_eq(stats().answers_ok, 0);
}
END_TEST

START_TEST(return_of_something_else_is_no_answer)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), a;

	give_back(s, 90, 100);
	pass(20);
	a = brk(0, 50);
	give_back(s, 60, 70);
	ck_assert_uint_eq(stats().answers_ok, 0);
	pass(2000);
	fence(CORE_CAUSE_REVOKE);
	ck_assert_int_eq(ready(a).account[0].answer, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("answer");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, revoked_at_deadline);
	tcase_add_test(tc, revoke_park_is_granted_again);
	tcase_add_test(tc, max_io_lengthens_deadline);
	tcase_add_test(tc, unbounded_io_is_refused);
	tcase_add_test(tc, policy_of_the_object_counts);
	tcase_add_test(tc, answer_does_not_stop_deadline);
	tcase_add_test(tc, delay_moves_deadline);
	tcase_add_test(tc, delay_ends_at_hard_limit);
	tcase_add_test(tc, delay_never_shortens);
	tcase_add_test(tc, no_matching_counts_as_returned);
	tcase_add_test(tc, answers_need_recall_and_seq);
	tcase_add_test(tc, return_is_an_answer);
	tcase_add_test(tc, failed_return_is_an_answer_too);
	tcase_add_test(tc, return_takes_no_answer_back);
	tcase_add_test(tc, return_of_something_else_is_no_answer);
	return core_run(s);
}
