/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The deadline model: the table, its bounds, its arithmetic. */

#include "tests/unit/core/core-test.h"

static const struct core_policy p = { .deadline_ms = 2000, .hard_ms = 10000, .progress_ms = 500,
				      .min_hold_ms = 20, .hold_ms = 30000, .fence_ms = 2000,
				      .settle_ms = 1000 };

START_TEST(standards)
{
	struct core_policy s = core_policy_default();

	ck_assert_mem_eq(&s, &p, sizeof(p));
}
END_TEST

START_TEST(table_names_every_setting_once)
{
	uint32_t seen = 0;

	ck_assert_uint_eq(n_deadline_table, sizeof(struct core_policy) / sizeof(uint32_t));
	for (size_t i = 0; i < n_deadline_table; i++) {
		const struct deadline_rule *r = &deadline_table[i];

		ck_assert_uint_le(r->min, r->standard);
		ck_assert_uint_le(r->standard, r->max);
		ck_assert_ptr_nonnull(r->starts);
		ck_assert_ptr_nonnull(r->ends);
		seen |= 1u << r->offset / sizeof(uint32_t);
	}
	ck_assert_uint_eq(seen, (1u << n_deadline_table) - 1);
}
END_TEST

START_TEST(bounds_are_checked)
{
	const struct deadline_rule *r = &deadline_table[_i];
	struct core_policy q = core_policy_default();
	uint32_t *setting = (uint32_t *)(void *)((char *)&q + r->offset);
	const char *field = "none";

	ck_assert_int_eq(core_policy_check(&q, &field), 0);
	ck_assert_str_eq(field, "none");
	*setting = r->max + 1;
	ck_assert_int_lt(core_policy_check(&q, &field), 0);
	ck_assert_str_eq(field, r->name);
	if (r->min) {
		*setting = r->min - 1;
		field = "none";
		ck_assert_int_lt(core_policy_check(&q, &field), 0);
		ck_assert_str_eq(field, r->name);
	}
}
END_TEST

START_TEST(deadline_is_within_hard_limit)
{
	struct core_policy q = p;
	const char *field;

	q.deadline_ms = 10001;
	ck_assert_int_lt(core_policy_check(&q, &field), 0);
	ck_assert_str_eq(field, "deadline_ms");
	q.deadline_ms = 10000;
	ck_assert_int_eq(core_policy_check(&q, &field), 0);
}
END_TEST

START_TEST(recall_deadlines)
{
	uint64_t d, h;

	deadline_recall(&p, 0, 5 * MS, &d, &h);
	ck_assert_uint_eq(d, 2005 * MS);
	ck_assert_uint_eq(h, 10005 * MS);
	deadline_recall(&p, 3000, 0, &d, &h);
	ck_assert_uint_eq(d, 3000 * MS);
	deadline_recall(&p, 100, 0, &d, &h);
	ck_assert_uint_eq(d, 2000 * MS);
	deadline_recall(&p, 50000, 0, &d, &h);
	ck_assert_uint_eq(d, 10000 * MS);
}
END_TEST

START_TEST(delay_and_progress)
{
	ck_assert_uint_eq(deadline_delay(2000 * MS, 10000 * MS, 1000 * MS, 4000), 5000 * MS);
	ck_assert_uint_eq(deadline_delay(2000 * MS, 10000 * MS, 1000 * MS, 500), 2000 * MS);
	ck_assert_uint_eq(deadline_delay(2000 * MS, 10000 * MS, 1000 * MS, UINT32_MAX), 10000 * MS);
	ck_assert_uint_eq(deadline_progress(&p, 2000 * MS, 10000 * MS, 1900 * MS), 2400 * MS);
	ck_assert_uint_eq(deadline_progress(&p, 2000 * MS, 10000 * MS, 1000 * MS), 2000 * MS);
	ck_assert_uint_eq(deadline_progress(&p, 9900 * MS, 10000 * MS, 9800 * MS), 10000 * MS);
}
END_TEST

START_TEST(sums_saturate)
{
	ck_assert_uint_eq(deadline_add_ms(CORE_NEVER - 5, 1), CORE_NEVER);
	ck_assert_uint_eq(deadline_add_ms(CORE_NEVER, 0), CORE_NEVER);
	ck_assert_uint_eq(deadline_add_ms(0, UINT64_MAX), CORE_NEVER);
	ck_assert_uint_eq(deadline_add_ms(7, 0), 7);
}
END_TEST

START_TEST(milliseconds)
{
	ck_assert_uint_eq(deadline_ms(0, 5 * MS), 5);
	ck_assert_uint_eq(deadline_ms(0, 5 * MS - 1), 4);
	ck_assert_uint_eq(deadline_ms(5, 4), 0);
	ck_assert_uint_eq(deadline_ms(0, UINT64_MAX), UINT32_MAX);
	ck_assert_uint_eq(deadline_hold_ms(&p, 40000), 30000);
	ck_assert_uint_eq(deadline_hold_ms(&p, 400), 400);
	ck_assert_uint_eq(deadline_due(&p, 5 * MS), 25 * MS);
}
END_TEST

START_TEST(no_policy_means_standards)
{
	struct core_config config = { .token_seed = 1 };

	teardown();
	setup_config(&config);
	seal(holder(), 0, 100, CORE_READ);
	pass(20);
	brk(0, 100);
	ck_assert_uint_eq(take(CORE_CMD_RECALL).deadline, t.now + 2000 * MS);
}
END_TEST

START_TEST(nothing_running_no_deadline)
{
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	seal(holder(), 0, 100, CORE_READ);
	ck_assert_uint_eq(core_next_deadline(t.core), CORE_NEVER);
	pass(20);
	brk(0, 100);
	ck_assert_uint_eq(core_next_deadline(t.core), t.now + 2000 * MS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("deadline");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, standards);
	tcase_add_test(tc, table_names_every_setting_once);
	tcase_add_loop_test(tc, bounds_are_checked, 0, 6);
	tcase_add_test(tc, deadline_is_within_hard_limit);
	tcase_add_test(tc, recall_deadlines);
	tcase_add_test(tc, delay_and_progress);
	tcase_add_test(tc, sums_saturate);
	tcase_add_test(tc, milliseconds);
	tcase_add_test(tc, no_policy_means_standards);
	tcase_add_test(tc, nothing_running_no_deadline);
	return core_run(s);
}
