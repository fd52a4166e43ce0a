/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Exports: whose they are, which bytes of them, which files in them, and in which words all else is
 * refused.
 */

#include "daemon/authority/export.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MiB (1024 * 1024ull)

static char dir[] = "/var/tmp/mapseal-export-XXXXXX";
static char why[AUTHORITY_WHY_MAX];
static struct mounts *mounts;

static const char *in(const char *name)
{
	static char path[4][128];
	static unsigned int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in(name), "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(mounts_new(NULL, &mounts), 0);
	ck_assert_int_eq(mkdir(in("lent"), 0700), 0);
	ck_assert_int_eq(mkdir(in("lent/sub"), 0700), 0);
	put("lent/file", "lent");
	put("lent/sub/file", "sub");
	put("secret", "secret");
}

static void teardown(void)
{
	char command[128];

	mounts = mounts_free(mounts);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- rules ------------------------------------------------------------------------------- */

#define CALLER(u, ...)                                                                             \
	(&(struct export_caller){                                                                  \
		.uid = u,                                                                          \
		.gid = 100 + u,                                                                    \
		.groups = (const gid_t[]){ __VA_ARGS__ },                                          \
		.n_groups = sizeof((const gid_t[]){ __VA_ARGS__ }) / sizeof(gid_t),                \
	})

static struct export_grant rules[] = {
	{ { EXPORT_UID, 1000 }, 0, 4 * MiB },
	{ { EXPORT_UID, 1000 }, 4 * MiB, 6 * MiB },
	{ { EXPORT_UID, 1000 }, 16 * MiB, 16 * MiB + 5000 },
	{ { EXPORT_GID, 50 }, 8 * MiB, EXPORT_TO_END },
	{ { EXPORT_EVERYONE, 0 }, 4096, 8192 },
};
static struct export_who trusted[] = { { EXPORT_UID, 7 }, { EXPORT_GID, 50 } };
static struct export db = {
	.name = (char *)"db",
	.read = rules,
	.n_read = 4,
	.write = rules,
	.n_write = 1,
	.kernel_faults = trusted,
	.n_kernel_faults = 2,
};

static int may(const struct export_caller *caller, bool write, uint64_t start, uint64_t end)
{
	int r = export_check_range(&db, caller, write, start, end, why, sizeof(why));

	ck_assert(r == 0 || r == AUTHORITY_E_DENIED);
	ck_assert(r == 0 || strstr(why, "\"db\""));
	return r == 0;
}

START_TEST(ranges_can_not_be_read_around)
{
	const struct export_caller *user = CALLER(1000, 1, 2);

	ck_assert(may(user, false, 0, 4 * MiB));
	ck_assert(may(user, false, 0, 1));
	ck_assert(may(user, false, 4 * MiB - 4096, 4 * MiB));
	ck_assert(may(user, false, 4 * MiB, 6 * MiB));
	/* neighbours are not added up */
	ck_assert(!may(user, false, 4 * MiB - 4096, 4 * MiB + 4096));
	ck_assert(!may(user, false, 0, 6 * MiB));
	ck_assert(!may(user, false, 2 * MiB, 8 * MiB));
	ck_assert_str_eq(why, "export \"db\": uid 1000 may read 0-4M, 4M-6M, 16M-16782216; 2M-8M was "
			      "asked for, and one rule has to cover all of it");
	ck_assert(!may(user, false, 6 * MiB, 6 * MiB + 1));
	ck_assert(!may(user, false, 0, EXPORT_TO_END));
	ck_assert(strstr(why, "0-end was asked for"));
	/* a rule that ends inside a page grants nothing of the rest of it */
	ck_assert(may(user, false, 16 * MiB, 16 * MiB + 5000));
	ck_assert(!may(user, false, 16 * MiB, 16 * MiB + 8192));
	ck_assert(!may(user, false, 16 * MiB - 4096, 16 * MiB + 4096));
}
END_TEST

START_TEST(modes_are_apart)
{
	const struct export_caller *user = CALLER(1000, 1), *member = CALLER(1001, 50);

	ck_assert(may(user, true, 0, 4 * MiB));
	ck_assert(!may(user, true, 4 * MiB, 6 * MiB));
	ck_assert(strstr(why, "may write 0-4M; 4M-6M was asked for"));
	ck_assert(!may(member, true, 8 * MiB, 9 * MiB));
	ck_assert(strstr(why, "uid 1001 may write nothing of it, only read 8M-end"));
}
END_TEST

START_TEST(groups)
{
	struct export_caller by_gid = { .uid = 1001, .gid = 50 };

	ck_assert(may(CALLER(1001, 1, 50), false, 8 * MiB, EXPORT_TO_END));
	ck_assert(may(CALLER(1001, 50), false, 9 * MiB, 10 * MiB));
	ck_assert(may(&by_gid, false, 8 * MiB, EXPORT_TO_END));
	ck_assert(!may(CALLER(1001, 1, 2), false, 8 * MiB, 9 * MiB));
	ck_assert(strstr(why, "uid 1001 may read nothing of it;"));
	/* a uid is no gid, and the group of root is not root */
	ck_assert(!may(CALLER(50, 1), false, 8 * MiB, 9 * MiB));
	ck_assert(!may(CALLER(1001, 0), false, 0, 1));
}
END_TEST

START_TEST(root_needs_no_rule)
{
	const struct export_caller *root = CALLER(0, 0);
	struct export mute = { .name = (char *)"mute", .path = (char *)in("secret") };
	struct authority_file file;

	ck_assert(may(root, false, 0, EXPORT_TO_END));
	ck_assert(may(root, true, 6 * MiB, EXPORT_TO_END));
	ck_assert_int_eq(export_open(&mute, NULL, mounts, root, true, &file, why, sizeof(why)), 0);
	ck_assert(file.writable);
	close(file.fd);
	/* faults in kernel mode are for those who are named */
	ck_assert(!export_may_fault(&db, root));
}
END_TEST

START_TEST(everyone)
{
	db.n_read = 5;
	ck_assert(may(CALLER(4711, 1), false, 4096, 8192));
	ck_assert(!may(CALLER(4711, 1), false, 0, 8192));
	ck_assert(!may(CALLER(4711, 1), false, 4096, 8193));
	db.n_read = 4;
}
END_TEST

START_TEST(kernel_faults)
{
	ck_assert(export_may_fault(&db, CALLER(7, 1)));
	ck_assert(export_may_fault(&db, CALLER(8, 1, 50)));
	ck_assert(!export_may_fault(&db, CALLER(50, 7)));
	ck_assert(!export_may_fault(&db, CALLER(0, 0)));
	ck_assert(!export_may_fault(&(struct export){ .name = db.name }, CALLER(7, 50)));
}
END_TEST

START_TEST(many_rules_are_told_in_bounds)
{
	static struct export_grant many[100];
	struct export export = { .name = (char *)"db", .read = many, .n_read = 100 };

	for (size_t i = 0; i < 100; i++)
		many[i] = (struct export_grant){
			.who = { EXPORT_EVERYONE, 0 },
			.start = UINT64_C(1000000000000) + i * 3,
			.end = UINT64_C(1000000000001) + i * 3,
		};
	for (size_t size = 1; size < sizeof(why); size += 7) {
		memset(why, 'x', sizeof(why));
		ck_assert_int_eq(export_check_range(&export, CALLER(1, 1), false, 0, 1, why, size),
				 AUTHORITY_E_DENIED);
		ck_assert_uint_lt(strlen(why), size);
	}
	ck_assert_int_eq(export_check_range(&export, CALLER(1, 1), false, 0, 1, why, sizeof(why)),
			 AUTHORITY_E_DENIED);
	ck_assert(strstr(why, ", ...; 0-1 was asked for"));
}
END_TEST

/* ---- names ------------------------------------------------------------------------------- */

START_TEST(names)
{
	static const char *const good[] = { "a", "A.b_c-9", "0" };
	static const char *const bad[] = { "", ".", "..", ".a", "-a", "a b", "a/b", "a:b", "mem-1",
					   "\xc3\xa4", "a\n" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ck_assert_msg(export_name_ok(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!export_name_ok(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(finding)
{
	struct export exports[] = { { .name = (char *)"a" }, { .name = (char *)"ab" } };
	const struct export *found;
	const char *rest;

	ck_assert_int_eq(export_find(exports, 2, "ab", &found, &rest, why, sizeof(why)), 0);
	ck_assert_ptr_eq(found, &exports[1]);
	ck_assert_ptr_null(rest);
	ck_assert_int_eq(export_find(exports, 2, "a/", &found, &rest, why, sizeof(why)), 0);
	ck_assert_ptr_eq(found, &exports[0]);
	ck_assert_str_eq(rest, "");
	ck_assert_int_eq(export_find(exports, 2, "a/b/c", &found, &rest, why, sizeof(why)), 0);
	ck_assert_str_eq(rest, "b/c");
	ck_assert_int_eq(export_find(exports, 2, "a//b", &found, &rest, why, sizeof(why)), 0);
	ck_assert_str_eq(rest, "/b");
	ck_assert_int_eq(export_find(exports, 2, "abc", &found, &rest, why, sizeof(why)),
			 AUTHORITY_E_UNKNOWN);
	ck_assert_str_eq(why, "there is no export \"abc\"");
	ck_assert_int_eq(export_find(exports, 2, "/a", &found, &rest, why, sizeof(why)),
			 AUTHORITY_E_UNKNOWN);
	ck_assert_int_eq(export_find(exports, 2, "", &found, &rest, why, sizeof(why)),
			 AUTHORITY_E_UNKNOWN);
	ck_assert_int_eq(export_find(NULL, 0, "a", &found, &rest, why, sizeof(why)),
			 AUTHORITY_E_UNKNOWN);
}
END_TEST

/* ---- files ------------------------------------------------------------------------------- */

static struct export_grant all[] = { { { EXPORT_EVERYONE, 0 }, 0, EXPORT_TO_END } };

static int try(const char *path, bool directory, const char *rest, bool write, const char *content)
{
	struct export export = {
		.name = (char *)"x",
		.path = (char *)path,
		.directory = directory,
		.read = all,
		.n_read = 1,
		.write = all,
		.n_write = 1,
	};
	struct authority_file file = { .fd = -2 };
	char buffer[16] = "";
	int r;

	memset(why, 0, sizeof(why));
	r = export_open(&export, rest, mounts, CALLER(5, 5), write, &file, why, sizeof(why));
	if (r != 0) {
		ck_assert_int_gt(r, 0);
		ck_assert_int_eq(file.fd, -2);
		ck_assert_msg(strncmp(why, "export \"x\": ", 12) == 0, "%s", why);
		ck_assert_ptr_null(content);
		return r;
	}
	ck_assert_int_eq(fcntl(file.fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_APPEND),
			 file.writable ? O_RDWR : O_RDONLY);
	ck_assert(file.writable || !write);
	ck_assert_int_gt(pread(file.fd, buffer, sizeof(buffer) - 1, 0), 0);
	ck_assert_msg(content != NULL, "opened: %s", buffer);
	ck_assert_str_eq(buffer, content);
	close(file.fd);
	return 0;
}

START_TEST(a_file)
{
	ck_assert_int_eq(try(in("secret"), false, NULL, false, "secret"), 0);
	ck_assert_int_eq(try(in("secret"), false, NULL, true, "secret"), 0);
	ck_assert_int_eq(try(in("secret"), false, "x", false, NULL), AUTHORITY_E_UNKNOWN);
	ck_assert_int_eq(try(in("secret"), false, "", false, NULL), AUTHORITY_E_UNKNOWN);
	ck_assert_int_eq(try(in("nothing"), false, NULL, false, NULL), AUTHORITY_E_UNKNOWN);
	ck_assert_int_gt(try(in("lent"), false, NULL, false, NULL), 0);
	ck_assert_int_eq(symlink("secret", in("link")), 0);
	ck_assert_int_gt(try(in("link"), false, NULL, false, NULL), 0);
	ck_assert_ptr_nonnull(strstr(why, "symbolic link"));
	ck_assert_int_eq(mkfifo(in("fifo"), 0600), 0);
	ck_assert_int_gt(try(in("fifo"), false, NULL, false, NULL), 0);
	ck_assert_ptr_nonnull(strstr(why, "FIFO"));
	ck_assert_int_gt(try("/dev/zero", false, NULL, false, NULL), 0);
	ck_assert_int_eq(try("/proc/self/status", false, NULL, false, NULL),
			 AUTHORITY_E_UNSUPPORTED);
	/* named by its own path, a file may have as many names as it likes */
	ck_assert_int_eq(link(in("secret"), in("second")), 0);
	ck_assert_int_eq(try(in("secret"), false, NULL, false, "secret"), 0);
}
END_TEST

START_TEST(below_a_directory)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static const char *const out[] = {
		"link", "inlink", "sublink/file", "../secret", "sub/../../secret", "sub/../file", ".",
		"..", "", "/", "sub", "sub/", "file/", "file/x", "/etc/passwd", "/proc/self/status",
		"hard", "fifo", "socket", "nothing", "self/fd/0",
	};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(try(in("lent"), true, "file", false, "lent"), 0);
	ck_assert_int_eq(try(in("lent"), true, "file", true, "lent"), 0);
	ck_assert_int_eq(try(in("lent"), true, "sub/file", false, "sub"), 0);
	ck_assert_int_eq(symlink(in("secret"), in("lent/link")), 0);
	ck_assert_int_eq(symlink("file", in("lent/inlink")), 0);
	ck_assert_int_eq(symlink("sub", in("lent/sublink")), 0);
	ck_assert_int_eq(symlink("/proc/self", in("lent/self")), 0);
	ck_assert_int_eq(link(in("secret"), in("lent/hard")), 0);
	ck_assert_int_eq(mkfifo(in("lent/fifo"), 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", in("lent/socket"));
	ck_assert_int_eq(bind(fd, (void *)&address, sizeof(address)), 0);
	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
		ck_assert_msg(try(in("lent"), true, out[i], false, NULL) > 0, "lent: %s", out[i]);
		ck_assert_msg(try(in("lent"), true, out[i], true, NULL) > 0, "lent: %s", out[i]);
	}
	ck_assert_int_gt(try(in("lent"), true, NULL, false, NULL), 0);
	ck_assert_ptr_nonnull(strstr(why, "\"x/PATH\""));
	ck_assert_int_gt(try(in("lent"), true, "hard", false, NULL), 0);
	ck_assert_ptr_nonnull(strstr(why, "hard link"));
	ck_assert_int_eq(try(in("gone"), true, "file", false, NULL), AUTHORITY_E_UNKNOWN);
	close(fd);
}
END_TEST

/* Who has no right of the kind is not even told whether the file is there. */
START_TEST(rules_come_before_files)
{
	static struct export_grant one[] = { { { EXPORT_UID, 6 }, 0, 4096 } };
	struct export export = {
		.name = (char *)"x",
		.path = (char *)in("lent"),
		.directory = true,
		.read = one,
		.n_read = 1,
	};
	struct authority_file file;
	char first[AUTHORITY_WHY_MAX];

	ck_assert_int_eq(export_open(&export, "file", mounts, CALLER(5, 6), false, &file, first,
				     sizeof(first)),
			 AUTHORITY_E_DENIED);
	ck_assert_int_eq(export_open(&export, "nothing", mounts, CALLER(5, 6), false, &file, why,
				     sizeof(why)),
			 AUTHORITY_E_DENIED);
	ck_assert_str_eq(first, why);
	ck_assert_int_eq(export_open(&export, "file", mounts, CALLER(6, 1), true, &file, why,
				     sizeof(why)),
			 AUTHORITY_E_DENIED);
	ck_assert_ptr_nonnull(strstr(why, "may write nothing of it, only read 0-4K"));
	ck_assert_int_eq(export_open(&export, "file", mounts, CALLER(6, 1), false, &file, why,
				     sizeof(why)),
			 0);
	close(file.fd);
}
END_TEST

START_TEST(the_same_file_need_not_be_judged_again)
{
	static struct export_grant one[] = { { { EXPORT_UID, 6 }, 0, 4096 } };
	char *path = strdup(in("secret"));
	struct export export = {
		.name = (char *)"x",
		.path = path,
		.read = one,
		.n_read = 1,
	};
	struct authority_same same;
	struct stat st;

	ck_assert_int_eq(stat(in("secret"), &st), 0);
	ck_assert(export_same(&export, NULL, mounts, CALLER(6, 1), false, &same));
	ck_assert(same.dev == st.st_dev && same.ino == st.st_ino);
	ck_assert(!export_same(&export, NULL, mounts, CALLER(6, 1), true, &same));
	ck_assert(!export_same(&export, NULL, mounts, CALLER(5, 6), false, &same));
	ck_assert(!export_same(&export, "", mounts, CALLER(6, 1), false, &same));
	ck_assert(export_same(&export, NULL, mounts, CALLER(0, 0), true, &same));

	ck_assert_int_eq(rename(in("secret"), in("old")), 0);
	ck_assert(!export_same(&export, NULL, mounts, CALLER(6, 1), false, &same));
	ck_assert_int_eq(symlink(in("old"), in("secret")), 0);
	ck_assert(!export_same(&export, NULL, mounts, CALLER(6, 1), false, &same));
	ck_assert_int_eq(unlink(in("secret")), 0);
	ck_assert_int_eq(mkdir(in("secret"), 0700), 0);
	ck_assert(!export_same(&export, NULL, mounts, CALLER(6, 1), false, &same));
	export.directory = true;
	ck_assert(!export_same(&export, "x", mounts, CALLER(6, 1), false, &same));
	ck_assert_int_eq(rename(in("old"), in("secret/x")), 0);
	ck_assert(export_same(&export, "x", mounts, CALLER(6, 1), false, &same));
	ck_assert(same.dev == st.st_dev && same.ino == st.st_ino);
	ck_assert(!export_same(&export, NULL, mounts, CALLER(6, 1), false, &same));
	ck_assert(!export_same(&export, "../secret/x", mounts, CALLER(6, 1), false, &same));
	ck_assert_int_eq(link(in("secret/x"), in("old")), 0);
	ck_assert(!export_same(&export, "x", mounts, CALLER(6, 1), false, &same));
	free(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("export");
	TCase *rules_case = tcase_create("rules"), *files_case = tcase_create("files");
	SRunner *runner;
	int failed;

	tcase_add_test(rules_case, ranges_can_not_be_read_around);
	tcase_add_test(rules_case, modes_are_apart);
	tcase_add_test(rules_case, groups);
	tcase_add_test(rules_case, everyone);
	tcase_add_test(rules_case, kernel_faults);
	tcase_add_test(rules_case, many_rules_are_told_in_bounds);
	tcase_add_test(rules_case, names);
	tcase_add_test(rules_case, finding);
	suite_add_tcase(suite, rules_case);
	tcase_add_checked_fixture(files_case, setup, teardown);
	tcase_add_test(files_case, a_file);
	tcase_add_test(files_case, root_needs_no_rule);
	tcase_add_test(files_case, the_same_file_need_not_be_judged_again);
	tcase_add_test(files_case, below_a_directory);
	tcase_add_test(files_case, rules_come_before_files);
	suite_add_tcase(suite, files_case);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
