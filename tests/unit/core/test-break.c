/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Breaks: when they are ready, what a hold keeps out, whom its token lets through, how it ends. */

#include "tests/unit/core/core-test.h"

START_TEST(free_range_is_ready_at_once)
{
	uint64_t b = brk(0, 100);
	struct core_command c = ready(b);

	ck_assert_uint_eq(c.token, 0);
	ck_assert_uint_eq(c.n_account, 0);
	none(CORE_CMD_BREAK_OVER);
	/* No hold: it is over, and its id unknown. */
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), CORE_E_BAD_BREAK);
	seal(holder(), 0, 100, CORE_WRITE);
}
END_TEST

START_TEST(hold_keeps_everybody_out)
{
	uint64_t b = brk(0, 100, .hold_ms = 1000);
	struct core_command c = ready(b);

	ck_assert_uint_ne(c.token, 0);
	ck_assert_uint_eq(c.hold_ms, 1000);
	c = refused(ask(holder(), 50, 150, CORE_READ), CORE_E_TRY_LATER);
	ck_assert_uint_eq(c.blocking_break, b);
	ck_assert_uint_eq(c.blocker, 0);
	refused(brk(99, 200), CORE_E_TRY_LATER);
	refused(brk(0, 1, .want = CORE_WANT_FOREIGN_READ), CORE_E_TRY_LATER);
	refused(brk(0, 0, .scope = CORE_SCOPE_ALL), CORE_E_TRY_LATER);
	seal(holder(), 100, 200, CORE_READ);
}
END_TEST

START_TEST(hold_ends_when_breaker_says)
{
	uint64_t h = holder(), b = brk(0, 100, .holder = h, .hold_ms = 1000);
	uint64_t token = ready(b).token;

	ck_assert_int_eq(core_break_end(t.core, h, b, token + 1, t.now), CORE_E_BAD_BREAK);
	ck_assert_int_eq(core_break_end(t.core, 0, b, token, t.now), CORE_E_BAD_BREAK);
	ck_assert_int_eq(core_break_end(t.core, h, b + 1, token, t.now), CORE_E_BAD_BREAK);
	none(CORE_CMD_BREAK_OVER);
	ck_assert_int_eq(core_break_end(t.core, h, b, token, t.now), 0);
	ck_assert_uint_eq(take(CORE_CMD_BREAK_OVER).request, b);
	none(CORE_CMD_BREAK_EXPIRED);
	ck_assert_int_eq(core_break_end(t.core, h, b, token, t.now), CORE_E_BAD_BREAK);
	seal(holder(), 0, 100, CORE_READ);
	pass(2000);
	none(CORE_CMD_BREAK_EXPIRED);
}
END_TEST

START_TEST(hold_expires)
{
	uint64_t b = brk(0, 100, .hold_ms = 1000), id;
	struct core_acquire a = { .holder = holder(), .object = t.object, .end = 1,
				  .mode = CORE_READ, .kind = CORE_WINDOW };

	a.token = ready(b).token;
	pass(999);
	none(CORE_CMD_BREAK_EXPIRED);
	pass(1);
	ck_assert_uint_eq(take(CORE_CMD_BREAK_EXPIRED).request, b);
	ck_assert_uint_eq(take(CORE_CMD_BREAK_OVER).request, b);
	ck_assert_int_eq(core_break_end(t.core, 0, b, a.token, t.now), CORE_E_BAD_BREAK);
	/* The token is worth nothing any more. */
	ck_assert_int_eq(core_acquire(t.core, &a, t.now, &id), CORE_E_BAD_BREAK);
	ck_assert_uint_eq(stats().holds_expired, 1);
}
END_TEST

START_TEST(longest_hold_is_policy)
{
	ck_assert_uint_eq(ready(brk(0, 100, .hold_ms = 999999)).hold_ms, 30000);
	pass(30000);
	take(CORE_CMD_BREAK_EXPIRED);
}
END_TEST

START_TEST(hold_begins_when_ready)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), b;

	pass(20);
	b = brk(0, 100, .hold_ms = 1000);
	pass(1500);
	give_back(s, 0, 100);
	ready(b);
	pass(999);
	none(CORE_CMD_BREAK_EXPIRED);
	pass(1);
	take(CORE_CMD_BREAK_EXPIRED);
}
END_TEST

START_TEST(withdrawn_hold_is_over)
{
	uint64_t b = brk(0, 100, .hold_ms = 1000);

	ready(b);
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), 0);
	take(CORE_CMD_BREAK_OVER);
	none(CORE_CMD_REFUSE);
	seal(holder(), 0, 100, CORE_READ);
}
END_TEST

START_TEST(gone_breaker_holds_nothing)
{
	uint64_t h = holder(), b = brk(0, 100, .holder = h, .hold_ms = 1000);

	ready(b);
	core_holder_gone(t.core, h, t.now);
	take(CORE_CMD_BREAK_OVER);
	none(CORE_CMD_BREAK_EXPIRED);
	seal(holder(), 0, 100, CORE_READ);
}
END_TEST

START_TEST(token_passes_its_hold)
{
	uint64_t b = brk(0, 100, .hold_ms = 1000), token = ready(b).token, s;

	s = seal(holder(), 0, 50, CORE_WRITE, .token = token);
	ready(brk(60, 70, .token = token));
	ready(brk(60, 70, .want = CORE_WANT_FOREIGN_READ, .token = token));
	refused(ask(holder(), 60, 70, CORE_READ), CORE_E_TRY_LATER);
	/* An ordinary seal from now on. */
	pass(1000);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	brk(0, 10);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).seal, s);
}
END_TEST

START_TEST(token_does_not_pass_another_hold)
{
	uint64_t token = ready(brk(0, 100, .hold_ms = 1000)).token;

	ready(brk(100, 200, .hold_ms = 1000));
	refused(ask(holder(), 50, 150, CORE_READ, .token = token), CORE_E_TRY_LATER);
}
END_TEST

START_TEST(token_does_not_wait_for_those_who_wait_for_its_hold)
{
	uint64_t s = held(), b, w, token, r;
	struct core_command c;

	b = brk(0, 100, .hold_ms = 1000);
	w = ask(holder(), 0, 100, CORE_WRITE);
	give_back(s, 0, 100);
	token = ready(b).token;
	r = ask(holder(), 0, 50, CORE_READ, .token = token);
	c = take(CORE_CMD_GRANT);
	ck_assert_uint_eq(c.request, r);
	none(CORE_CMD_GRANT);
	ck_assert_int_eq(core_break_end(t.core, 0, b, token, t.now), 0);
	none(CORE_CMD_GRANT);
	give_back(c.seal, 0, 50);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, w);
}
END_TEST

START_TEST(hold_within_a_hold)
{
	uint64_t outer = ready(brk(0, 100, .hold_ms = 1000)).token, inner;

	inner = ready(brk(0, 50, .hold_ms = 1000, .token = outer)).token;
	ck_assert_uint_ne(inner, outer);
	refused(ask(holder(), 0, 10, CORE_READ, .token = outer), CORE_E_TRY_LATER);
	/* What the inner one starts is part of the outer one as well. */
	seal(holder(), 0, 10, CORE_READ, .token = inner);
	seal(holder(), 60, 70, CORE_READ, .token = outer);
}
END_TEST

START_TEST(queued_before_the_hold_stays_queued)
{
	uint64_t s = held(), b, w, c2;

	b = brk(0, 100, .hold_ms = 1000);
	w = ask(holder(), 0, 100, CORE_READ);
	c2 = brk(0, 100);
	give_back(s, 0, 100);
	ready(b);
	none(CORE_CMD_GRANT);
	none(CORE_CMD_REFUSE);
	pass(1000);
	take(CORE_CMD_BREAK_OVER);
	s = take(CORE_CMD_GRANT).seal;
	ck_assert_uint_ne(w, 0);
	none(CORE_CMD_BREAK_READY);
	give_back(s, 0, 100);
	ready(c2);
}
END_TEST

START_TEST(avail_after_a_hold)
{
	uint64_t b = brk(0, 100, .hold_ms = 1000), r;

	ready(b);
	/* Without NO_WAIT too: a hold is nothing to wait for. */
	r = ask(holder(), 0, 10, CORE_READ, .flags = CORE_F_WANT_AVAIL);
	refused(r, CORE_E_TRY_LATER);
	pass(999);
	none(CORE_CMD_AVAIL);
	pass(1);
	ck_assert_uint_eq(take(CORE_CMD_AVAIL).request, r);
}
END_TEST

START_TEST(breaks_go_in_order)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ), a, b;

	pass(20);
	a = brk(0, 100, .hold_ms = 500);
	b = brk(50, 60, .hold_ms = 500);
	give_back(s, 0, 100);
	ready(a);
	none(CORE_CMD_BREAK_READY);
	pass(500);
	ready(b);
}
END_TEST

START_TEST(break_goes_on_when_its_part_is_back)
{
	uint64_t s = held(), b;

	b = brk(0, 50);
	give_back(s, 0, 30);
	none(CORE_CMD_BREAK_READY);
	give_back(s, 30, 50);
	ready(b);
	ck_assert_uint_eq(view(s).start, 50);
	ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
}
END_TEST

START_TEST(own_seals_are_recalled_as_others)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE), b;

	pass(20);
	b = brk(0, 100, .holder = h);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).holder, h);
	give_back(s, 0, 100);
	ready(b);
}
END_TEST

START_TEST(tokens_differ)
{
	uint64_t a = ready(brk(0, 10, .hold_ms = 10)).token;
	uint64_t b = ready(brk(10, 20, .hold_ms = 10)).token;

	ck_assert_uint_ne(a, b);
	ck_assert_uint_gt(a, UINT32_MAX);
	ck_assert_uint_gt(b, UINT32_MAX);
}
END_TEST

START_TEST(bad_form_is_answered_directly)
{
	struct core_break good = { .object = t.object, .end = 1, .want = CORE_WANT_LAYOUT }, b;
	uint64_t id = 77;

	b = good, b.end = 0;
	ck_assert_int_eq(core_break(t.core, &b, t.now, &id), CORE_E_BAD_RANGE);
	b = good, b.holder = 999;
	ck_assert_int_eq(core_break(t.core, &b, t.now, &id), CORE_E_BAD_HOLDER);
	b = good, b.object = 999;
	ck_assert_int_eq(core_break(t.core, &b, t.now, &id), CORE_E_BAD_OBJECT);
	b.scope = CORE_SCOPE_OBJECT;
	ck_assert_int_eq(core_break(t.core, &b, t.now, &id), CORE_E_BAD_OBJECT);
	b.scope = CORE_SCOPE_DEVICE;
	ck_assert_int_eq(core_break(t.core, &b, t.now, &id), CORE_E_BAD_OBJECT);
	b = good, b.token = 5;
	ck_assert_int_eq(core_break(t.core, &b, t.now, &id), CORE_E_BAD_BREAK);
	ck_assert_uint_eq(id, 77);
	t_log();
	ck_assert_uint_eq(t.n_log, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("break");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, free_range_is_ready_at_once);
	tcase_add_test(tc, hold_keeps_everybody_out);
	tcase_add_test(tc, hold_ends_when_breaker_says);
	tcase_add_test(tc, hold_expires);
	tcase_add_test(tc, longest_hold_is_policy);
	tcase_add_test(tc, hold_begins_when_ready);
	tcase_add_test(tc, withdrawn_hold_is_over);
	tcase_add_test(tc, gone_breaker_holds_nothing);
	tcase_add_test(tc, token_passes_its_hold);
	tcase_add_test(tc, token_does_not_pass_another_hold);
	tcase_add_test(tc, token_does_not_wait_for_those_who_wait_for_its_hold);
	tcase_add_test(tc, hold_within_a_hold);
	tcase_add_test(tc, queued_before_the_hold_stays_queued);
	tcase_add_test(tc, avail_after_a_hold);
	tcase_add_test(tc, breaks_go_in_order);
	tcase_add_test(tc, break_goes_on_when_its_part_is_back);
	tcase_add_test(tc, own_seals_are_recalled_as_others);
	tcase_add_test(tc, tokens_differ);
	tcase_add_test(tc, bad_form_is_answered_directly);
	return core_run(s);
}
