/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files by name: nothing but the regular file that was meant, and nothing outside the directory. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/authority/open.h"
#include "tests/unit/authority/authority-test.h"

static void path_opens(const char *path, bool write)
{
	struct authority_file file;
	char why[AUTHORITY_WHY_MAX] = "";

	ck_assert_msg(open_path(mounts, path, write, &file, why, sizeof(why)) == 0, "%s", why);
	must_be_own(&file, write);
	close(file.fd);
}

static void path_refuses(const char *path, bool write, int error)
{
	struct authority_file file = { .fd = -77 };
	char why[AUTHORITY_WHY_MAX] = "";
	int r = open_path(mounts, path, write, &file, why, sizeof(why));

	ck_assert_msg(r == error, "%s: %d, not %d: %s", path, r, error, why);
	ck_assert_int_eq(file.fd, -77);
	must_explain(why);
}

static void beneath_opens(const char *relative, bool write)
{
	struct authority_file file;
	char why[AUTHORITY_WHY_MAX] = "";
	int r = open_beneath(mounts, at("dir"), relative, write, &file, why, sizeof(why));

	ck_assert_msg(r == 0, "%s: %s", relative, why);
	must_be_own(&file, write);
	close(file.fd);
}

static void beneath_refuses(const char *directory, const char *relative, int error)
{
	struct authority_file file = { .fd = -77 };
	char why[AUTHORITY_WHY_MAX] = "";
	int r = open_beneath(mounts, directory, relative, false, &file, why, sizeof(why));

	ck_assert_msg(r == error, "%s: %d, not %d: %s", relative, r, error, why);
	ck_assert_int_eq(file.fd, -77);
	must_explain(why);
}

static void setup(void)
{
	world_setup();
	ck_assert_int_eq(mkdir(at("dir"), 0700), 0);
	ck_assert_int_eq(mkdir(at("dir/sub"), 0700), 0);
	make_file("secret", 0, "outside");
	make_file("dir/file", 0, "inside");
	make_file("dir/sub/file", 0, "deeper");
	make_file("dir/..file", 0, "an odd name");
	ck_assert_int_eq(mkfifo(at("dir/fifo"), 0666), 0);
}

START_TEST(path_is_opened)
{
	path_opens(at("secret"), false);
	path_opens(at("secret"), true);
}
END_TEST

START_TEST(path_that_is_no_regular_file)
{
	ck_assert_int_eq(symlink("secret", at("link")), 0);
	path_refuses(at("link"), false, AUTHORITY_E_DENIED);
	path_refuses(at("dir/fifo"), false, AUTHORITY_E_DENIED);
	path_refuses(at("dir/fifo"), true, AUTHORITY_E_DENIED);
	path_refuses(at("dir"), false, AUTHORITY_E_DENIED);
	path_refuses("/dev/zero", true, AUTHORITY_E_DENIED);
	path_refuses("/proc/version", false, AUTHORITY_E_UNSUPPORTED);
	path_refuses(at("nothing"), false, AUTHORITY_E_UNKNOWN);
	path_refuses(at("secret/below"), false, AUTHORITY_E_UNKNOWN);
	path_refuses("", false, AUTHORITY_E_UNKNOWN);
}
END_TEST

START_TEST(path_on_a_read_only_mount)
{
	ck_assert_int_eq(mkdir(at("ro"), 0700), 0);
	ck_assert_int_eq(mount(at("dir"), at("ro"), "none", MS_BIND, NULL), 0);
	ck_assert_int_eq(mount(NULL, at("ro"), "none", MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	path_opens(at("ro/file"), false);
	path_refuses(at("ro/file"), true, AUTHORITY_E_DENIED);
	ck_assert_int_eq(umount(at("ro")), 0);
}
END_TEST

static void copy_program(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);

	ck_assert(in >= 0 && out >= 0);
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	close(in);
	close(out);
}

START_TEST(path_that_is_being_executed)
{
	int feed[2], started[2], error = 0;
	pid_t pid;

	copy_program("/bin/cat", at("program"));
	ck_assert_int_eq(pipe2(feed, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(started, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(feed[0], 0);
		execl(at("program"), "cat", (char *)NULL);
		error = errno;
		_exit(write(started[1], &error, sizeof(error)) < 0);
	}
	close(feed[0]);
	close(started[1]);
	/* The end of this pipe is closed by the exec itself. */
	if (read(started[0], &error, sizeof(error)) == 0) {
		path_refuses(at("program"), true, AUTHORITY_E_BUSY);
		path_opens(at("program"), false);
	} else {
		printf("skipped: nothing can be executed here: %s\n", strerror(error));
	}
	close(feed[1]);
	close(started[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(beneath_is_opened)
{
	beneath_opens("file", false);
	beneath_opens("file", true);
	beneath_opens("sub/file", true);
	beneath_opens("..file", false);
}
END_TEST

START_TEST(names_that_name_nothing)
{
	static const char *const names[] = {
		"", ".", "..", "/", "//", "./file", "sub/./file", "sub/", "file/", "sub//file",
		"../secret", "sub/..", "sub/../file", "sub/../../secret", "/etc/passwd",
		"//proc/self/status", "nothing", "file/below", "sub/nothing",
	};
	char longest[8192];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		beneath_refuses(at("dir"), names[i], AUTHORITY_E_UNKNOWN);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	beneath_refuses(at("dir"), longest, AUTHORITY_E_UNKNOWN);
	longest[300] = '\0';
	beneath_refuses(at("dir"), longest, AUTHORITY_E_UNKNOWN);
}
END_TEST

START_TEST(no_symbolic_link_is_followed)
{
	ck_assert_int_eq(symlink(at("secret"), at("dir/out")), 0);
	ck_assert_int_eq(symlink("../secret", at("dir/up")), 0);
	ck_assert_int_eq(symlink("file", at("dir/in")), 0);
	ck_assert_int_eq(symlink("sub", at("dir/subdir")), 0);
	ck_assert_int_eq(symlink("/proc/self/root", at("dir/magic")), 0);
	beneath_refuses(at("dir"), "out", AUTHORITY_E_DENIED);
	beneath_refuses(at("dir"), "up", AUTHORITY_E_DENIED);
	beneath_refuses(at("dir"), "in", AUTHORITY_E_DENIED);
	beneath_refuses(at("dir"), "subdir/file", AUTHORITY_E_DENIED);
	beneath_refuses(at("dir"), "magic/etc/passwd", AUTHORITY_E_DENIED);
}
END_TEST

START_TEST(what_is_no_regular_file)
{
	beneath_refuses(at("dir"), "fifo", AUTHORITY_E_DENIED);
	beneath_refuses(at("dir"), "sub", AUTHORITY_E_DENIED);
}
END_TEST

START_TEST(a_second_name_may_be_outside)
{
	ck_assert_int_eq(link(at("secret"), at("dir/hard")), 0);
	beneath_refuses(at("dir"), "hard", AUTHORITY_E_DENIED);
	path_opens(at("secret"), false);
	ck_assert_int_eq(unlink(at("secret")), 0);
	beneath_opens("hard", true);
}
END_TEST

START_TEST(other_mounts_are_outside)
{
	ck_assert_int_eq(mkdir(at("dir/mount"), 0700), 0);
	ck_assert_int_eq(mount("tmpfs", at("dir/mount"), "tmpfs", 0, "size=64k"), 0);
	make_file("dir/mount/file", 0, "elsewhere");
	make_file("dir/over", 0, "below");
	ck_assert_int_eq(mount(at("secret"), at("dir/over"), "none", MS_BIND, NULL), 0);
	beneath_refuses(at("dir"), "mount/file", AUTHORITY_E_DENIED);
	beneath_refuses(at("dir"), "mount", AUTHORITY_E_DENIED);
	beneath_refuses(at("dir"), "over", AUTHORITY_E_DENIED);
	ck_assert_int_eq(umount(at("dir/over")), 0);
	ck_assert_int_eq(umount(at("dir/mount")), 0);
	beneath_opens("over", false);
}
END_TEST

START_TEST(the_directory_itself)
{
	ck_assert_int_eq(symlink("dir", at("alias")), 0);
	beneath_refuses(at("nothing"), "file", AUTHORITY_E_UNKNOWN);
	beneath_refuses(at("secret"), "file", AUTHORITY_E_UNKNOWN);
	beneath_refuses(at("alias"), "file", AUTHORITY_E_UNKNOWN);
	beneath_refuses("/proc", "version", AUTHORITY_E_UNSUPPORTED);
	beneath_refuses("/proc/1", "status", AUTHORITY_E_UNSUPPORTED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("open");
	TCase *tc = tcase_create("open");

	world_or_skip();
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_add_test(tc, path_is_opened);
	tcase_add_test(tc, path_that_is_no_regular_file);
	tcase_add_test(tc, path_on_a_read_only_mount);
	tcase_add_test(tc, path_that_is_being_executed);
	tcase_add_test(tc, beneath_is_opened);
	tcase_add_test(tc, names_that_name_nothing);
	tcase_add_test(tc, no_symbolic_link_is_followed);
	tcase_add_test(tc, what_is_no_regular_file);
	tcase_add_test(tc, a_second_name_may_be_outside);
	tcase_add_test(tc, other_mounts_are_outside);
	tcase_add_test(tc, the_directory_itself);
	suite_add_tcase(suite, tc);
	return world_run(suite);
}
