/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Recalls wider than a range, and RECALL_ANY. */

#include "tests/unit/core/core-test.h"

START_TEST(one_recall_for_each_holder)
{
	uint64_t a = holder(), b = holder(), o2 = new_object(7, NULL), x, y, z, other, id;
	struct core_command c;

	x = seal(a, 0, 100, CORE_WRITE);
	y = seal(a, 200, 300, CORE_READ);
	z = seal(b, 300, 400, CORE_WRITE);
	other = seal(b, 0, 100, CORE_WRITE, .object = o2);
	pass(20);
	id = brk(0, 0, .scope = CORE_SCOPE_OBJECT, .flags = CORE_F_MAP_WILL_CHANGE);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.holder, a);
	ck_assert_int_eq(c.scope, CORE_SCOPE_OBJECT);
	ck_assert_uint_eq(c.seal, 0);
	ck_assert_uint_eq(c.request, id);
	ck_assert_uint_eq(c.object, t.object);
	ck_assert(c.map_will_change);
	ck_assert_uint_eq(c.deadline, t.now + 2000 * MS);
	c = take(CORE_CMD_RECALL);
	ck_assert_uint_eq(c.holder, b);
	none(CORE_CMD_RECALL);
	ck_assert_int_eq(view(x).state, CORE_SEAL_RECALLED);
	ck_assert_int_eq(view(y).state, CORE_SEAL_RECALLED);
	ck_assert_int_eq(view(z).state, CORE_SEAL_RECALLED);
	ck_assert_int_eq(view(other).state, CORE_SEAL_HELD);
	/* It names no seal, so it moves no seq. */
	ck_assert_uint_eq(view(x).seq, 1);
	ck_assert_uint_eq(view(z).seq, 1);
	give_back(x, 0, 100);
	give_back(y, 200, 300);
	none(CORE_CMD_BREAK_READY);
	give_back(z, 300, 400);
	ck_assert_uint_eq(ready(id).n_account, 3);
}
END_TEST

START_TEST(device_takes_its_objects)
{
	uint64_t o2 = new_object(7, NULL), o3 = new_object(8, NULL), h = holder(), a, b, c, id;
	struct core_command cmd;

	a = seal(h, 0, 100, CORE_WRITE);
	b = seal(h, 0, 100, CORE_WRITE, .object = o2);
	c = seal(h, 0, 100, CORE_WRITE, .object = o3);
	pass(20);
	id = brk(0, 0, .scope = CORE_SCOPE_DEVICE, .device = 7);
	cmd = take(CORE_CMD_RECALL);
	ck_assert_int_eq(cmd.scope, CORE_SCOPE_DEVICE);
	ck_assert_uint_eq(cmd.device, 7);
	none(CORE_CMD_RECALL);
	ck_assert_int_eq(view(c).state, CORE_SEAL_HELD);
	give_back(a, 0, 100);
	give_back(b, 0, 100);
	ready(id);
}
END_TEST

START_TEST(all_takes_everything)
{
	uint64_t o2 = new_object(0, NULL), a, b, id;

	a = seal(holder(), 0, 100, CORE_WRITE);
	b = seal(holder(), 0, 100, CORE_READ, .object = o2);
	pass(20);
	id = brk(0, 0, .scope = CORE_SCOPE_ALL);
	take(CORE_CMD_RECALL);
	ck_assert_int_eq(take(CORE_CMD_RECALL).scope, CORE_SCOPE_ALL);
	give_back(a, 0, 100);
	give_back(b, 0, 100);
	ready(id);
}
END_TEST

START_TEST(one_answer_for_all)
{
	uint64_t h = holder(), a = seal(h, 0, 100, CORE_WRITE), b = seal(h, 200, 300, CORE_WRITE), id;
	uint32_t ms = 77;

	id = brk(0, 0, .scope = CORE_SCOPE_OBJECT);
	ck_assert_int_eq(core_answer_all(t.core, h, id, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_BREAK);
	pass(20);
	ck_assert_int_eq(core_answer_all(t.core, h, id + 1, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_BREAK);
	ck_assert_int_eq(core_answer_all(t.core, holder(), id, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_BREAK);
	ck_assert_int_eq(core_answer_all(t.core, 9999, id, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_HOLDER);
	ck_assert_uint_eq(ms, 77);
	ck_assert_int_eq(core_answer_all(t.core, h, id, CORE_ANSWER_DELAY, 5000, t.now, &ms), 0);
	ck_assert_uint_eq(ms, 5000);
	ck_assert_uint_eq(view(a).deadline, t.now + 5000 * MS);
	ck_assert_uint_eq(view(b).deadline, t.now + 5000 * MS);
	ck_assert_int_eq(core_answer_all(t.core, h, id, CORE_ANSWER_NO_MATCHING, 0, t.now, &ms), 0);
	fence(CORE_CAUSE_REVOKE);
	none(CORE_CMD_BREAK_READY);
	ck_assert_int_eq(core_answer_all(t.core, h, id, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_STATE);
	fence(CORE_CAUSE_REVOKE);
	ck_assert_int_eq(ready(id).account[1].result, CORE_RESULT_NO_MATCHING);
}
END_TEST

START_TEST(wide_recall_waits_for_the_youngest)
{
	uint64_t h = holder();

	seal(h, 0, 100, CORE_WRITE);
	pass(15);
	seal(h, 200, 300, CORE_WRITE);
	brk(0, 0, .scope = CORE_SCOPE_OBJECT);
	pass(19);
	none(CORE_CMD_RECALL);
	pass(1);
	take(CORE_CMD_RECALL);
	none(CORE_CMD_RECALL);
}
END_TEST

START_TEST(wide_recall_is_revoked_seal_by_seal)
{
	uint64_t h = holder(), a = seal(h, 0, 100, CORE_WRITE), b = seal(h, 200, 300, CORE_WRITE), id;

	pass(20);
	id = brk(0, 0, .scope = CORE_SCOPE_OBJECT);
	give_back(a, 0, 100);
	pass(2000);
	ck_assert_uint_eq(fence(CORE_CAUSE_REVOKE).seal, b);
	none(CORE_CMD_FENCE);
	ready(id);
}
END_TEST

START_TEST(new_acquires_wait_for_wide_breaks)
{
	uint64_t o2 = new_object(7, NULL), o3 = new_object(8, NULL), s, b, a;

	s = seal(holder(), 0, 100, CORE_WRITE);
	pass(20);
	b = brk(0, 0, .scope = CORE_SCOPE_DEVICE, .device = 7, .hold_ms = 100);
	a = ask(holder(), 0, 100, CORE_READ, .object = o2);
	none(CORE_CMD_GRANT);
	seal(holder(), 0, 100, CORE_READ, .object = o3);
	give_back(s, 0, 100);
	ready(b);
	refused(ask(holder(), 500, 600, CORE_READ), CORE_E_TRY_LATER);
	none(CORE_CMD_GRANT);
	pass(100);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, a);
}
END_TEST

START_TEST(wide_breaks_wait_for_the_line)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), w, all, dev, dev8;
	struct core_command c;

	pass(20);
	w = ask(holder(), 0, 100, CORE_WRITE);
	all = brk(0, 0, .scope = CORE_SCOPE_ALL);
	dev = brk(0, 0, .scope = CORE_SCOPE_DEVICE, .device = 7);
	dev8 = brk(0, 0, .scope = CORE_SCOPE_DEVICE, .device = 8);
	give_back(s, 0, 100);
	c = take(CORE_CMD_GRANT);
	ck_assert_uint_eq(c.request, w);
	none(CORE_CMD_BREAK_READY);
	give_back(c.seal, 0, 100);
	ready(all);
	ready(dev);
	ready(dev8);
}
END_TEST

START_TEST(wide_recall_of_what_is_recalled_already)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE), b, w, deadline;
	struct core_command c;
	uint32_t ms;

	pass(20);
	b = brk(0, 10);
	deadline = take(CORE_CMD_RECALL).deadline;
	pass(500);
	w = brk(0, 0, .scope = CORE_SCOPE_OBJECT);
	c = take(CORE_CMD_RECALL);
	ck_assert_int_eq(c.scope, CORE_SCOPE_OBJECT);
	/* Joined: the deadline does not move. */
	ck_assert_uint_eq(c.deadline, deadline);
	ck_assert_uint_eq(view(s).seq, 2);
	ck_assert_int_eq(core_answer_all(t.core, h, w, CORE_ANSWER_OK, 0, t.now, &ms), 0);
	ck_assert_uint_eq(ms, 1500);
	give_back(s, 0, 100);
	ready(b);
	ready(w);
}
END_TEST

START_TEST(split_stays_under_the_wide_recall)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE), id, up;
	uint32_t ms;

	pass(20);
	id = brk(0, 0, .scope = CORE_SCOPE_OBJECT);
	up = give_back(s, 40, 60).split_seal;
	ck_assert_int_eq(core_answer_all(t.core, h, id, CORE_ANSWER_DELAY, 9000, t.now, &ms), 0);
	ck_assert_uint_eq(view(up).deadline, t.now + 9000 * MS);
	ck_assert_uint_eq(view(s).deadline, t.now + 9000 * MS);
}
END_TEST

START_TEST(withdrawn_wide_recall_lapses)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE), id;
	uint32_t ms;

	pass(20);
	id = brk(0, 0, .scope = CORE_SCOPE_ALL);
	take(CORE_CMD_RECALL);
	ck_assert_int_eq(core_withdraw(t.core, id, t.now), 0);
	ck_assert_uint_eq(take(CORE_CMD_LAPSED).seal, s);
	ck_assert_int_eq(core_answer_all(t.core, h, id, CORE_ANSWER_OK, 0, t.now, &ms),
			 CORE_E_BAD_BREAK);
	seal(holder(), 0, 100, CORE_READ, .object = new_object(1, NULL));
}
END_TEST

START_TEST(wide_read_flushes)
{
	uint64_t o2 = new_object(7, NULL), id, a;

	seal(holder(), 0, 100, CORE_WRITE);
	seal(holder(), 0, 100, CORE_WRITE, .object = o2);
	id = brk(0, 0, .scope = CORE_SCOPE_ALL, .want = CORE_WANT_FOREIGN_READ);
	a = take(CORE_CMD_FLUSH).job;
	core_flushed(t.core, take(CORE_CMD_FLUSH).job, 0, t.now);
	core_flushed(t.core, a, 0, t.now);
	ready(id);
}
END_TEST

/* ---- RECALL_ANY -------------------------------------------------------------------------- */

START_TEST(any_asks_then_takes_the_oldest)
{
	uint64_t h = holder(), s[5];
	struct core_command c;

	for (int i = 0; i < 5; i++) {
		s[i] = seal(h, i * 100, i * 100 + 100, CORE_WRITE);
		pass(1);
	}
	pass(20);
	ck_assert_int_eq(core_recall_any(t.core, h, 2, t.now), 0);
	c = take(CORE_CMD_RECALL_ANY);
	ck_assert_uint_eq(c.holder, h);
	ck_assert_uint_eq(c.keep, 2);
	give_back(s[1], 100, 200);
	pass(1999);
	none(CORE_CMD_RECALL);
	pass(1);
	/* Four are left, two may stay. */
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, s[0]);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, s[2]);
	none(CORE_CMD_RECALL);
	give_back(s[0], 0, 100);
	none(CORE_CMD_BREAK_READY);
	pass(2000);
	ck_assert_uint_eq(fence(CORE_CAUSE_REVOKE).seal, s[2]);
	take(CORE_CMD_REVOKED);
	ck_assert_uint_eq(stats().seals, 2);
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	ck_assert_uint_eq(stats().requests, 0);
}
END_TEST

START_TEST(any_is_satisfied_by_the_holders_choice)
{
	uint64_t h = holder(), a = seal(h, 0, 100, CORE_WRITE), b = seal(h, 100, 200, CORE_WRITE);

	ck_assert_int_eq(core_recall_any(t.core, h, 1, t.now), 0);
	give_back(b, 100, 200);
	pass(5000);
	none(CORE_CMD_RECALL);
	ck_assert_int_eq(view(a).state, CORE_SEAL_HELD);
	ck_assert_int_eq(core_recall_any(t.core, 9999, 1, t.now), CORE_E_BAD_HOLDER);
}
END_TEST

START_TEST(any_leaves_others_and_hard_ones_alone)
{
	uint64_t h = holder(), hard = seal(h, 0, 100, CORE_READ, .flags = CORE_F_HARD);
	uint64_t mine = seal(h, 100, 200, CORE_READ), other = seal(holder(), 100, 200, CORE_READ);

	pass(20);
	ck_assert_int_eq(core_recall_any(t.core, h, 0, t.now), 0);
	pass(2000);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, mine);
	none(CORE_CMD_RECALL);
	ck_assert_int_eq(view(hard).state, CORE_SEAL_HELD);
	ck_assert_int_eq(view(other).state, CORE_SEAL_HELD);
}
END_TEST

START_TEST(any_of_a_gone_holder_is_forgotten)
{
	uint64_t h = holder();

	seal(h, 0, 100, CORE_READ);
	ck_assert_int_eq(core_recall_any(t.core, h, 0, t.now), 0);
	core_holder_gone(t.core, h, t.now);
	fence(CORE_CAUSE_DEATH);
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	pass(5000);
	none(CORE_CMD_RECALL);
}
END_TEST

START_TEST(split_halves_are_as_old_as_the_whole)
{
	uint64_t h = holder(), a = seal(h, 0, 100, CORE_READ), b = seal(h, 100, 200, CORE_READ), up;

	up = give_back(a, 40, 60).split_seal;
	pass(20);
	ck_assert_int_eq(core_recall_any(t.core, h, 1, t.now), 0);
	pass(2000);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, a);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, up);
	none(CORE_CMD_RECALL);
	ck_assert_int_eq(view(b).state, CORE_SEAL_HELD);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scope");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, one_recall_for_each_holder);
	tcase_add_test(tc, device_takes_its_objects);
	tcase_add_test(tc, all_takes_everything);
	tcase_add_test(tc, one_answer_for_all);
	tcase_add_test(tc, wide_recall_waits_for_the_youngest);
	tcase_add_test(tc, wide_recall_is_revoked_seal_by_seal);
	tcase_add_test(tc, new_acquires_wait_for_wide_breaks);
	tcase_add_test(tc, wide_breaks_wait_for_the_line);
	tcase_add_test(tc, wide_recall_of_what_is_recalled_already);
	tcase_add_test(tc, split_stays_under_the_wide_recall);
	tcase_add_test(tc, withdrawn_wide_recall_lapses);
	tcase_add_test(tc, wide_read_flushes);
	tcase_add_test(tc, any_asks_then_takes_the_oldest);
	tcase_add_test(tc, any_is_satisfied_by_the_holders_choice);
	tcase_add_test(tc, any_leaves_others_and_hard_ones_alone);
	tcase_add_test(tc, any_of_a_gone_holder_is_forgotten);
	tcase_add_test(tc, split_halves_are_as_old_as_the_whole);
	return core_run(s);
}
