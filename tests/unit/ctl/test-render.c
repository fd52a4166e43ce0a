/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is printed: hostile names are harmless, tables are aligned, and JSON has exactly the
 * documented names.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/json.h"
#include "client/ctl/render.h"

static const struct {
	const char *in, *escaped, *utf8;
} strings[] = {
	{ "", "", "" },
	{ "plain name", "plain name", "plain name" },
	{ "back\\slash", "back\\\\slash", "back\\slash" },
	{ "\x1b[31mred", "\\x1b[31mred", "\x1b[31mred" },
	{ "two\nlines\t\x7f", "two\\x0alines\\x09\\x7f", "two\nlines\t\x7f" },
	{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
	{ "\xc2\x9b"
	  "2J",
	  "\\xc2\\x9b"
	  "2J",
	  "\xc2\x9b"
	  "2J" },
	{ "\xff\xfe", "\\xff\\xfe", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "cut \xe2\x82", "cut \\xe2\\x82", "cut \xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xc0\xaf", "\\xc0\\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80",
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7" },
	{ "exe\xe2\x80\xaegpj", "exe\\xe2\\x80\\xaegpj", "exe\xe2\x80\xaegpj" },
};

START_TEST(escaped)
{
	char *text = render_escape(strings[_i].in);

	ck_assert_str_eq(text, strings[_i].escaped);
	free(text);
	text = render_utf8(strings[_i].in);
	ck_assert_str_eq(text, strings[_i].utf8);
	free(text);
}
END_TEST

static char *printed(void (*print)(FILE *f))
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(f);
	print(f);
	fclose(f);
	return text;
}

static void print_table(FILE *f)
{
	static const struct column columns[] = { { "ID", true }, { "NAME", false }, { "N", true } };
	struct table *t = table_new(columns, 3);

	table_cell(t, "%d", 7);
	table_cell(t, "gr\xc3\xbc\xc3\x9f");
	table_cell(t, "1");
	table_cell(t, "%d", 1234);
	table_cell(t, "a\nforged 1 line");
	table_cell(t, "22");
	ck_assert_uint_eq(table_rows(t), 2);
	table_print(t, true, f);
	table_free(t);
}

START_TEST(aligned)
{
	char *text = printed(print_table);

	ck_assert_str_eq(text, "  ID  NAME                 N\n"
			       "   7  gr\xc3\xbc\xc3\x9f                 1\n"
			       "1234  a\\x0aforged 1 line  22\n");
	free(text);
}
END_TEST

static void print_many(FILE *f)
{
	static const struct column columns[] = { { "", false }, { "", false } };
	struct table *t = table_new(columns, 2);

	for (int i = 0; i < 1000; i++) {
		table_cell(t, "key");
		table_cell(t, "%d", i);
	}
	table_print(t, false, f);
	table_free(t);
	ck_assert_ptr_null(table_free(NULL));
}

START_TEST(many_rows_without_headers)
{
	char *text = printed(print_many);

	ck_assert_int_eq(strncmp(text, "key  0\nkey  1\n", 14), 0);
	ck_assert_ptr_nonnull(strstr(text, "key  999\n"));
	free(text);
}
END_TEST

static const struct mapseal_account account[] = {
	{ .seal = 7,
	  .pid = 100,
	  .uid = 1000,
	  .comm = "good",
	  .answer = "ok",
	  .result = "returned",
	  .fence = "none",
	  .ms = 12 },
	{ .seal = 8,
	  .pid = 101,
	  .uid = 1001,
	  .comm = "evil\x1b",
	  .answer = "none",
	  .result = "revoked",
	  .fence = "torn-possible",
	  .ms = 1500,
	  .quarantined = 4096,
	  .registrations = 2,
	  .registered = 8192 },
};

static void print_account(FILE *f)
{
	render_account(f, account, 2);
}

START_TEST(account_as_table)
{
	char *text = printed(print_account);

	ck_assert_str_eq(
		text,
		"SEAL  PID   UID  COMMAND   ANSWER  RESULT    FENCE           TIME  QUARANTINED\n"
		"   7  100  1000  good      ok      returned  none           12 ms          0 B\n"
		"   8  101  1001  evil\\x1b  none    revoked   torn-possible  1.5 s        4 "
		"KiB\n"
		"pid 101 still has 2 registrations with RDMA devices, of 8 KiB\n");
	free(text);
}
END_TEST

static void ck_json(struct json_object *value, const char *expected)
{
	ck_assert_str_eq(json_object_to_json_string_ext(
				 value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			 expected);
	json_object_put(value);
}

START_TEST(seal_in_json)
{
	const struct mapseal_seal_info info = {
		.id = UINT64_MAX,
		.object = "/srv/db\n",
		.offset = 4096,
		.length = 8192,
		.mode = "read",
		.kind = "window",
		.state = "held",
		.guard = "cooperative",
		.seq = 1,
		.weak = true,
		.pid = 42,
		.uid = 4294967294u,
		.comm = "\xffname",
		.held_ms = 5,
	};

	ck_json(json_seal(&info),
		"{\"id\":18446744073709551615,\"object\":\"/srv/"
		"db\\n\",\"offset\":4096,\"length\":8192,"
		"\"mode\":\"read\",\"kind\":\"window\",\"state\":\"held\",\"seq\":1,"
		"\"guard\":\"cooperative\","
		"\"holder\":{\"pid\":42,\"uid\":4294967294,\"comm\":\"\xef\xbf\xbdname\"},"
		"\"pinnable\":false,\"transparent\":false,\"weak\":true,\"hard\":false,"
		"\"broken\":false,"
		"\"held_ms\":5,\"deadline_ms\":0,\"dirty\":0}");
}
END_TEST

START_TEST(account_in_json)
{
	ck_json(json_account(account, 2),
		"[{\"pid\":100,\"seal\":7,\"result\":\"returned\",\"fence\":\"none\",\"ms\":12,"
		"\"uid\":1000,\"comm\":\"good\",\"answer\":\"ok\",\"quarantined\":0,\"registrations\":0,"
		"\"registered\":0},"
		"{\"pid\":101,\"seal\":8,\"result\":\"revoked\",\"fence\":\"torn-possible\",\"ms\":"
		"1500,"
		"\"uid\":1001,\"comm\":\"evil\\u001b\",\"answer\":\"none\",\"quarantined\":4096,"
		"\"registrations\":2,\"registered\":8192}]");
	ck_json(json_account(NULL, 0), "[]");
}
END_TEST

START_TEST(waiter_in_json)
{
	const struct mapseal_break_info info = {
		.id = 3,
		.object = "db",
		.offset = 4096,
		.want = "layout",
		.is_break = true,
		.pid = 9,
		.uid = 0,
		.comm = "truncate",
		.ms = 40,
	};

	ck_json(json_waiter(&info),
		"{\"id\":3,\"object\":\"db\",\"offset\":4096,\"length\":0,\"want\":\"layout\","
		"\"type\":\"break\",\"state\":\"waiting\","
		"\"by\":{\"pid\":9,\"uid\":0,\"comm\":\"truncate\"},\"ms\":40,\"holders\":[]}");
}
END_TEST

START_TEST(change_in_json)
{
	const struct mapseal_change change = {
		.change = "granted",
		.time_ms = 1700000000123,
		.id = 7,
		.object = "db",
		.length = 4096,
		.pid = 9,
		.uid = 1,
		.comm = "c",
		.detail = "read",
	};

	ck_json(json_change(&change),
		"{\"time_ms\":1700000000123,\"change\":\"granted\",\"id\":7,\"object\":\"db\","
		"\"offset\":0,\"length\":4096,\"holder\":{\"pid\":9,\"uid\":1,\"comm\":\"c\"},"
		"\"detail\":\"read\"}");
}
END_TEST

START_TEST(quarantine_in_json)
{
	const struct mapseal_quarantine_info info = {
		.id = 1,
		.seal = 7,
		.object = "db",
		.offset = 0,
		.length = 8192,
		.bytes = 4096,
		.error = 28,
		.uid = 1000,
		.age_ms = 10,
	};

	ck_json(json_quarantine(&info),
		"{\"id\":1,\"seal\":7,\"object\":\"db\",\"offset\":0,\"length\":8192,\"bytes\":"
		"4096,"
		"\"error\":\"ENOSPC\",\"errno\":28,\"uid\":1000,\"age_ms\":10}");
}
END_TEST

START_TEST(status_in_json)
{
	static const char *const names[] = {
		"version",	"pid",		 "epoch",   "uptime_ms",    "sessions",
		"objects",	"seals",	 "breaks",  "window_bytes", "quarantined",
		"grants",	"recalls",	 "returns", "revocations",  "faults",
		"pages_filled", "pages_written", "limits",  "features",	    "guard",
		"strangers",	"strangers_held", "strangers_denied",	    "broken_promises",
	};
	const struct mapseal_status status = { .version = "0.1.0", .poison = true };
	struct json_object *o = json_status(&status), *features;

	ck_assert_int_eq(json_object_object_length(o), (int)(sizeof(names) / sizeof(names[0])));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert(json_object_object_get_ex(o, names[i], NULL));
	ck_assert(json_object_object_get_ex(o, "features", &features));
	ck_assert_str_eq(json_object_to_json_string_ext(features, JSON_C_TO_STRING_PLAIN),
			 "{\"poison\":true,\"wp_continue\":false,\"kernel_faults\":false}");
	json_object_put(o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("render");
	TCase *t = tcase_create("render");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, escaped, 0, sizeof(strings) / sizeof(strings[0]));
	tcase_add_test(t, aligned);
	tcase_add_test(t, many_rows_without_headers);
	tcase_add_test(t, account_as_table);
	tcase_add_test(t, seal_in_json);
	tcase_add_test(t, account_in_json);
	tcase_add_test(t, waiter_in_json);
	tcase_add_test(t, change_in_json);
	tcase_add_test(t, quarantine_in_json);
	tcase_add_test(t, status_in_json);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
