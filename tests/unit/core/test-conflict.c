/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The conflict table: each cell by itself, and each cell once more through the core, so that the
 * table is not only right but also asked.
 */

#include "daemon/core/conflict.h"
#include "tests/unit/core/core-test.h"

#define S CONFLICT_SHARE
#define R CONFLICT_RECALL
#define F CONFLICT_FLUSH

static const struct cell {
	enum core_kind kind;
	enum core_mode mode;
	bool pinnable;
	enum core_want want;
	enum conflict expected;
} cells[] = {
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_WINDOW_READ, S },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_WINDOW_WRITE, R },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_DIRECT_READ, S },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_DIRECT_WRITE, R },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_FOREIGN_READ, S },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_FOREIGN_MAP, S },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_FOREIGN_MAP_WRITE, R },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_FOREIGN_WRITE, R },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_FOREIGN_EXTEND, R },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_LAYOUT, R },
	{ CORE_WINDOW, CORE_READ, false, CORE_WANT_FOREIGN_CLONE, S },

	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_WINDOW_READ, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_WINDOW_WRITE, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_DIRECT_READ, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_DIRECT_WRITE, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_FOREIGN_READ, F },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_FOREIGN_MAP, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_FOREIGN_MAP_WRITE, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_FOREIGN_WRITE, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_FOREIGN_EXTEND, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_LAYOUT, R },
	{ CORE_WINDOW, CORE_WRITE, false, CORE_WANT_FOREIGN_CLONE, R },

	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_WINDOW_READ, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_WINDOW_WRITE, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_DIRECT_READ, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_DIRECT_WRITE, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_FOREIGN_READ, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_FOREIGN_MAP, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_FOREIGN_MAP_WRITE, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_FOREIGN_WRITE, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_FOREIGN_EXTEND, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_LAYOUT, R },
	{ CORE_WINDOW, CORE_WRITE, true, CORE_WANT_FOREIGN_CLONE, R },

	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_WINDOW_READ, S },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_WINDOW_WRITE, R },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_DIRECT_READ, S },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_DIRECT_WRITE, S },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_FOREIGN_READ, S },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_FOREIGN_MAP, S },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_FOREIGN_MAP_WRITE, S },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_FOREIGN_WRITE, S },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_FOREIGN_EXTEND, R },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_LAYOUT, R },
	{ CORE_DIRECT, CORE_READ, false, CORE_WANT_FOREIGN_CLONE, R },

	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_WINDOW_READ, R },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_WINDOW_WRITE, R },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_DIRECT_READ, S },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_DIRECT_WRITE, S },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_FOREIGN_READ, S },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_FOREIGN_MAP, S },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_FOREIGN_MAP_WRITE, S },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_FOREIGN_WRITE, S },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_FOREIGN_EXTEND, R },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_LAYOUT, R },
	{ CORE_DIRECT, CORE_WRITE, false, CORE_WANT_FOREIGN_CLONE, R },
};

#define N_CELLS (sizeof(cells) / sizeof(cells[0]))

_Static_assert(N_CELLS == 5 * _CORE_WANT_N, "a cell is missing");

START_TEST(cell)
{
	const struct cell *c = &cells[_i];

	ck_assert_int_eq(conflict_check(c->kind, c->mode, c->pinnable, c->want), c->expected);
}
END_TEST

/* Who wants it waits for a recall, waits for a flush, or gets it at once. */
START_TEST(cell_through_the_core)
{
	const struct cell *c = &cells[_i];
	bool window = c->want <= CORE_WANT_WINDOW_WRITE, direct = c->want <= CORE_WANT_DIRECT_WRITE;
	bool write = c->want == CORE_WANT_WINDOW_WRITE || c->want == CORE_WANT_DIRECT_WRITE;
	uint64_t s;

	s = seal(holder(), 0, 100, c->mode, .kind = c->kind,
		 .flags = c->pinnable ? CORE_F_PINNABLE : 0);
	pass(20);
	if (direct)
		ask(holder(), 50, 60, write ? CORE_WRITE : CORE_READ,
		    .kind = window ? CORE_WINDOW : CORE_DIRECT);
	else
		brk(50, 60, .want = c->want);

	if (c->expected == S) {
		take(direct ? CORE_CMD_GRANT : CORE_CMD_BREAK_READY);
		none(CORE_CMD_RECALL);
		none(CORE_CMD_FLUSH);
		ck_assert_int_eq(view(s).state, CORE_SEAL_HELD);
	} else {
		none(CORE_CMD_GRANT);
		none(CORE_CMD_BREAK_READY);
		ck_assert_uint_eq(take(c->expected == R ? CORE_CMD_RECALL : CORE_CMD_FLUSH).seal,
				  s);
		none(c->expected == R ? CORE_CMD_FLUSH : CORE_CMD_RECALL);
		ck_assert_uint_eq(stats().conflicts, 1);
	}
}
END_TEST

START_TEST(seals_disturb_each_other_both_ways)
{
	for (int a = 0; a < 4; a++)
		for (int b = 0; b < 4; b++) {
			enum core_kind ka = a & 2 ? CORE_DIRECT : CORE_WINDOW;
			enum core_kind kb = b & 2 ? CORE_DIRECT : CORE_WINDOW;
			enum core_mode ma = a & 1 ? CORE_WRITE : CORE_READ;
			enum core_mode mb = b & 1 ? CORE_WRITE : CORE_READ;

			ck_assert_int_eq(conflict_check(ka, ma, false, conflict_want(kb, mb)),
					 conflict_check(kb, mb, false, conflict_want(ka, ma)));
		}
}
END_TEST

START_TEST(other_ranges_and_objects_are_none_of_it)
{
	uint64_t other = new_object(7, NULL);

	seal(holder(), 100, 200, CORE_WRITE);
	seal(holder(), 0, 100, CORE_WRITE);
	seal(holder(), 200, CORE_INFINITY, CORE_WRITE);
	seal(holder(), 0, CORE_INFINITY, CORE_WRITE, .object = other);
}
END_TEST

/* ---- one session ------------------------------------------------------------------------- */

START_TEST(own_cell)
{
	/* 2 bits each: kind, mode. */
	enum core_kind ka = _i & 8 ? CORE_DIRECT : CORE_WINDOW;
	enum core_kind kb = _i & 2 ? CORE_DIRECT : CORE_WINDOW;
	enum core_mode ma = _i & 4 ? CORE_WRITE : CORE_READ;
	enum core_mode mb = _i & 1 ? CORE_WRITE : CORE_READ;
	bool refuse = (ka == CORE_WINDOW && ma == CORE_WRITE) ||
		      (kb == CORE_WINDOW && mb == CORE_WRITE);
	uint64_t h = holder(), s = seal(h, 0, 100, ma, .kind = ka), r;

	r = ask(h, 50, 150, mb, .kind = kb);
	if (refuse)
		ck_assert_uint_eq(refused(r, CORE_E_OWN_CONFLICT).blocker, s);
	else
		take(CORE_CMD_GRANT);
	none(CORE_CMD_RECALL);
	pass(100);
	none(CORE_CMD_RECALL);
}
END_TEST

START_TEST(own_seals_side_by_side)
{
	uint64_t h = holder();

	seal(h, 0, 100, CORE_WRITE);
	seal(h, 100, 200, CORE_WRITE);
}
END_TEST

START_TEST(own_conflict_comes_up_in_the_line)
{
	uint64_t h = holder(), s = seal(holder(), 0, 100, CORE_WRITE), a, b;

	pass(20);
	a = ask(h, 0, 100, CORE_WRITE);
	b = ask(h, 0, 100, CORE_WRITE);
	give_back(s, 0, 100);
	ck_assert_uint_eq(take(CORE_CMD_GRANT).request, a);
	refused(b, CORE_E_OWN_CONFLICT);
}
END_TEST

START_TEST(own_seal_on_its_way_back)
{
	uint64_t h = holder(), s = seal(h, 0, 100, CORE_WRITE);

	ck_assert_int_eq(give(s, 0, 100), 0);
	refused(ask(h, 0, 50, CORE_WRITE), CORE_E_RETURN_CONFLICT);
	fence(CORE_CAUSE_RETURN);
	seal(h, 0, 50, CORE_WRITE);
}
END_TEST

START_TEST(hard_seal_denies)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ, .flags = CORE_F_HARD);
	uint64_t soft = seal(holder(), 100, 200, CORE_READ);
	struct core_command c;

	ck_assert(view(s).hard);
	pass(20);
	c = refused(brk(0, 200), CORE_E_DENIED);
	ck_assert_uint_eq(c.blocker, s);
	refused(ask(holder(), 0, 200, CORE_WRITE), CORE_E_DENIED);
	/* Nothing was recalled, not even what could have been. */
	none(CORE_CMD_RECALL);
	ck_assert_int_eq(view(soft).state, CORE_SEAL_HELD);
	ready(brk(0, 100, .want = CORE_WANT_FOREIGN_READ));
	seal(holder(), 0, 200, CORE_READ);
}
END_TEST

START_TEST(hard_seal_on_its_way_back_is_waited_for)
{
	uint64_t s = seal(holder(), 0, 100, CORE_READ, .flags = CORE_F_HARD), b;
	struct core_fence_result r = { .error = -5 };

	ck_assert_int_eq(give(s, 0, 100), 0);
	r.job = take(CORE_CMD_FENCE).job;
	b = brk(0, 100);
	none(CORE_CMD_REFUSE);
	core_fenced(t.core, &r, t.now);
	refused(b, CORE_E_DENIED);
	ck_assert_int_eq(give(s, 0, 100), 0);
	b = brk(0, 100);
	fence(CORE_CAUSE_RETURN);
	ready(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conflict");
	TCase *tc = core_tests(s);

	tcase_add_loop_test(tc, cell, 0, N_CELLS);
	tcase_add_loop_test(tc, cell_through_the_core, 0, N_CELLS);
	tcase_add_test(tc, seals_disturb_each_other_both_ways);
	tcase_add_test(tc, other_ranges_and_objects_are_none_of_it);
	tcase_add_loop_test(tc, own_cell, 0, 16);
	tcase_add_test(tc, own_seals_side_by_side);
	tcase_add_test(tc, own_conflict_comes_up_in_the_line);
	tcase_add_test(tc, own_seal_on_its_way_back);
	tcase_add_test(tc, hard_seal_denies);
	tcase_add_test(tc, hard_seal_on_its_way_back_is_waited_for);
	return core_run(s);
}
