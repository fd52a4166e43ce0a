/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a STR may hold, and how one is made of any bytes. */

#include <check.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/str.h"
#include "tests/unit/proto/sample.h"

static const struct {
	const char *text;
	size_t n;
	enum proto_str_fault fault;
	size_t at;
} cases[] = {
#define CASE(text, fault, at) { text, sizeof(text) - 1, fault, at }
	CASE("", PROTO_STR_OK, 0),
	CASE("db/main.sqlite", PROTO_STR_OK, 0),
	CASE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92", PROTO_STR_OK, 0),
	CASE("\xed\x9f\xbf\xee\x80\x80", PROTO_STR_OK, 0),	/* around the surrogates */
	CASE("\xf4\x8f\xbf\xbf", PROTO_STR_OK, 0),		/* U+10FFFF */
	CASE("\xc2\xa0", PROTO_STR_OK, 0),			/* U+00A0, just no control */
	CASE("a\0b", PROTO_STR_NUL, 1),
	CASE("a\nb", PROTO_STR_CONTROL, 1),
	CASE("\x1b[2J", PROTO_STR_CONTROL, 0),
	CASE("ab\x7f", PROTO_STR_CONTROL, 2),
	CASE("\xc2\x80", PROTO_STR_CONTROL, 0),
	CASE("a\xc2\x9f", PROTO_STR_CONTROL, 1),		/* U+009F */
	CASE("a\x80", PROTO_STR_NOT_UTF8, 1),			/* continuation alone */
	CASE("\xc0\xaf", PROTO_STR_NOT_UTF8, 0),		/* overlong */
	CASE("\xc1\xbf", PROTO_STR_NOT_UTF8, 0),
	CASE("\xe0\x9f\xbf", PROTO_STR_NOT_UTF8, 0),
	CASE("\xf0\x8f\xbf\xbf", PROTO_STR_NOT_UTF8, 0),
	CASE("\xed\xa0\x80", PROTO_STR_NOT_UTF8, 0),		/* surrogates */
	CASE("\xed\xbf\xbf", PROTO_STR_NOT_UTF8, 0),
	CASE("\xf4\x90\x80\x80", PROTO_STR_NOT_UTF8, 0),	/* U+110000 */
	CASE("\xf8\x88\x80\x80\x80", PROTO_STR_NOT_UTF8, 0),
	CASE("\xff", PROTO_STR_NOT_UTF8, 0),
	CASE("ab\xe2\x82", PROTO_STR_NOT_UTF8, 2),		/* cut in two */
	CASE("ab\xe2" "b\x82", PROTO_STR_NOT_UTF8, 2),
};

START_TEST(check)
{
	size_t at = 99;

	ck_assert_int_eq(proto_str_check(cases[_i].text, cases[_i].n, &at), cases[_i].fault);
	ck_assert_uint_eq(at, cases[_i].fault ? cases[_i].at : 99);
	ck_assert_str_ne(proto_str_fault_text(cases[_i].fault), "");
}
END_TEST

START_TEST(clean_is_legal)
{
	char text[32];
	size_t at;

	memcpy(text, cases[_i].text, cases[_i].n + 1);
	ck_assert_ptr_eq(proto_str_clean(text), text);
	ck_assert_int_eq(proto_str_check(text, strlen(text), &at), PROTO_STR_OK);
	if (!cases[_i].fault)
		ck_assert_str_eq(text, cases[_i].text);
}
END_TEST

START_TEST(clean_replaces_byte_by_byte)
{
	char text[] = "a\nb\xc2\x9f\xc3\xa9\xff";

	ck_assert_str_eq(proto_str_clean(text), "a?b??\xc3\xa9?");
}
END_TEST

START_TEST(clean_cuts_between_characters)
{
	char text[PROTO_STR_MAX + 8];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_uint_eq(strlen(proto_str_clean(text)), PROTO_STR_MAX);
	memset(text, 'a', sizeof(text));
	memcpy(text + PROTO_STR_MAX - 1, "\xe2\x82\xac", 4);
	ck_assert_uint_eq(strlen(proto_str_clean(text)), PROTO_STR_MAX - 1);
	memset(text, 'a', sizeof(text));
	memcpy(text + PROTO_STR_MAX - 3, "\xe2\x82\xac", 4);
	ck_assert_uint_eq(strlen(proto_str_clean(text)), PROTO_STR_MAX);
}
END_TEST

START_TEST(clean_any_bytes)
{
	struct sample sample;
	char text[2 * PROTO_STR_MAX + 1];
	size_t n, at;

	sample_init(&sample, 1);
	for (int round = 0; round < 2000; round++) {
		n = sample_number(&sample) % (sizeof(text) - 1);
		for (size_t i = 0; i < n; i++)
			text[i] = (char)(1 + sample_number(&sample) % 255);
		text[n] = '\0';
		proto_str_clean(text);
		ck_assert_uint_le(strlen(text), PROTO_STR_MAX);
		ck_assert_int_eq(proto_str_check(text, strlen(text), &at), PROTO_STR_OK);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proto-str");
	TCase *tc = tcase_create("str");
	SRunner *runner;
	int failed, n = sizeof(cases) / sizeof(cases[0]);

	tcase_add_loop_test(tc, check, 0, n);
	tcase_add_loop_test(tc, clean_is_legal, 0, n);
	tcase_add_test(tc, clean_replaces_byte_by_byte);
	tcase_add_test(tc, clean_cuts_between_characters);
	tcase_add_test(tc, clean_any_bytes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
