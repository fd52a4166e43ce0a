/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Ranges as requests name them: what is taken, what is refused, and as what. */

#include <check.h>

#include "daemon/supervisor/wiring.h"

#define PAGE 4096

struct line {
	uint64_t size, offset, length;
	bool whole, open_end;
	int code;
	uint64_t start, end;
};

static const struct line wanted[] = {
	{ 8192, 0, 8192, false, false, 0, 0, 8192 },
	{ 8192, 4096, 4096, false, false, 0, 4096, 8192 },
	{ 5000, 4096, 904, false, false, 0, 4096, 5000 },
	{ 1, 0, 1, false, false, 0, 0, 1 },
	{ 5000, 0, 0, true, false, 0, 0, 5000 },
	{ 5000, 0, 4096, false, false, 0, 0, 4096 },
	{ 8192, 0, 0, false, false, PROTO_E_BAD_RANGE, 0, 0 },
	{ 0, 0, 0, true, false, PROTO_E_BAD_RANGE, 0, 0 },
	{ 8192, 0, 4096, true, false, PROTO_E_BAD_RANGE, 0, 0 },
	{ 8192, 1, 4096, false, false, PROTO_E_UNALIGNED, 0, 0 },
	{ 8192, 0, 5000, false, false, PROTO_E_UNALIGNED, 0, 0 },
	{ 8192, 4096, 4097, false, false, PROTO_E_BAD_RANGE, 0, 0 },
	{ 8192, 8192, 4096, false, false, PROTO_E_BAD_RANGE, 0, 0 },
	{ 8192, 4096, UINT64_MAX, false, false, PROTO_E_BAD_RANGE, 0, 0 },
	{ 8192, UINT64_MAX - 4095, 4096, false, false, PROTO_E_BAD_RANGE, 0, 0 },
	{ 8192, 0, (uint64_t)1 << 63, false, false, PROTO_E_BAD_RANGE, 0, 0 },
	/* breaks */
	{ 8192, 4096, 0, false, true, 0, 4096, CORE_INFINITY },
	{ 8192, 0, 0, true, true, 0, 0, CORE_INFINITY },
	{ 0, 0, 0, true, true, 0, 0, CORE_INFINITY },
	{ 8192, 16384, 4096, false, true, 0, 16384, 20480 },
	{ 5000, 0, 5000, false, true, 0, 0, 5000 },
	{ 8192, 0, 100, false, true, PROTO_E_UNALIGNED, 0, 0 },
	{ 8192, 100, 0, false, true, PROTO_E_UNALIGNED, 0, 0 },
	{ 8192, INT64_MAX - 4095, 8192, false, true, PROTO_E_BAD_RANGE, 0, 0 },
};

START_TEST(what_is_asked_for)
{
	const struct line *l = &wanted[_i];
	struct target_request request = {
		.offset = l->offset,
		.length = l->length,
		.whole = l->whole,
		.open_end = l->open_end,
	};
	uint64_t start = 0, end = 0;
	struct refusal refusal;

	ck_assert_int_eq(bounds_check(l->size, PAGE, &request, &start, &end, &refusal), l->code);
	ck_assert_uint_eq(start, l->start);
	ck_assert_uint_eq(end, l->end);
}
END_TEST

struct part {
	uint64_t start, end, offset, length;
	bool exact;
	int code;
	uint64_t low, high;
};

static const struct part parts[] = {
	{ 4096, 12288, 4096, 8192, true, 0, 4096, 12288 },
	{ 4096, 12288, 8192, 4096, true, 0, 8192, 12288 },
	{ 4096, 10000, 8192, 1808, true, 0, 8192, 10000 },
	{ 4096, 10000, 8192, 4096, true, 0, 8192, 10000 },
	{ 4096, 10000, 8192, 1800, true, PROTO_E_UNALIGNED, 0, 0 },
	{ 4096, 12288, 4097, 4095, true, PROTO_E_UNALIGNED, 0, 0 },
	{ 4096, 12288, 0, 8192, true, PROTO_E_BAD_RANGE, 0, 0 },
	{ 4096, 12288, 4096, 8193, true, PROTO_E_BAD_RANGE, 0, 0 },
	{ 4096, 12288, 4096, 0, true, PROTO_E_BAD_RANGE, 0, 0 },
	{ 4096, 12288, UINT64_MAX, 2, true, PROTO_E_BAD_RANGE, 0, 0 },
	{ 4096, 12288, 4096, UINT64_MAX, true, PROTO_E_BAD_RANGE, 0, 0 },
	{ 4096, 12288, 5000, 1, false, 0, 4096, 8192 },
	{ 4096, 10000, 9000, 1000, false, 0, 8192, 10000 },
	{ 4096, 10000, 4000, 1000, false, PROTO_E_BAD_RANGE, 0, 0 },
};

START_TEST(parts_of_a_seal)
{
	const struct part *p = &parts[_i];
	uint64_t low = 0, high = 0;
	struct refusal refusal;

	ck_assert_int_eq(bounds_within(p->start, p->end, PAGE, p->offset, p->length, p->exact, &low,
				       &high, &refusal),
			 p->code);
	ck_assert_uint_eq(low, p->low);
	ck_assert_uint_eq(high, p->high);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *tc = tcase_create("bounds");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, what_is_asked_for, 0, sizeof(wanted) / sizeof(*wanted));
	tcase_add_loop_test(tc, parts_of_a_seal, 0, sizeof(parts) / sizeof(*parts));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
