/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * OBJECT[:RANGE], in a directory of files with awkward names.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/object.h"

static char directory[] = "/tmp/mapseal-object-XXXXXX";
static const char *const files[] = { "plain", "with:colon", "db:0-4K", "a:b:c", "-dash" };

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i], O_CREAT | O_WRONLY, 0644);

		ck_assert_int_ge(fd, 0);
		close(fd);
	}
	ck_assert_int_eq(mkdir("export", 0755), 0);
	ck_assert_int_eq(mkfifo("fifo", 0644), 0);
	ck_assert_int_eq(symlink("nowhere", "dangling"), 0);
}

static void teardown(void)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(files[i]);
	unlink("fifo");
	unlink("dangling");
	rmdir("export");
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(directory);
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
}

static const struct {
	const char *text, *name;
	bool is_path, whole;
	uint64_t offset, length;
} good[] = {
	{ "plain", "plain", true, true, 0, 0 },
	{ "plain:0-4K", "plain", true, false, 0, 4096 },
	{ "./plain:4K+4K", "./plain", true, false, 4096, 4096 },
	{ "with:colon", "with:colon", true, true, 0, 0 },
	{ "with:colon:0-4K", "with:colon", true, false, 0, 4096 },
	{ "db:0-4K", "db:0-4K", true, true, 0, 0 },
	{ "db:0-8K", "db", false, false, 0, 8192 },
	{ "db:0-4K:0-8K", "db:0-4K", true, false, 0, 8192 },
	{ "a:b:c", "a:b:c", true, true, 0, 0 },
	{ "a:b:0-1", "a:b", false, false, 0, 1 },
	{ "media", "media", false, true, 0, 0 },
	{ "media/film:0-1G", "media/film", false, false, 0, UINT64_C(1) << 30 },
	{ "/missing", "/missing", true, true, 0, 0 },
	{ "/missing:0-1", "/missing", true, false, 0, 1 },
	{ ".hidden", ".hidden", true, true, 0, 0 },
	{ "-dash", "-dash", true, true, 0, 0 },
	{ "dangling", "dangling", false, true, 0, 0 },
	/* A directory is no object, so it does not hide an export of its name. */
	{ "export", "export", false, true, 0, 0 },
	{ "export:0-4K", "export", false, false, 0, 4096 },
	{ "./export", "./export", true, true, 0, 0 },
	{ "fifo", "fifo", true, true, 0, 0 },
};

START_TEST(taken)
{
	struct object o = { 0 };
	char error[OBJECT_ERROR_MAX] = "";

	ck_assert_msg(object_parse(good[_i].text, &o, error) == 0, "'%s': %s", good[_i].text,
		      error);
	ck_assert_str_eq(o.name, good[_i].name);
	ck_assert_int_eq(o.is_path, good[_i].is_path);
	ck_assert_int_eq(o.whole, good[_i].whole);
	ck_assert_uint_eq(o.range.offset, good[_i].offset);
	ck_assert_uint_eq(o.range.length, good[_i].length);
	object_done(&o);
}
END_TEST

static const char *const bad[] = {
	"",
	":",
	":0-4K",
	"db:",
	"db:x",
	"plain:",
	"plain:4K",
	"plain:8K-4K",
	"plain:-1-4K",
	"a:b:",
	"with:colon:0-99999999999999999999",
};

START_TEST(refused)
{
	struct object o = { 0 };
	char error[OBJECT_ERROR_MAX] = "";

	ck_assert_int_eq(object_parse(bad[_i], &o, error), 1);
	ck_assert_ptr_null(o.name);
	ck_assert_uint_gt(strlen(error), 10);
}
END_TEST

START_TEST(long_names_fit_their_error)
{
	static char text[10000];
	char error[OBJECT_ERROR_MAX] = "";
	struct object o = { 0 };

	memset(text, 'x', sizeof(text) - 2);
	text[sizeof(text) - 2] = ':';
	ck_assert_int_eq(object_parse(text, &o, error), 1);
	ck_assert_uint_lt(strlen(error), OBJECT_ERROR_MAX);
}
END_TEST

static int try_open(const char *name, bool writable, int *ret_access)
{
	char error[OBJECT_ERROR_MAX] = "";
	struct object o = { 0 };
	int fd = -1, number = 0;

	ck_assert_int_eq(object_parse(name, &o, error), 0);
	if (object_open(&o, writable, &fd, &number, error) == 0 && fd >= 0) {
		*ret_access = fcntl(fd, F_GETFL) & O_ACCMODE;
		ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
		close(fd);
	} else {
		ck_assert_int_eq(fd, -1);
	}
	object_done(&o);
	return number;
}

START_TEST(opened)
{
	int mode = -1;

	ck_assert_int_eq(try_open("plain", false, &mode), 0);
	ck_assert_int_eq(mode, O_RDONLY);
	ck_assert_int_eq(try_open("plain", true, &mode), 0);
	ck_assert_int_eq(mode, O_RDWR);
	mode = -1;
	ck_assert_int_eq(try_open("some-export", true, &mode), 0);
	ck_assert_int_eq(mode, -1);
}
END_TEST

START_TEST(not_opened)
{
	int mode = -1;

	ck_assert_int_eq(try_open("./missing", false, &mode), ENOENT);
	ck_assert_int_eq(try_open("./export", false, &mode), EINVAL);
	ck_assert_int_eq(try_open("fifo", false, &mode), EINVAL);
	ck_assert_int_eq(try_open("/dev/null", false, &mode), EINVAL);
	ck_assert_int_eq(mode, -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("object");
	TCase *t = tcase_create("object");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, taken, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(t, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, long_names_fit_their_error);
	tcase_add_test(t, opened);
	tcase_add_test(t, not_opened);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
