/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who does not wait, or not for ever: NO_WAIT, WANT_AVAIL, a time of its own, and who gives up. */

#include "tests/unit/core/core-test.h"

START_TEST(no_wait_is_refused_and_recalls_nothing)
{
	uint64_t s = held(), b;
	struct core_command c;

	c = refused(ask(holder(), 0, 100, CORE_READ, .flags = CORE_F_NO_WAIT), CORE_E_TRY_LATER);
	ck_assert_uint_eq(c.blocker, s);
	refused(brk(0, 100, .flags = CORE_F_NO_WAIT), CORE_E_TRY_LATER);
	none(CORE_CMD_RECALL);
	b = brk(0, 100);
	c = refused(ask(holder(), 0, 100, CORE_READ, .flags = CORE_F_NO_WAIT), CORE_E_TRY_LATER);
	ck_assert_uint_ne(c.deadline, CORE_NEVER);
	give_back(s, 0, 100);
	ready(b);
	seal(holder(), 0, 100, CORE_READ, .flags = CORE_F_NO_WAIT);
}
END_TEST

START_TEST(no_wait_names_the_break_in_the_way)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), b;

	(void)s;
	pass(20);
	b = brk(0, 200);
	ck_assert_uint_eq(refused(ask(holder(), 150, 160, CORE_READ, .flags = CORE_F_NO_WAIT),
				  CORE_E_TRY_LATER)
				  .blocking_break,
			  b);
}
END_TEST

START_TEST(avail_when_it_would_be_granted)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), r;
	unsigned int f = CORE_F_NO_WAIT | CORE_F_WANT_AVAIL;

	r = ask(holder(), 0, 100, CORE_READ, .flags = f);
	refused(r, CORE_E_TRY_LATER);
	give_back(s, 0, 50);
	none(CORE_CMD_AVAIL);
	give_back(s, 50, 100);
	ck_assert_uint_eq(take(CORE_CMD_AVAIL).request, r);
	none(CORE_CMD_GRANT);
	ck_assert_uint_eq(stats().avails, 1);
	/* Once. */
	s = seal(holder(), 0, 100, CORE_WRITE);
	give_back(s, 0, 100);
	none(CORE_CMD_AVAIL);
}
END_TEST

START_TEST(avail_comes_after_the_line)
{
	uint64_t s = held(), r, w;
	struct core_command c;

	r = ask(holder(), 0, 100, CORE_READ, .flags = CORE_F_NO_WAIT | CORE_F_WANT_AVAIL);
	w = ask(holder(), 0, 100, CORE_WRITE);
	give_back(s, 0, 100);
	c = take(CORE_CMD_GRANT);
	ck_assert_uint_eq(c.request, w);
	none(CORE_CMD_AVAIL);
	give_back(c.seal, 0, 100);
	ck_assert_uint_eq(take(CORE_CMD_AVAIL).request, r);
}
END_TEST

START_TEST(avail_is_for_breaks_too_and_can_be_withdrawn)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), a, b, all;
	unsigned int f = CORE_F_NO_WAIT | CORE_F_WANT_AVAIL;

	a = brk(0, 10, .flags = f);
	b = brk(0, 10, .flags = f);
	all = brk(0, 0, .scope = CORE_SCOPE_ALL, .flags = f);
	refused(a, CORE_E_TRY_LATER);
	refused(b, CORE_E_TRY_LATER);
	refused(all, CORE_E_TRY_LATER);
	ck_assert_int_eq(core_withdraw(t.core, a, t.now), 0);
	none(CORE_CMD_REFUSE);
	give_back(s, 0, 100);
	ck_assert_uint_eq(take(CORE_CMD_AVAIL).request, b);
	ck_assert_uint_eq(take(CORE_CMD_AVAIL).request, all);
	none(CORE_CMD_AVAIL);
}
END_TEST

START_TEST(own_patience_ends)
{
	uint64_t s = held(), b;
	struct core_command c;

	b = brk(0, 100, .wait_ms = 500);
	pass(499);
	none(CORE_CMD_REFUSE);
	pass(1);
	c = refused(b, CORE_E_TIMED_OUT);
	ck_assert_uint_eq(c.blocker, s);
	ck_assert_uint_eq(c.n_account, 1);
	ck_assert_int_eq(c.account[0].result, CORE_RESULT_PENDING);
	ck_assert_uint_eq(c.account[0].ms, 500);
	take(CORE_CMD_LAPSED);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	pass(20000);
	none(CORE_CMD_FENCE);
}
END_TEST

START_TEST(patience_of_an_acquire)
{
	uint64_t w, r;

	seal(holder(), 0, 100, CORE_WRITE);
	w = ask(holder(), 0, 100, CORE_WRITE, .wait_ms = 100);
	r = ask(holder(), 0, 100, CORE_WRITE);
	pass(100);
	refused(w, CORE_E_TIMED_OUT);
	none(CORE_CMD_LAPSED);
	none(CORE_CMD_GRANT);
	/* The other one still wants it. */
	pass(1920);
	fence(CORE_CAUSE_REVOKE);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, r);
}
END_TEST

START_TEST(withdrawn_lets_the_next_go)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), w, r;

	pass(20);
	w = ask(holder(), 0, 100, CORE_WRITE);
	r = ask(holder(), 0, 100, CORE_READ);
	ck_assert_int_eq(core_withdraw(t.core, w, t.now), 0);
	refused(w, CORE_E_HOLDER_GONE);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, r);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	ck_assert_int_eq(core_withdraw(t.core, w, t.now), CORE_E_BAD_BREAK);
}
END_TEST

START_TEST(gone_requester_leaves_the_line)
{
	uint64_t h = holder(), w, r;

	seal(holder(), 0, 100, CORE_READ);
	pass(20);
	w = ask(h, 0, 100, CORE_WRITE);
	r = ask(holder(), 0, 100, CORE_READ);
	core_holder_gone(t.core, h, t.now);
	refused(w, CORE_E_HOLDER_GONE);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, r);
	take(CORE_CMD_LAPSED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("patience");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, no_wait_is_refused_and_recalls_nothing);
	tcase_add_test(tc, no_wait_names_the_break_in_the_way);
	tcase_add_test(tc, avail_when_it_would_be_granted);
	tcase_add_test(tc, avail_comes_after_the_line);
	tcase_add_test(tc, avail_is_for_breaks_too_and_can_be_withdrawn);
	tcase_add_test(tc, own_patience_ends);
	tcase_add_test(tc, patience_of_an_acquire);
	tcase_add_test(tc, withdrawn_lets_the_next_go);
	tcase_add_test(tc, gone_requester_leaves_the_line);
	return core_run(s);
}
