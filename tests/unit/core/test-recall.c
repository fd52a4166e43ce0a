/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The recall of one seal: asking, answering, deadlines, returning, splitting, revoking, lapsing. */

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

START_TEST(revoked_at_deadline)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b;
	struct core_command c;

	pass(20);
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

START_TEST(answer_does_not_stop_deadline)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);
	uint32_t ms;

	pass(20);
	brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);
	uint32_t ms;

	pass(20);
	brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);
	uint32_t ms;

	pass(20);
	brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);
	uint32_t ms;

	pass(20);
	brk(0, 100);
	ck_assert_int_eq(answer(s, CORE_ANSWER_DELAY, 1, &ms), 0);
	ck_assert_uint_eq(ms, 2000);
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

START_TEST(no_matching_counts_as_returned)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b;
	struct core_command c;
	uint32_t ms;

	pass(20);
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

START_TEST(return_is_an_answer)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), a, b;

	pass(20);
	a = brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), a;
	struct core_command c;

	pass(20);
	a = brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), a;
	uint32_t ms;

	pass(20);
	a = brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b;
	struct core_command c;

	pass(20);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b;
	struct core_fence_result r = { .error = -28 };
	struct core_command c;

	pass(20);
	b = brk(0, 100);
	ck_assert_int_eq(give(s, 0, 100), 0);
	r.job = take(CORE_CMD_FENCE).job;
	core_fenced(t.core, &r, t.now);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b;
	struct core_fence_result r = { .error = -5 };

	pass(20);
	ck_assert_int_eq(give(s, 0, 100), 0);
	r.job = take(CORE_CMD_FENCE).job;
	b = brk(0, 100);
	none(CORE_CMD_RECALL);
	core_fenced(t.core, &r, t.now);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).request, b);
	ck_assert_int_eq(view(s).state, CORE_SEAL_RECALLED);
}
END_TEST

START_TEST(revocation_overtakes_return)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b, old;

	pass(20);
	b = brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b, up, wide;
	struct core_command c;

	pass(20);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), up;

	pass(20);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), hard;

	pass(20);
	brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), deadline;

	pass(20);
	brk(0, 100);
	deadline = view(s).deadline;
	give_back(s, 0, 10);
	ck_assert_uint_eq(view(s).deadline, deadline);
}
END_TEST

START_TEST(second_break_joins)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), a, b, deadline;

	pass(20);
	a = brk(0, 100);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), deadline;
	struct core_command c;
	uint32_t ms;

	pass(20);
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
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), a, b;
	uint32_t ms;

	pass(20);
	a = brk(0, 100);
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

int main(void)
{
	Suite *s = suite_create("recall");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, grant_has_seq_one);
	tcase_add_test(tc, recall_moves_seq_and_names_range);
	tcase_add_test(tc, map_stays_unless_said);
	tcase_add_test(tc, minimum_hold_delays_recall);
	tcase_add_test(tc, return_before_recall_is_enough);
	tcase_add_test(tc, revoked_at_deadline);
	tcase_add_test(tc, answer_does_not_stop_deadline);
	tcase_add_test(tc, delay_moves_deadline);
	tcase_add_test(tc, delay_ends_at_hard_limit);
	tcase_add_test(tc, delay_never_shortens);
	tcase_add_test(tc, max_io_lengthens_deadline);
	tcase_add_test(tc, unbounded_io_is_refused);
	tcase_add_test(tc, policy_of_the_object_counts);
	tcase_add_test(tc, no_matching_counts_as_returned);
	tcase_add_test(tc, answers_need_recall_and_seq);
	tcase_add_test(tc, return_is_an_answer);
	tcase_add_test(tc, failed_return_is_an_answer_too);
	tcase_add_test(tc, return_takes_no_answer_back);
	tcase_add_test(tc, return_of_something_else_is_no_answer);
	tcase_add_test(tc, return_is_checked);
	tcase_add_test(tc, return_is_clipped);
	tcase_add_test(tc, range_is_free_only_when_fenced);
	tcase_add_test(tc, whole_return_ends_seal);
	tcase_add_test(tc, failed_return_changes_nothing);
	tcase_add_test(tc, failed_return_begins_recall_for_those_who_came);
	tcase_add_test(tc, revocation_overtakes_return);
	tcase_add_test(tc, middle_return_splits);
	tcase_add_test(tc, split_takes_recall_along);
	tcase_add_test(tc, split_half_that_nobody_wants_is_left_alone);
	tcase_add_test(tc, progress_moves_deadline);
	tcase_add_test(tc, progress_never_shortens);
	tcase_add_test(tc, second_break_joins);
	tcase_add_test(tc, wider_break_asks_again_for_hull);
	tcase_add_test(tc, recall_lapses_with_its_last_break);
	tcase_add_test(tc, lapse_before_asking_is_silent);
	tcase_add_test(tc, revoke_park_is_granted_again);
	tcase_add_test(tc, holder_gone_is_fenced);
	tcase_add_test(tc, holder_gone_overtakes_return_but_not_revocation);
	tcase_add_test(tc, parked_seal_of_gone_holder_ends_at_once);
	tcase_add_test(tc, gone_while_being_parked_ends);
	tcase_add_test(tc, seq_wraps_to_one);
	tcase_add_test(tc, unknown_jobs_are_ignored);
	tcase_add_test(tc, return_of_parked_seal);
	return core_run(s);
}
