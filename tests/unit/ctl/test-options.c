/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The option parser: what it takes, in which order, and what it refuses with which words.
 */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/options.h"

#define WORDS_MAX 12

struct values {
	bool json, quiet;
	const char *socket;
	uint32_t wait;
	int mode;
};

static char error[OPTIONS_ERROR_MAX];

/* Splits @line at spaces and parses it with tables as mapsealctl has them; "''" is an empty word.
 */
static int parse(const char *line, unsigned int flags, struct values *v, struct options_rest *rest)
{
	static const struct option_choice modes[] = { { "read", 1 }, { "write", 2 }, { NULL, 0 } };
	static char copy[512];
	static char *argv[WORDS_MAX + 1];
	const struct option_spec common[] = {
		OPTION_STRING('s', "socket", "PATH", &v->socket, ""),
		OPTION_FLAG('j', "json", &v->json, ""),
		OPTION_END,
	};
	const struct option_spec specific[] = {
		OPTION_CHOICE('m', "mode", "MODE", modes, &v->mode, ""),
		OPTION_MS('w', "wait", &v->wait, ""),
		OPTION_FLAG(0, "quiet", &v->quiet, ""),
		OPTION_END,
	};
	size_t n = 0;

	*v = (struct values){ 0 };
	strcpy(copy, line);
	for (char *w = strtok(copy, " "); w && n < WORDS_MAX; w = strtok(NULL, " "))
		argv[n++] = strcmp(w, "''") == 0 ? w + 2 : w;
	argv[n] = NULL;
	error[0] = '\0';
	return options_parse(common, specific, argv, flags, rest, error);
}

START_TEST(before_and_after_operands)
{
	struct options_rest rest;
	struct values v;

	ck_assert_int_eq(parse("--json one -s /sock two --wait=7 --mode write", 0, &v, &rest), 0);
	ck_assert(v.json);
	ck_assert_str_eq(v.socket, "/sock");
	ck_assert_uint_eq(v.wait, 7);
	ck_assert_int_eq(v.mode, 2);
	ck_assert_uint_eq(rest.n_operands, 2);
	ck_assert_str_eq(rest.operands[0], "one");
	ck_assert_str_eq(rest.operands[1], "two");
	ck_assert_ptr_null(rest.operands[2]);
	ck_assert_ptr_null(rest.command);
}
END_TEST

START_TEST(stops_at_the_command)
{
	struct options_rest rest;
	struct values v;

	ck_assert_int_eq(parse("--json list --unknown -- x", OPTIONS_STOP, &v, &rest), 0);
	ck_assert(v.json);
	ck_assert_uint_eq(rest.n_operands, 4);
	ck_assert_str_eq(rest.operands[0], "list");
	ck_assert_str_eq(rest.operands[1], "--unknown");
	ck_assert_str_eq(rest.operands[2], "--");
	ck_assert_str_eq(rest.operands[3], "x");
}
END_TEST

START_TEST(command_after_dashes)
{
	struct options_rest rest;
	struct values v;

	ck_assert_int_eq(parse("db -j -- sh -c --json --", OPTIONS_COMMAND, &v, &rest), 0);
	ck_assert_uint_eq(rest.n_operands, 1);
	ck_assert_ptr_null(rest.operands[1]);
	ck_assert_str_eq(rest.command[0], "sh");
	ck_assert_str_eq(rest.command[2], "--json");
	ck_assert_str_eq(rest.command[3], "--");
	ck_assert_ptr_null(rest.command[4]);

	ck_assert_int_eq(parse("db --", OPTIONS_COMMAND, &v, &rest), 0);
	ck_assert_ptr_nonnull(rest.command);
	ck_assert_ptr_null(rest.command[0]);
	ck_assert_int_eq(parse("-- cat", OPTIONS_COMMAND, &v, &rest), 0);
	ck_assert_uint_eq(rest.n_operands, 0);
	ck_assert_ptr_null(rest.operands[0]);
	ck_assert_str_eq(rest.command[0], "cat");
}
END_TEST

START_TEST(operands_after_dashes)
{
	struct options_rest rest;
	struct values v;

	ck_assert_int_eq(parse("a -- --json -", 0, &v, &rest), 0);
	ck_assert(!v.json);
	ck_assert_uint_eq(rest.n_operands, 3);
	ck_assert_str_eq(rest.operands[1], "--json");
	ck_assert_str_eq(rest.operands[2], "-");
}
END_TEST

START_TEST(odd_but_right)
{
	struct options_rest rest;
	struct values v;

	ck_assert_int_eq(parse("", 0, &v, &rest), 0);
	ck_assert_uint_eq(rest.n_operands, 0);
	ck_assert_int_eq(parse("-s/sock -", 0, &v, &rest), 0);
	ck_assert_str_eq(v.socket, "/sock");
	ck_assert_str_eq(rest.operands[0], "-");
	ck_assert_int_eq(parse("--wait 1 --wait 4294967295", 0, &v, &rest), 0);
	ck_assert_uint_eq(v.wait, UINT32_MAX);
	ck_assert_int_eq(parse("--socket --json", 0, &v, &rest), 0);
	ck_assert_str_eq(v.socket, "--json");
	ck_assert_int_eq(parse("--socket=a=b", 0, &v, &rest), 0);
	ck_assert_str_eq(v.socket, "a=b");
}
END_TEST

static const struct {
	const char *line, *words;
} bad[] = {
	{ "--unknown", "unknown option '--unknown'" },
	{ "--unknown=1", "unknown option '--unknown'" },
	{ "--js", "unknown option '--js'" },
	{ "--jsonx", "unknown option '--jsonx'" },
	{ "-x", "unknown option '-x'" },
	{ "-jj", "one by one" },
	{ "--=1", "unknown option '--'" },
	{ "---json", "unknown option" },
	{ "--json=yes", "takes no value" },
	{ "--json=", "takes no value" },
	{ "--socket", "needs a value (PATH)" },
	{ "--socket ''", "empty" },
	{ "--socket=", "empty" },
	{ "--wait", "needs a value (MS)" },
	{ "--wait -5", "is negative" },
	{ "--wait 0", "0 is no time" },
	{ "--wait 4294967296", "too large" },
	{ "--wait 18446744073709551617", "too large" },
	{ "--wait 5s", "not a number" },
	{ "--wait five", "not a number" },
	{ "--mode", "needs a value" },
	{ "--mode rw", "'rw' is none of read, write" },
	{ "--mode READ", "none of" },
	{ "operand --unknown", "unknown option" },
};

START_TEST(refused)
{
	struct options_rest rest = { .n_operands = 99 };
	struct values v;

	ck_assert_int_eq(parse(bad[_i].line, OPTIONS_COMMAND, &v, &rest), 1);
	ck_assert_msg(strstr(error, bad[_i].words), "'%s': '%s' does not say '%s'", bad[_i].line,
		      error, bad[_i].words);
	ck_assert_uint_eq(rest.n_operands, 99);
}
END_TEST

START_TEST(long_words_fit_their_error)
{
	struct options_rest rest;
	struct values v;
	char line[400];

	memset(line, 'x', sizeof(line));
	memcpy(line, "--", 2);
	line[sizeof(line) - 1] = '\0';
	ck_assert_int_eq(parse(line, 0, &v, &rest), 1);
	memcpy(line, "--mode=", 7);
	ck_assert_int_eq(parse(line, 0, &v, &rest), 1);
	ck_assert_ptr_nonnull(strstr(error, "none of read, write"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");
	SRunner *runner;
	int failed;

	tcase_add_test(t, before_and_after_operands);
	tcase_add_test(t, stops_at_the_command);
	tcase_add_test(t, command_after_dashes);
	tcase_add_test(t, operands_after_dashes);
	tcase_add_test(t, odd_but_right);
	tcase_add_loop_test(t, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, long_words_fit_their_error);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
