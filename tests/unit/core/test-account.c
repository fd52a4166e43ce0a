/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The account of each break, and what queries show. */

#include "tests/unit/core/core-test.h"

START_TEST(says_who_how_when_and_what)
{
	uint64_t a, b, c, d, id, hb;
	const struct core_account_entry *e;
	struct core_fence_result torn = { .fence = CORE_FENCE_TORN_POSSIBLE, .quarantined = 4096 };
	struct core_command cmd;
	uint32_t ms;

	hb = holder_of(12);
	a = seal(holder_of(11), 0, 100, CORE_READ);
	b = seal(hb, 0, 100, CORE_READ);
	c = seal(holder_of(13), 0, 100, CORE_READ, .flags = CORE_F_TRANSPARENT);
	d = seal(holder_of(14), 0, 100, CORE_READ);
	pass(20);
	id = brk(0, 100);
	pass(5);
	fence(CORE_CAUSE_PARK);
	pass(5);
	ck_assert_int_eq(answer(a, CORE_ANSWER_OK, 0, &ms), 0);
	ck_assert_int_eq(answer(b, CORE_ANSWER_DELAY, 100, &ms), 0);
	pass(30);
	give_back(a, 0, 100);
	core_holder_gone(t.core, hb, t.now);
	pass(10);
	fence(CORE_CAUSE_DEATH);
	pass(1950);
	torn.job = take(CORE_CMD_FENCE).job;
	pass(250);
	core_fenced(t.core, &torn, t.now);
	cmd = ready(id);
	ck_assert_uint_eq(cmd.n_account, 4);
	for (size_t i = 0; i < 4; i++) {
		e = &cmd.account[i];
		if (e->seal == a) {
			ck_assert_uint_eq(e->process, 11);
			ck_assert_uint_eq(e->uid, 1011);
			ck_assert_int_eq(e->answer, CORE_ANSWER_OK);
			ck_assert_int_eq(e->result, CORE_RESULT_RETURNED);
			ck_assert_int_eq(e->fence, CORE_FENCE_FENCED);
			ck_assert_uint_eq(e->ms, 40);
		} else if (e->seal == b) {
			ck_assert_uint_eq(e->holder, hb);
			ck_assert_int_eq(e->answer, CORE_ANSWER_DELAY);
			ck_assert_int_eq(e->result, CORE_RESULT_GONE);
			ck_assert_uint_eq(e->ms, 50);
		} else if (e->seal == c) {
			ck_assert_int_eq(e->answer, 0);
			ck_assert_int_eq(e->result, CORE_RESULT_PARKED);
			ck_assert_uint_eq(e->ms, 5);
		} else {
			ck_assert_uint_eq(e->seal, d);
			ck_assert_int_eq(e->answer, 0);
			ck_assert_int_eq(e->result, CORE_RESULT_REVOKED);
			ck_assert_int_eq(e->fence, CORE_FENCE_TORN_POSSIBLE);
			ck_assert_uint_eq(e->ms, 2250);
			ck_assert_uint_eq(e->quarantined, 4096);
		}
	}
}
END_TEST

START_TEST(who_joins_sees_the_answer_given)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE), b;
	uint32_t ms;

	pass(20);
	brk(0, 100);
	ck_assert_int_eq(answer(s, CORE_ANSWER_OK, 0, &ms), 0);
	b = brk(0, 50, .wait_ms = 10);
	pass(10);
	ck_assert_int_eq(refused(b, CORE_E_TIMED_OUT).account[0].answer, CORE_ANSWER_OK);
}
END_TEST

START_TEST(account_is_lent_until_the_next_command)
{
	uint64_t s = seal(holder(), 0, 100, CORE_WRITE);
	struct core_command c;

	pass(20);
	brk(0, 100);
	give_back(s, 0, 100);
	c = take(CORE_CMD_BREAK_READY);
	ck_assert_uint_eq(c.n_account, 1);
	ck_assert(!core_next_command(t.core, &c));
	ck_assert(!core_next_command(t.core, &c));
}
END_TEST

/* ---- queries ----------------------------------------------------------------------------- */

struct seen {
	size_t n, stop;
	uint64_t ids[16];
	struct core_request_view last;
};

struct lines {
	size_t n;
	struct core_account_entry last;
};

static bool see_request(const struct core_request_view *r, void *data)
{
	struct seen *seen = data;

	seen->last = *r;
	seen->ids[seen->n++] = r->id;
	return seen->n != seen->stop;
}

static void see_line(const struct core_account_entry *line, void *data)
{
	struct lines *lines = data;

	lines->last = *line;
	lines->n++;
}

static bool see_seal(const struct core_seal_view *s, void *data)
{
	struct seen *seen = data;

	seen->ids[seen->n++] = s->id;
	return seen->n != seen->stop;
}

START_TEST(who_is_blocking_me_has_an_answer)
{
	uint64_t h = holder(), s = seal(holder_of(3), 0, 100, CORE_WRITE), b;
	struct lines lines = { 0 };
	struct seen seen = { 0 };

	pass(20);
	b = brk(0, 100, .holder = h, .wait_ms = 500);
	pass(100);
	core_request_each(t.core, see_request, &seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(seen.last.id, b);
	ck_assert_uint_eq(seen.last.holder, h);
	ck_assert(seen.last.is_break);
	ck_assert(!seen.last.held);
	ck_assert_uint_eq(seen.last.since, t.now - 100 * MS);
	ck_assert_uint_eq(seen.last.until, t.now + 400 * MS);
	ck_assert_uint_eq(seen.last.n_account, 1);
	core_request_account(t.core, b, see_line, &lines);
	ck_assert_uint_eq(lines.n, 1);
	ck_assert_uint_eq(lines.last.seal, s);
	ck_assert_uint_eq(lines.last.process, 3);
	ck_assert_uint_eq(lines.last.ms, 100);
	ck_assert_int_eq(lines.last.result, CORE_RESULT_PENDING);
}
END_TEST

START_TEST(one_request_can_be_looked_at)
{
	uint64_t h = holder(), s = seal(holder(), 0, 100, CORE_WRITE), b, w;
	struct core_request_view v = { .id = 77 };
	struct lines lines = { 0 };

	pass(20);
	b = brk(0, 100);
	ck_assert(core_request_show(t.core, b, &v));
	ck_assert_uint_eq(v.id, b);
	ck_assert(v.is_break);
	w = ask(h, 0, 100, CORE_READ, .flags = CORE_F_NO_WAIT | CORE_F_WANT_AVAIL);
	/* What is refused waits for nothing, though it wants to hear. */
	ck_assert(!core_request_show(t.core, w, &v));
	ck_assert_uint_eq(v.id, b);
	give_back(s, 0, 100);
	ready(b);
	ck_assert(!core_request_show(t.core, b, &v));
	core_request_account(t.core, b, see_line, &lines);
	ck_assert_uint_eq(lines.n, 0);
}
END_TEST

START_TEST(holds_and_waiters_are_listed_in_order)
{
	uint64_t b = brk(0, 100, .hold_ms = 1000, .process = 8), s, w;
	struct seen seen = { 0 };

	s = seal(holder(), 100, 200, CORE_READ);
	w = ask(holder(), 100, 200, CORE_WRITE);
	(void)s;
	core_request_each(t.core, see_request, &seen);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_uint_eq(seen.ids[0], b);
	ck_assert_uint_eq(seen.ids[1], w);
	ck_assert(!seen.last.is_break);
	ck_assert_uint_eq(seen.last.until, CORE_NEVER);
	seen = (struct seen){ .stop = 1 };
	core_request_each(t.core, see_request, &seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert(seen.last.held);
	ck_assert_uint_eq(seen.last.process, 8);
	ck_assert_uint_eq(seen.last.until, t.now + 1000 * MS);
}
END_TEST

START_TEST(seals_are_listed_by_start)
{
	uint64_t o2 = new_object(1, NULL), c = seal(holder(), 200, 300, CORE_READ);
	uint64_t a = seal(holder(), 0, 100, CORE_READ), b = seal(holder(), 100, 200, CORE_READ);
	uint64_t d = seal(holder(), 0, 100, CORE_READ, .object = o2);
	struct seen seen = { 0 };

	core_seal_each(t.core, t.object, 50, 201, see_seal, &seen);
	ck_assert_uint_eq(seen.n, 3);
	ck_assert_uint_eq(seen.ids[0], a);
	ck_assert_uint_eq(seen.ids[1], b);
	ck_assert_uint_eq(seen.ids[2], c);
	seen = (struct seen){ 0 };
	core_seal_each(t.core, t.object, 100, 200, see_seal, &seen);
	ck_assert_uint_eq(seen.n, 1);
	seen = (struct seen){ 0 };
	core_seal_each(t.core, 0, 0, CORE_INFINITY, see_seal, &seen);
	ck_assert_uint_eq(seen.n, 4);
	ck_assert_uint_eq(seen.ids[3], d);
	seen = (struct seen){ .stop = 2 };
	core_seal_each(t.core, 0, 0, CORE_INFINITY, see_seal, &seen);
	ck_assert_uint_eq(seen.n, 2);
	core_seal_each(t.core, 9999, 0, CORE_INFINITY, see_seal, &seen);
	ck_assert_uint_eq(seen.n, 2);
}
END_TEST

START_TEST(objects_go_when_nothing_is_left)
{
	uint64_t o = new_object(1, NULL), s, b;

	s = seal(holder(), 0, 100, CORE_READ, .object = o);
	core_object_resized(t.core, o, 5);
	ck_assert_int_eq(core_object_drop(t.core, o), CORE_E_STATE);
	give_back(s, 0, 100);
	b = brk(0, 10, .object = o, .hold_ms = 100);
	ck_assert_int_eq(core_object_drop(t.core, o), CORE_E_STATE);
	ck_assert_int_eq(core_withdraw(t.core, b, t.now), 0);
	ck_assert_int_eq(core_object_drop(t.core, o), 0);
	ck_assert_int_eq(core_object_drop(t.core, o), CORE_E_BAD_OBJECT);
}
END_TEST

START_TEST(figures)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_READ);
	struct core_stats st = stats();

	ck_assert_uint_eq(st.holders, 1);
	ck_assert_uint_eq(st.objects, 1);
	ck_assert_uint_eq(st.seals, 1);
	ck_assert_uint_eq(st.grants, 1);
	ck_assert_uint_eq(st.requests, 0);
	ck_assert_uint_le(st.bytes_per_seal, 256);
	brk(0, 100);
	ck_assert_uint_eq(stats().requests, 1);
	give_back(s, 0, 100);
	core_holder_gone(t.core, h, t.now);
	st = stats();
	ck_assert_uint_eq(st.holders, 0);
	ck_assert_uint_eq(st.seals, 0);
	ck_assert_uint_eq(st.requests, 0);
	ck_assert_uint_eq(st.breaks, 1);
}
END_TEST

START_TEST(errors_have_names)
{
	ck_assert_str_eq(core_error_string(CORE_OK), "OK");
	ck_assert_str_eq(core_error_string(-5), "?");
	ck_assert_str_eq(core_error_string(CORE_E_IO + 1), "?");
	for (int i = CORE_OK; i <= CORE_E_IO; i++) {
		ck_assert_ptr_nonnull(core_error_string(i));
		for (int j = CORE_OK; j < i; j++)
			ck_assert_str_ne(core_error_string(i), core_error_string(j));
	}
}
END_TEST

/* Whatever is under way, freeing the core leaves nothing behind; leak checkers look. */
START_TEST(freed_in_the_middle_of_everything)
{
	uint64_t h = holder_of(1), dead = holder(), s;

	s = seal(h, 0, 100, CORE_WRITE);
	seal(h, 100, 200, CORE_WRITE, .flags = CORE_F_TRANSPARENT);
	seal(dead, 200, 300, CORE_READ);
	seal(holder(), 400, 500, CORE_WRITE);
	seal(holder(), 500, 600, CORE_READ, .flags = CORE_F_TRANSPARENT);
	pass(20);
	brk(0, 300);
	brk(0, 0, .scope = CORE_SCOPE_ALL, .process = 77, .flags = CORE_F_GUARD);
	brk(400, 500, .want = CORE_WANT_FOREIGN_READ);
	ask(holder(), 0, 10, CORE_READ, .flags = CORE_F_NO_WAIT | CORE_F_WANT_AVAIL);
	brk(700, 800, .hold_ms = 1000);
	ck_assert_int_eq(give(s, 10, 20), 0);
	core_holder_gone(t.core, dead, t.now);
	core_process_blocked(t.core, 5, true, t.now);
	ck_assert_int_eq(core_recall_any(t.core, h, 0, t.now), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("account");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, says_who_how_when_and_what);
	tcase_add_test(tc, who_joins_sees_the_answer_given);
	tcase_add_test(tc, account_is_lent_until_the_next_command);
	tcase_add_test(tc, who_is_blocking_me_has_an_answer);
	tcase_add_test(tc, one_request_can_be_looked_at);
	tcase_add_test(tc, holds_and_waiters_are_listed_in_order);
	tcase_add_test(tc, seals_are_listed_by_start);
	tcase_add_test(tc, objects_go_when_nothing_is_left);
	tcase_add_test(tc, figures);
	tcase_add_test(tc, errors_have_names);
	tcase_add_test(tc, freed_in_the_middle_of_everything);
	return core_run(s);
}
