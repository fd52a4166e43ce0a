/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Announced reads: who is made to flush, once, and who waits for that. */

#include "tests/unit/core/core-test.h"

START_TEST(read_asks_for_a_flush)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), r;
	struct core_command c;

	r = brk(50, 200, .want = CORE_WANT_FOREIGN_READ, .hold_ms = 1000);
	c = take(CORE_CMD_FLUSH);
	ck_assert_uint_eq(c.seal, s);
	ck_assert_uint_eq(c.start, 50);
	ck_assert_uint_eq(c.end, 100);
	none(CORE_CMD_BREAK_READY);
	pass(100);
	core_flushed(t.core, c.job, 0, t.now);
	c = ready(r);
	/* Nothing is held. */
	ck_assert_uint_eq(c.token, 0);
	ck_assert_int_eq(c.account[0].result, CORE_RESULT_FLUSHED);
	ck_assert_uint_eq(c.account[0].ms, 100);
	none(CORE_CMD_RECALL);
	none(CORE_CMD_LAPSED);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	ck_assert_uint_eq(view(s).seq, 1);
	ck_assert_uint_eq(stats().flushes, 1);
}
END_TEST

START_TEST(read_waits_for_all_flushes)
{
	uint64_t r, a;

	seal(holder(), 0, 100, CORE_WRITE);
	seal(holder(), 100, 200, CORE_WRITE);
	seal(holder(), 200, 300, CORE_READ);
	r = brk(0, 300, .want = CORE_WANT_FOREIGN_READ);
	a = take(CORE_CMD_FLUSH).job;
	core_flushed(t.core, take(CORE_CMD_FLUSH).job, 0, t.now);
	none(CORE_CMD_FLUSH);
	none(CORE_CMD_BREAK_READY);
	core_flushed(t.core, a, 0, t.now);
	ready(r);
}
END_TEST

START_TEST(failed_flush_is_an_error)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), r;
	struct core_command c;

	r = brk(0, 100, .want = CORE_WANT_FOREIGN_READ);
	core_flushed(t.core, take(CORE_CMD_FLUSH).job, -28, t.now);
	c = refused(r, CORE_E_IO);
	ck_assert_int_eq(c.quarantine_errno, 28);
	ck_assert_uint_eq(c.blocker, s);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
}
END_TEST

START_TEST(pinnable_is_recalled_for_a_read)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE, .flags = CORE_F_PINNABLE), r;

	pass(20);
	r = brk(0, 100, .want = CORE_WANT_FOREIGN_READ);
	none(CORE_CMD_FLUSH);
	take(CORE_CMD_RECALL);
	give_back(s, 0, 100);
	ck_assert_int_eq(ready(r).account[0].result, CORE_RESULT_RETURNED);
}
END_TEST

START_TEST(return_is_as_good_as_a_flush)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), r, job;

	r = brk(0, 100, .want = CORE_WANT_FOREIGN_READ);
	job = take(CORE_CMD_FLUSH).job;
	give_back(s, 0, 100);
	ck_assert_int_eq(ready(r).account[0].result, CORE_RESULT_RETURNED);
	core_flushed(t.core, job, 0, t.now);
	core_flushed(t.core, job, -5, t.now);
	none(CORE_CMD_REFUSE);
}
END_TEST

START_TEST(flush_of_a_split_seal)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), r, low, high;

	r = brk(0, 100, .want = CORE_WANT_FOREIGN_READ);
	low = take(CORE_CMD_FLUSH).job;
	give_back(s, 40, 60);
	high = take(CORE_CMD_FLUSH).job;
	core_flushed(t.core, low, 0, t.now);
	none(CORE_CMD_BREAK_READY);
	core_flushed(t.core, high, 0, t.now);
	ready(r);
}
END_TEST

START_TEST(read_behind_a_break_flushes_when_it_is_its_turn)
{
	uint64_t s = held(), b, r, w;

	b = brk(0, 50);
	r = brk(0, 100, .want = CORE_WANT_FOREIGN_READ);
	w = ask(holder(), 0, 50, CORE_WRITE);
	none(CORE_CMD_FLUSH);
	give_back(s, 0, 50);
	ready(b);
	/* Read first, write afterwards. */
	none(CORE_CMD_GRANT);
	core_flushed(t.core, take(CORE_CMD_FLUSH).job, 0, t.now);
	ready(r);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, w);
}
END_TEST

START_TEST(recall_lapses_though_a_flush_is_out)
{
	uint64_t s = held(), a, job, r;

	r = brk(0, 100, .want = CORE_WANT_FOREIGN_READ);
	job = take(CORE_CMD_FLUSH).job;
	a = ask(holder(), 0, 100, CORE_READ);
	ck_assert_int_eq(view(s).state, CORE_SEAL_RECALLED);
	ck_assert_int_eq(core_withdraw(t.core, a, t.now), 0);
	take(CORE_CMD_LAPSED);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	core_flushed(t.core, job, 0, t.now);
	ready(r);
	pass(20000);
	none(CORE_CMD_FENCE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("read");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, read_asks_for_a_flush);
	tcase_add_test(tc, read_waits_for_all_flushes);
	tcase_add_test(tc, failed_flush_is_an_error);
	tcase_add_test(tc, pinnable_is_recalled_for_a_read);
	tcase_add_test(tc, return_is_as_good_as_a_flush);
	tcase_add_test(tc, flush_of_a_split_seal);
	tcase_add_test(tc, read_behind_a_break_flushes_when_it_is_its_turn);
	tcase_add_test(tc, recall_lapses_though_a_flush_is_out);
	return core_run(s);
}
