/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ranges and units: what is taken, and each way of being wrong with its own answer. A refused text
 * changes nothing.
 */

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/range.h"
#include "util/units.h"

static const struct {
	const char *text;
	uint64_t offset, length;
} good[] = {
	{ "0-4096", 0, 4096 },
	{ "0+4096", 0, 4096 },
	{ "4K-8K", 4096, 4096 },
	{ "4k-8k", 4096, 4096 },
	{ "4K+1", 4096, 1 },
	{ "1M-1G", UINT64_C(1) << 20, (UINT64_C(1) << 30) - (UINT64_C(1) << 20) },
	{ "007-010", 7, 3 },
	{ "0-9223372036854775807", 0, INT64_MAX },
	{ "9223372036854775806+1", INT64_MAX - 1, 1 },
	{ "0-8589934591G", 0, UINT64_C(8589934591) << 30 },
};

START_TEST(taken)
{
	struct range r = { 0 };

	ck_assert_int_eq(range_parse(good[_i].text, &r), 0);
	ck_assert_uint_eq(r.offset, good[_i].offset);
	ck_assert_uint_eq(r.length, good[_i].length);
}
END_TEST

static const struct {
	const char *text;
	int error;
} bad[] = {
	{ "", RANGE_EMPTY },
	{ "4096", RANGE_FORM },
	{ "+4096", RANGE_FORM },
	{ "4096-", RANGE_FORM },
	{ "4096+", RANGE_FORM },
	{ "abc", RANGE_FORM },
	{ "-4096", RANGE_NEGATIVE },
	{ "-1-5", RANGE_NEGATIVE },
	{ "0--5", RANGE_NEGATIVE },
	{ "0+-5", RANGE_NEGATIVE },
	{ "x-5", RANGE_NUMBER },
	{ "0-x", RANGE_NUMBER },
	{ " 0-5", RANGE_NUMBER },
	{ "0- 5", RANGE_NUMBER },
	{ "0-5 ", RANGE_SUFFIX },
	{ "0-5-6", RANGE_NUMBER },
	{ "0-1.5M", RANGE_NUMBER },
	{ "0x0-0x1000", RANGE_NUMBER },
	{ "K-M", RANGE_NUMBER },
	{ "0++5", RANGE_NUMBER },
	{ "0-5T", RANGE_SUFFIX },
	{ "0-5KB", RANGE_SUFFIX },
	{ "0-5KiB", RANGE_SUFFIX },
	{ "0-9223372036854775808", RANGE_TOO_LARGE },
	{ "0-18446744073709551616", RANGE_TOO_LARGE },
	{ "0-18446744073709551617", RANGE_TOO_LARGE },
	{ "0-99999999999999999999999999", RANGE_TOO_LARGE },
	{ "0-8589934592G", RANGE_TOO_LARGE },
	{ "0-17179869185G", RANGE_TOO_LARGE },
	{ "9223372036854775807+1", RANGE_OVERFLOW },
	{ "4096+9223372036854775807", RANGE_OVERFLOW },
	{ "0-0", RANGE_NO_BYTES },
	{ "4096-4K", RANGE_NO_BYTES },
	{ "4096+0", RANGE_NO_BYTES },
	{ "8K-4K", RANGE_BACKWARDS },
};

START_TEST(refused)
{
	struct range r = { 11, 13 };

	ck_assert_msg(range_parse(bad[_i].text, &r) == bad[_i].error, "'%s': %s, not %s",
		      bad[_i].text, range_error_text(range_parse(bad[_i].text, &r)),
		      range_error_text(bad[_i].error));
	ck_assert_uint_eq(r.offset, 11);
	ck_assert_uint_eq(r.length, 13);
}
END_TEST

START_TEST(every_error_has_its_own_words)
{
	for (int a = RANGE_EMPTY; a <= RANGE_BACKWARDS; a++)
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(range_error_text(a), range_error_text(b));
	for (int a = UNITS_EMPTY; a <= UNITS_TOO_LARGE; a++)
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(units_error_text(a), units_error_text(b));
}
END_TEST

START_TEST(formatted)
{
	char buf[RANGE_TEXT_MAX];

	ck_assert_str_eq(range_format(0, UINT64_C(4) << 20, buf), "0-4M");
	ck_assert_str_eq(range_format(4096, 4097, buf), "4K-8193");
	ck_assert_str_eq(range_format(8192, 0, buf), "8K-end");
	ck_assert_str_eq(range_format(8192, UINT64_MAX, buf), "8K-end");
	ck_assert_str_eq(range_format(UINT64_MAX - 1, 1, buf),
			 "18446744073709551614-18446744073709551615");
}
END_TEST

/* What is printed can be given back. */
START_TEST(round_trip)
{
	uint64_t x = 88172645463325252;

	for (int i = 0; i < 100000; i++) {
		struct range in, out;
		char buf[RANGE_TEXT_MAX];

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		in.offset = x >> (1 + (x & 63) % 62) & ~((UINT64_C(1) << (x >> 8 & 15)) - 1);
		in.length = 1 + (x >> 16) % (RANGE_MAX - in.offset);
		ck_assert_int_eq(range_parse(range_format(in.offset, in.length, buf), &out), 0);
		ck_assert_uint_eq(in.offset, out.offset);
		ck_assert_uint_eq(in.length, out.length);
	}
}
END_TEST

START_TEST(counts)
{
	uint64_t value = 17;

	ck_assert_int_eq(units_parse_count("18446744073709551615", UINT64_MAX, &value), 0);
	ck_assert_uint_eq(value, UINT64_MAX);
	ck_assert_int_eq(units_parse_count("18446744073709551616", UINT64_MAX, &value),
			 UNITS_TOO_LARGE);
	ck_assert_int_eq(units_parse_count("100", 99, &value), UNITS_TOO_LARGE);
	ck_assert_int_eq(units_parse_count("1K", UINT64_MAX, &value), UNITS_NOT_A_NUMBER);
	ck_assert_int_eq(units_parse_count("-1", UINT64_MAX, &value), UNITS_NEGATIVE);
	ck_assert_int_eq(units_parse_count("", UINT64_MAX, &value), UNITS_EMPTY);
	ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

START_TEST(sizes_keep_to_their_limit)
{
	uint64_t value = 17;

	ck_assert_int_eq(units_parse_size("4Kgarbage", 2, 4096, &value), 0);
	ck_assert_uint_eq(value, 4096);
	ck_assert_int_eq(units_parse_size("5K", 2, 4096, &value), UNITS_TOO_LARGE);
	ck_assert_int_eq(units_parse_size("17179869184G", 12, UINT64_MAX, &value), UNITS_TOO_LARGE);
	ck_assert_uint_eq(value, 4096);
}
END_TEST

START_TEST(for_people)
{
	char buf[UNITS_MAX];

	ck_assert_str_eq(units_format_exact(0, buf), "0");
	ck_assert_str_eq(units_format_exact(4097, buf), "4097");
	ck_assert_str_eq(units_format_exact(UINT64_C(3) << 30, buf), "3G");
	ck_assert_str_eq(units_format_bytes(0, buf), "0 B");
	ck_assert_str_eq(units_format_bytes(1023, buf), "1023 B");
	ck_assert_str_eq(units_format_bytes(1024, buf), "1 KiB");
	ck_assert_str_eq(units_format_bytes(1536, buf), "1.5 KiB");
	ck_assert_str_eq(units_format_bytes((UINT64_C(1) << 20) - 1, buf), "1023.9 KiB");
	ck_assert_str_eq(units_format_bytes(UINT64_MAX, buf), "15.9 EiB");
	ck_assert_str_eq(units_format_ms(0, buf), "0 ms");
	ck_assert_str_eq(units_format_ms(999, buf), "999 ms");
	ck_assert_str_eq(units_format_ms(2599, buf), "2.5 s");
	ck_assert_str_eq(units_format_ms(184000, buf), "3 min 4 s");
	ck_assert_str_eq(units_format_ms(7500000, buf), "2 h 5 min");
	ck_assert_str_eq(units_format_ms(UINT64_C(781200000), buf), "9 d 1 h");
	ck_assert_uint_lt(strlen(units_format_ms(UINT64_MAX, buf)), UNITS_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("range");
	TCase *t = tcase_create("range");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, taken, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(t, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, every_error_has_its_own_words);
	tcase_add_test(t, formatted);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, counts);
	tcase_add_test(t, sizes_keep_to_their_limit);
	tcase_add_test(t, for_people);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
