/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is said about the configuration, in the example that is installed and in the manual, is so. */

#include "daemon/config/config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config/keys.h"
#include "daemon/core/deadline.h"

static char fault[CONFIG_FAULT_MAX];

/* The example that is installed says what the defaults are, so taking the comments out changes
 * nothing. */
START_TEST(example)
{
	const char *top = getenv("top_srcdir");
	struct config *commented, *defaults_only, *taken;
	_cleanup_free_ char *line = NULL;
	char path[512], file[] = "/tmp/mapseal-example-XXXXXX";
	size_t size = 0;
	FILE *in, *out;
	int r;

	snprintf(path, sizeof(path), "%s/dist/mapseald.conf", top ? top : ".");
	ck_assert_int_eq(config_load(NULL, &defaults_only, fault, sizeof(fault)), 0);
	ck_assert_msg(config_load(path, &commented, fault, sizeof(fault)) == 0, "%s", fault);
	ck_assert_uint_eq(commented->n_exports, 0);
	in = fopen(path, "re");
	out = fdopen(mkstemp(file), "w");
	ck_assert(in && out);
	while (getline(&line, &size, in) > 0)
		fputs(line[0] == '#' && line[1] != ' ' && line[1] != '\n' ? line + 1 : line, out);
	fclose(in);
	fclose(out);
	r = config_load(file, &taken, fault, sizeof(fault));
	unlink(file);
	ck_assert_msg(r == 0, "%s", fault);
	ck_assert_uint_gt(taken->n_exports, 0);
	ck_assert_mem_eq(&taken->policy, &defaults_only->policy, sizeof(taken->policy));
	ck_assert_str_eq(taken->socket, defaults_only->socket);
	ck_assert_uint_eq(taken->socket_mode, defaults_only->socket_mode);
	ck_assert_uint_eq(taken->memory_owner, defaults_only->memory_owner);
	ck_assert_uint_eq(taken->descriptors, defaults_only->descriptors);
	ck_assert_uint_eq(taken->max_sessions, defaults_only->max_sessions);
	ck_assert_uint_eq(taken->max_seals, defaults_only->max_seals);
	ck_assert_uint_eq(taken->max_window_bytes, defaults_only->max_window_bytes);
	ck_assert_uint_eq(taken->max_in_flight, defaults_only->max_in_flight);
	ck_assert_uint_eq(taken->readahead_pages, defaults_only->readahead_pages);
	ck_assert_uint_eq(taken->sequential_pages, defaults_only->sequential_pages);
	ck_assert_uint_eq(taken->granule_pages, defaults_only->granule_pages);
	ck_assert_uint_eq(taken->max_mappers, defaults_only->max_mappers);
	ck_assert_uint_eq(taken->spin_us, defaults_only->spin_us);
	config_free(commented);
	config_free(defaults_only);
	config_free(taken);
}
END_TEST

/* mapseald.conf(5) has every key, and the deadlines' defaults and bounds. */
START_TEST(manual)
{
	static const char *const names[] = { "daemon", "quota", "defaults", "pager", "export x" };
	const char *top = getenv("top_srcdir");
	_cleanup_free_ char *text = NULL;
	const struct section *section;
	char line[256], key[64];
	size_t size = 0;
	FILE *page;

	snprintf(line, sizeof(line), "%s/doc/mapseald.conf.5", top ? top : ".");
	page = fopen(line, "re");
	ck_assert_ptr_nonnull(page);
	ck_assert_int_gt(getdelim(&text, &size, '\0', page), 0);
	fclose(page);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		section = keys_section(names[i]);
		ck_assert_ptr_nonnull(section);
		for (size_t k = 0; k < section->n_keys; k++) {
			snprintf(key, sizeof(key), "%s", section->keys[k].name);
			ck_assert_msg(strstr(text, key) != NULL, "%s is not explained", key);
		}
	}
	section = keys_section("defaults");
	for (size_t k = 0; k < n_deadline_table; k++) {
		snprintf(line, sizeof(line), ".It Cm %s Ta %u Ta %u to %u Ta ",
			 section->keys[k].name, deadline_table[k].standard, deadline_table[k].min,
			 deadline_table[k].max);
		ck_assert_msg(strstr(text, line) != NULL, "no \"%s\"", line);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("documents");
	TCase *tcase = tcase_create("documents");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, example);
	tcase_add_test(tcase, manual);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
