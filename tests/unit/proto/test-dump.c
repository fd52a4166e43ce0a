/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A message on one line: by name, quoted, cut off where it must, whatever is in it. */

#include <check.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/str.h"
#include "tests/unit/proto/sample.h"

static char line[16384];

START_TEST(request)
{
	struct proto_message m = {
		.type = PROTO_ACQUIRE,
		.serial = 7,
		.acquire = { .object = "db",
			     .mode = PROTO_MODE_READ,
			     .kind = PROTO_KIND_WINDOW,
			     .flags = PROTO_ACQUIRE_NO_WAIT | PROTO_ACQUIRE_PINNABLE,
			     .length = 4096 },
	};

	ck_assert_ptr_eq(proto_dump(&m, line, sizeof(line)), line);
	ck_assert_str_eq(line, "#7 ACQUIRE object=\"db\" mode=read kind=window "
			       "flags=no-wait|pinnable offset=0 length=4096 token=0 wait_ms=0");
}
END_TEST

START_TEST(refusal_and_signs)
{
	struct proto_message m = {
		.type = PROTO_REFUSED,
		.serial = 1,
		.refused = { .code = PROTO_E_TRY_LATER, .number = -1, .pid = -5 },
	};

	proto_dump(&m, line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line, " code=TRY_LATER number=-1 text=\"\" "));
	ck_assert_ptr_nonnull(strstr(line, " pid=-5 "));
}
END_TEST

START_TEST(nothing_in_it)
{
	struct proto_message m = { .type = PROTO_STATUS_GET, .serial = 4294967295 };

	ck_assert_str_eq(proto_dump(&m, line, sizeof(line)), "#4294967295 STATUS_GET");
}
END_TEST

START_TEST(what_has_no_name)
{
	struct proto_message m = { .type = 999, .serial = 3 };

	ck_assert_str_eq(proto_dump(&m, line, sizeof(line)), "#3 message 999");
	m = (struct proto_message){ .type = PROTO_ATTACH, .serial = 3 };
	m.attach.flags = 0x80000001;
	proto_dump(&m, line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line, " flags=kernel-faults|0x80000000 "));
	m = (struct proto_message){ .type = PROTO_POPULATE, .serial = 3 };
	m.populate.mode = 77;
	proto_dump(&m, line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line, " mode=77"));
}
END_TEST

START_TEST(strings_are_escaped)
{
	struct proto_message m = { .type = PROTO_DEVICE_GET, .serial = 1 };

	m.device_get.object = "a\"b\\c\nd\xff\xc3\xa9\xc2\x9f";
	ck_assert_str_eq(proto_dump(&m, line, sizeof(line)),
			 "#1 DEVICE_GET object=\"a\\\"b\\\\c\\x0ad\\xff\xc3\xa9\\xc2\\x9f\"");
	m.device_get.object = NULL;
	ck_assert_str_eq(proto_dump(&m, line, sizeof(line)), "#1 DEVICE_GET object=\"\"");
}
END_TEST

START_TEST(cut_off_anywhere)
{
	struct proto_message m = { .type = PROTO_DEVICE_GET, .serial = 1 };
	char whole[128], cut[128];
	size_t at;

	m.device_get.object = "\xc3\xa9\"\n\xe2\x82\xac";
	proto_dump(&m, whole, sizeof(whole));
	for (size_t size = 0; size <= strlen(whole) + 1; size++) {
		memset(cut, 'x', sizeof(cut));
		proto_dump(&m, cut, size);
		ck_assert_int_eq(cut[size], 'x');
		if (!size)
			continue;
		ck_assert_uint_lt(strlen(cut), size);
		ck_assert_uint_ge(strlen(cut) + 3, size < strlen(whole) ? size : strlen(whole));
		ck_assert_int_eq(strncmp(cut, whole, strlen(cut)), 0);
		ck_assert_int_eq(proto_str_check(cut, strlen(cut), &at), PROTO_STR_OK);
	}
}
END_TEST

START_TEST(every_message)
{
	struct proto_message m;
	struct sample sample;
	size_t at;

	sample_init(&sample, 2);
	for (unsigned int type = 0; type < proto_table_types(); type++) {
		const struct proto_description *d = proto_describe(type);

		for (int round = 0; d && round < 50; round++) {
			char *p = line;

			sample_message(&sample, d, &m);
			proto_dump(&m, line, sizeof(line));
			ck_assert_int_eq(proto_str_check(line, strlen(line), &at), PROTO_STR_OK);
			for (const struct proto_field *f = d->fields; f->name; f++) {
				p = strstr(p, f->name);
				ck_assert_msg(p, "%s.%s is not in the line", d->name, f->name);
			}
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proto-dump");
	TCase *tc = tcase_create("dump");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, request);
	tcase_add_test(tc, refusal_and_signs);
	tcase_add_test(tc, nothing_in_it);
	tcase_add_test(tc, what_has_no_name);
	tcase_add_test(tc, strings_are_escaped);
	tcase_add_test(tc, cut_off_anywhere);
	tcase_add_test(tc, every_message);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
