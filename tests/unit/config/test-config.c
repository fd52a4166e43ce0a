/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The configuration: what is read arrives, what is not understood is refused where it stands, and
 * the reason names what would be right.
 */

#include "daemon/config/config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config/setting.h"
#include "daemon/core/deadline.h"
#include "daemon/pager/pager.h"
#include "daemon/session/quota.h"

static char dir[] = "/tmp/mapseal-config-XXXXXX";
static char file[64], fault[CONFIG_FAULT_MAX];

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/c.conf", dir);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static struct config *good(const char *text)
{
	struct config *config = NULL;
	int r;

	put("c.conf", text);
	r = config_load(file, &config, fault, sizeof(fault));
	ck_assert_msg(r == 0, "refused: %s", r < 0 ? fault : "");
	return config;
}

static void bad(const char *text, unsigned int line, const char *reason)
{
	struct config *untouched = (void *)fault, *config = untouched;
	char place[80];

	put("c.conf", text);
	ck_assert_msg(config_load(file, &config, fault, sizeof(fault)) == -EINVAL, "taken: %.60s",
		      text);
	ck_assert_ptr_eq(config, untouched);
	snprintf(place, sizeof(place), "%s:%u: ", file, line);
	ck_assert_msg(strncmp(fault, place, strlen(place)) == 0, "%.60s: not at line %u: %s", text,
		      line, fault);
	ck_assert_msg(strstr(fault, reason) != NULL, "no \"%s\" in: %s", reason, fault);
	ck_assert_uint_lt(strlen(fault), sizeof(fault) - 1);
}

START_TEST(defaults)
{
	struct core_policy policy = core_policy_default();
	struct quota_limits quota;
	struct pager_config pager;
	struct config *config;

	ck_assert_int_eq(config_load(NULL, &config, fault, sizeof(fault)), 0);
	ck_assert_str_eq(config->socket, "/run/mapseal/mapseal.sock");
	ck_assert_uint_eq(config->socket_mode, 0666);
	ck_assert(config->descriptors);
	ck_assert_uint_eq(config->n_exports, 0);
	ck_assert_mem_eq(&config->policy, &policy, sizeof(policy));
	config_pager(config, &pager);
	ck_assert_uint_eq(pager.readahead_pages, 16);
	ck_assert(!pager.without_poison && !pager.without_wp_continue);
	ck_assert_uint_eq(pager.memory_owner, 4294967294);
	config_quota(config, &quota);
	for (int i = 0; i < _QUOTA_N; i++)
		ck_assert_uint_gt(quota.max[i], 0);
	config_free(config);

	config = good("");
	ck_assert_mem_eq(&config->policy, &policy, sizeof(policy));
	config_free(config);
	ck_assert_ptr_null(config_free(NULL));
}
END_TEST

START_TEST(everything)
{
	struct config *config = good("\xef\xbb\xbf# comment\n; comment\n"
				     "[daemon]\n"
				     "socket = /run/other\n"
				     "  socket-mode = 0660\r\n"
				     "socket-group=gid:7\n"
				     "descriptors = no\n"
				     "memory-owner = uid:12\n"
				     "\n[quota]\n"
				     "max-sessions = 1\nmax-seals = 2\nmax-window-bytes = 3M\n"
				     "max-in-flight = 4\n"
				     "[pager]\n"
				     "readahead-pages = 8\nsequential-pages = 512\ngranule-pages = 1\n"
				     "max-mappers = 3\nspin-us = 0\n"
				     "[defaults]\n"
				     "deadline-ms = 100\nhard-ms = 200\nprogress-ms = 0\n"
				     "min-hold-ms = 1\nhold-ms = 300\nfence-ms = 50\n"
				     "[export z.file]\n"
				     "path = /srv/z; not # a comment\n"
				     "read = *\n"
				     "write = root, uid:5@0-4K,%root@1M+1M , gid:9@8K-end\n"
				     "on-conflict = deny\non-death = discard\n"
				     "kernel-faults = uid:5, root\n"
				     "fence-helper = /sbin/cut\n"
				     "deadline-ms = 150\n"
				     "max-seals = 10\nmax-window-bytes = 1G\n"
				     "[export a]\n"
				     "directory = /srv\n"
				     "kernel-faults = yes\n");
	const struct export *a = &config->exports[0], *z = &config->exports[1];

	ck_assert_str_eq(config->socket, "/run/other");
	ck_assert_uint_eq(config->socket_mode, 0660);
	ck_assert_uint_eq(config->socket_group, 7);
	ck_assert(!config->descriptors);
	ck_assert_uint_eq(config->memory_owner, 12);
	ck_assert_uint_eq(config->max_sessions, 1);
	ck_assert_uint_eq(config->max_seals, 2);
	ck_assert_uint_eq(config->max_window_bytes, 3 << 20);
	ck_assert_uint_eq(config->max_in_flight, 4);
	ck_assert_uint_eq(config->readahead_pages, 8);
	ck_assert_uint_eq(config->sequential_pages, 512);
	ck_assert_uint_eq(config->granule_pages, 1);
	ck_assert_uint_eq(config->max_mappers, 3);
	ck_assert_uint_eq(config->spin_us, 0);
	ck_assert_uint_eq(config->policy.deadline_ms, 100);
	ck_assert_uint_eq(config->policy.hard_ms, 200);
	ck_assert_uint_eq(config->policy.progress_ms, 0);
	ck_assert_uint_eq(config->policy.min_hold_ms, 1);
	ck_assert_uint_eq(config->policy.hold_ms, 300);
	ck_assert_uint_eq(config->policy.fence_ms, 50);

	ck_assert_uint_eq(config->n_exports, 2);
	ck_assert_str_eq(a->name, "a");
	ck_assert(a->directory && !a->deny && !a->discard);
	ck_assert_mem_eq(&a->policy, &config->policy, sizeof(a->policy));
	ck_assert_uint_eq(a->n_kernel_faults, 1);
	ck_assert_uint_eq(a->kernel_faults[0].type, EXPORT_EVERYONE);
	ck_assert_uint_eq(a->max_seals, UINT64_MAX);

	ck_assert_str_eq(z->name, "z.file");
	ck_assert_str_eq(z->path, "/srv/z; not # a comment");
	ck_assert_str_eq(z->fence_helper, "/sbin/cut");
	ck_assert(!z->directory && z->deny && z->discard);
	ck_assert_uint_eq(z->policy.deadline_ms, 150);
	ck_assert_uint_eq(z->policy.hard_ms, 200);
	ck_assert_uint_eq(z->max_seals, 10);
	ck_assert_uint_eq(z->max_window_bytes, 1 << 30);
	ck_assert_uint_eq(z->n_read, 1);
	ck_assert_uint_eq(z->read[0].who.type, EXPORT_EVERYONE);
	ck_assert_uint_eq(z->read[0].start, 0);
	ck_assert_uint_eq(z->read[0].end, EXPORT_TO_END);
	ck_assert_uint_eq(z->n_write, 4);
	ck_assert_uint_eq(z->write[0].who.type, EXPORT_UID);
	ck_assert_uint_eq(z->write[0].who.id, 0);
	ck_assert_uint_eq(z->write[1].who.id, 5);
	ck_assert_uint_eq(z->write[1].end, 4096);
	ck_assert_uint_eq(z->write[2].who.type, EXPORT_GID);
	ck_assert_uint_eq(z->write[2].start, 1 << 20);
	ck_assert_uint_eq(z->write[2].end, 2 << 20);
	ck_assert_uint_eq(z->write[3].start, 8192);
	ck_assert_uint_eq(z->write[3].end, EXPORT_TO_END);
	ck_assert_uint_eq(z->n_kernel_faults, 2);
	config_free(config);
}
END_TEST

START_TEST(form)
{
	static char text[9000];

	bad("a = b\n", 1, "before the first [section]");
	bad("\n[what]\n", 2, "[export NAME]");
	bad("[daemon\n", 1, "[NAME]");
	bad("[daemon] x = y\n", 1, "nothing behind");
	bad("[daemon]\nnonsense = 1\n", 2, "socket, socket-mode");
	bad("[daemon]\nnonsense\n", 2, "KEY = VALUE");
	bad("[export x]\npath = /x\nreed = *\n", 3, "path, directory, read, write");
	bad("[defaults]\nhard-ms = 20000\n\nhard-ms = 20000\n", 4, "line 2");
	bad("[defaults]\nhard-ms = 20000\n[quota]\n[defaults]\nhard-ms = 9\n", 5, "line 2");
	strcpy(text, "[export x]\npath = /");
	memset(text + strlen(text), 'x', 8200);
	bad(text, 2, "8192 are allowed");
	text[strlen("[export x]\npath = ") + 4096] = '\0';
	bad(text, 2, "4095 bytes are allowed");
	text[strlen(text) - 1] = '\0';
	config_free(good(text));
}
END_TEST

START_TEST(long_lines_are_whole)
{
	char text[8200], *at;
	struct config *config;

	strcpy(text, "[export x]\npath = /x\nread = uid:1");
	at = text + strlen(text);
	while (at < text + 8000)
		at += sprintf(at, ", uid:%d", 1234567);
	config = good(text);
	ck_assert_uint_gt(config->exports[0].n_read, 500);
	ck_assert_uint_eq(config->exports[0].read[config->exports[0].n_read - 1].who.id, 1234567);
	config_free(config);
}
END_TEST

START_TEST(zero_byte)
{
	FILE *f = fopen(file, "we");
	struct config *config;

	fwrite("[daemon]\nsocket = /a\0b\n", 1, 23, f);
	fclose(f);
	ck_assert_int_eq(config_load(file, &config, fault, sizeof(fault)), -EINVAL);
	ck_assert(strstr(fault, ":2: ") && strstr(fault, "zero byte"));
}
END_TEST

START_TEST(values)
{
	bad("[quota]\nmax-seals = 0\n", 2, "1 to 16777216");
	bad("[quota]\nmax-seals = -1\n", 2, "1 to 16777216");
	bad("[quota]\nmax-seals =\n", 2, "1 to 16777216");
	bad("[quota]\nmax-seals = 1K\n", 2, "1 to 16777216");
	bad("[quota]\nmax-seals = 10 # ten\n", 2, "1 to 16777216");
	bad("[quota]\nmax-seals = 18446744073709551617\n", 2, "1 to 16777216");
	bad("[quota]\nmax-window-bytes = 1\n", 2, "4K to ");
	bad("[quota]\nmax-window-bytes = 1T\n", 2, "4K to ");
	bad("[pager]\nreadahead-pages = 24\n", 2, "1, 2, 4");
	bad("[pager]\nreadahead-pages = 1024\n", 2, "1 to 512");
	bad("[daemon]\nsocket = run/x\n", 2, "absolute");
	bad("[daemon]\nsocket = /0123456789012345678901234567890123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789\n",
	    2, "107 bytes");
	bad("[daemon]\nsocket-mode = 888\n", 2, "octal");
	bad("[daemon]\nsocket-mode = 1777\n", 2, "octal");
	bad("[daemon]\nsocket-mode = rw\n", 2, "octal");
	bad("[daemon]\nsocket-group = root\n", 2, "%NAME or gid:N");
	bad("[daemon]\ndescriptors = maybe\n", 2, "\"no\" or \"yes\"");
	bad("[daemon]\nmemory-owner = no-such-user-here\n", 2, "no user");
	bad("[defaults]\ndeadline-ms = -1\n", 2, "1 to 3600000");
	bad("[defaults]\ndeadline-ms = 9999999\n", 2, "1 to 3600000");
	bad("[defaults]\ndeadline-ms = 9000\nhard-ms = 1000\n", 3, "hard limit");
	bad("[export x]\npath = /x\non-conflict = ask\n", 3, "\"recall\" or \"deny\"");
	bad("[export x]\npath = /x\non-death = no\n", 3, "\"write\" or \"discard\"");
	bad("[export x]\npath = /x\ndeadline-ms = 20000\n", 1, "[export x]: with deadline-ms = 20000");
}
END_TEST

START_TEST(exports)
{
	bad("[export x]\nread = *\n", 1, "path = FILE");
	bad("[export x]\npath = relative\n", 2, "absolute");
	bad("[export x]\npath = /x\ndirectory = /y\n", 3, "not both");
	bad("[export x]\ndirectory = /y\npath = /x\n", 3, "not both");
	bad("[export x]\npath = /x\n[export y]\npath = /y\n[export x]\npath = /z\n", 5, ":1;");
	bad("[export ]\npath = /x\n", 1, "no name");
	bad("[export a/b]\npath = /x\n", 1, "no name");
	bad("[export a b]\npath = /x\n", 1, "no name");
	bad("[export .a]\npath = /x\n", 1, "no name");
	bad("[export -a]\npath = /x\n", 1, "no name");
	bad("[export mem-1]\npath = /x\n", 1, "\"mem-\" first");
	bad("[export a:0-4K]\npath = /x\n", 1, "no name");
	bad("[export \xc3\xa4]\npath = /x\n", 1, "no name");
	bad("[export 01234567890123456789012345678901234567890123456789012345678901234]\n", 1,
	    "at most 64");
	bad("[export]\npath = /x\n", 1, "no such section");
	/* longer than libinih keeps a section's name, and different only after that */
	config_free(good("[export 0123456789012345678901234567890123456789012345678901234567890123]\n"
			 "path = /x\n"
			 "[export 0123456789012345678901234567890123456789012345678901234567890124]\n"
			 "path = /x\n"));
}
END_TEST

START_TEST(who_and_range)
{
	static const struct {
		const char *text, *reason;
	} wrong[] = {
		{ "", "nobody is named" },
		{ "1000", "uid:1000" },
		{ "uid:", "is" },
		{ "uid:-1", "0 to 4294967294" },
		{ "uid:4294967295", "0 to 4294967294" },
		{ "gid:x", "0 to 4294967294" },
		{ "%", "no group" },
		{ "%no-such-group-here", "no group" },
		{ "no-such-user-here", "no user" },
		{ "*@", "nothing follows" },
		{ "*@4K", "OFFSET-END" },
		{ "*@4K-4K", "no bytes" },
		{ "*@8K-4K", "before" },
		{ "*@-end", "range" },
		{ "*@x-end", "the offset" },
		{ "*@0-9223372036854775808", "larger" },
		{ "@0-4K", "nobody is named" },
		{ "* @0-4K", "no user" },
	};
	struct export_grant grant;
	char why[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		ck_assert_msg(setting_parse_grant(wrong[i].text, &grant, why, sizeof(why)) ==
				      -EINVAL,
			      "taken: %s", wrong[i].text);
		ck_assert_msg(strstr(why, wrong[i].reason) != NULL, "%s: %s", wrong[i].text, why);
	}
	ck_assert_int_eq(setting_parse_grant("uid:4294967294@1-2", &grant, why, sizeof(why)), 0);
	ck_assert_uint_eq(grant.who.id, 4294967294);
	ck_assert_uint_eq(grant.start, 1);
	ck_assert_uint_eq(grant.end, 2);
	bad("[export x]\npath = /x\nread = *,\n", 3, "nobody is named");
	bad("[export x]\npath = /x\nread = *, uid:1@4K\n", 3, "OFFSET-END");
	bad("[export x]\npath = /x\nkernel-faults = no, uid:1\n", 3, "no user");
}
END_TEST

START_TEST(dropins)
{
	struct config *config;
	char path[128];

	snprintf(path, sizeof(path), "%s.d", file);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	put("c.conf.d/20-b.conf", "[quota]\nmax-seals = 20\n[export b]\npath = /b\ndeadline-ms = 5\n");
	put("c.conf.d/10-a.conf", "[quota]\nmax-seals = 10\nmax-sessions = 10\n");
	put("c.conf.d/30-no", "[quota]\nmax-seals = 30\n");
	put("c.conf.d/.conf", "[quota]\nmax-seals = 40\n");
	put("c.conf.d/.hidden.conf", "[quota]\nmax-seals = 50\n");
	config = good("[quota]\nmax-seals = 1\nmax-sessions = 1\nmax-in-flight = 1\n"
		      "[export a]\npath = /a\n");
	ck_assert_uint_eq(config->max_seals, 20);
	ck_assert_uint_eq(config->max_sessions, 10);
	ck_assert_uint_eq(config->max_in_flight, 1);
	ck_assert_uint_eq(config->n_exports, 2);
	config_free(config);

	/* what [defaults] says at the end goes for exports that were read before */
	put("c.conf.d/40-c.conf", "[defaults]\nhard-ms = 1000\ndeadline-ms = 700\n");
	config = good("[export a]\npath = /a\n");
	ck_assert_uint_eq(config->exports[0].policy.hard_ms, 1000);
	ck_assert_uint_eq(config->exports[1].policy.hard_ms, 1000);
	ck_assert_uint_eq(config->exports[1].policy.deadline_ms, 5);
	config_free(config);

	put("c.conf.d/50-d.conf", "\n[export a]\npath = /d\n");
	ck_assert_int_eq(config_load(file, &config, fault, sizeof(fault)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fault, "50-d.conf:2: "));
	ck_assert_ptr_nonnull(strstr(fault, "c.conf:1;"));
}
END_TEST

START_TEST(files)
{
	struct config *config;

	ck_assert_int_eq(config_load(file, &config, fault, sizeof(fault)), -ENOENT);
	ck_assert_ptr_nonnull(strstr(fault, file));
	ck_assert_int_eq(mkdir(file, 0700), 0);
	ck_assert_int_eq(config_load(file, &config, fault, sizeof(fault)), -EISDIR);
	ck_assert_int_eq(rmdir(file), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("config");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, defaults);
	tcase_add_test(tcase, everything);
	tcase_add_test(tcase, form);
	tcase_add_test(tcase, long_lines_are_whole);
	tcase_add_test(tcase, zero_byte);
	tcase_add_test(tcase, values);
	tcase_add_test(tcase, exports);
	tcase_add_test(tcase, who_and_range);
	tcase_add_test(tcase, dropins);
	tcase_add_test(tcase, files);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
