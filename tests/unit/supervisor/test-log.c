/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Of what happens often the log has a line a second, and how many it leaves out. */

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "daemon/supervisor/wiring.h"

#define MS UINT64_C(1000000)

static uint64_t now;
uint64_t __wrap_loop_now(void);

uint64_t __wrap_loop_now(void)
{
	return now;
}

/* What was logged since the last call. */
static const char *said(void)
{
	static char text[1024];
	static long at;
	FILE *log = fopen("/proc/self/fd/2", "re");

	ck_assert_ptr_nonnull(log);
	ck_assert_int_eq(fseek(log, at, SEEK_SET), 0);
	text[fread(text, 1, sizeof(text) - 1, log)] = '\0';
	at = ftell(log);
	fclose(log);
	return text;
}

START_TEST(one_a_second)
{
	struct log_limit limit = { 0 }, other = { 0 };
	FILE *file = tmpfile();

	ck_assert(file && dup2(fileno(file), STDERR_FILENO) == STDERR_FILENO);
	now = 5 * MS;
	ck_assert(log_may(&limit, LOG_LEVEL_INFO, "doors were shut"));
	for (int i = 0; i < 999; i++) {
		now += MS;
		ck_assert(!log_may(&limit, LOG_LEVEL_INFO, "doors were shut"));
	}
	ck_assert(log_may(&other, LOG_LEVEL_INFO, "windows were shut"));
	ck_assert_str_eq(said(), "");
	now += MS;
	ck_assert(log_may(&limit, LOG_LEVEL_ERROR, "doors were shut"));
	ck_assert_str_eq(said(), "<3>999 more doors were shut in between\n");
	ck_assert(!log_may(&limit, LOG_LEVEL_INFO, "doors were shut"));
	/* each is told once, and nothing of nothing */
	now += 1000 * MS;
	ck_assert(log_may(&limit, LOG_LEVEL_INFO, "doors were shut"));
	ck_assert_str_eq(said(), "<6>1 more doors were shut in between\n");
	now += 1000 * MS;
	ck_assert(log_may(&limit, LOG_LEVEL_INFO, "doors were shut"));
	ck_assert_str_eq(said(), "");
	fclose(file);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, one_a_second);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
