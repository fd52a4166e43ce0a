/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a passed descriptor proves, and what it does not. */

#include <errno.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/authority/proof.h"
#include "tests/unit/authority/authority-test.h"

static void setup(void)
{
	world_setup();
	make_file("own", CLIENT_UID, "the client's");
	make_file("secret", 0, "root's");
}

START_TEST(o_path_proves_nothing)
{
	ck_assert_int_eq(client_open(at("secret"), O_RDONLY), -EACCES);
	must_refuse(client_open(at("secret"), O_PATH), false, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(client_open(at("secret"), O_PATH), true, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(client_open(at("own"), O_PATH), false, AUTHORITY_E_BAD_DESCRIPTOR);
}
END_TEST

START_TEST(access_mode_3_proves_nothing)
{
	must_refuse(client_open(at("own"), O_WRONLY | O_RDWR), false, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(client_open(at("own"), O_WRONLY | O_RDWR), true, AUTHORITY_E_BAD_DESCRIPTOR);
}
END_TEST

START_TEST(the_mode_covers_or_not)
{
	must_prove(client_open(at("own"), O_RDONLY), false);
	must_prove(client_open(at("own"), O_RDWR), false);
	must_prove(client_open(at("own"), O_RDWR), true);
	must_refuse(client_open(at("own"), O_RDONLY), true, AUTHORITY_E_DENIED);
	must_refuse(client_open(at("own"), O_WRONLY), false, AUTHORITY_E_DENIED);
	must_refuse(client_open(at("own"), O_WRONLY), true, AUTHORITY_E_DENIED);
}
END_TEST

START_TEST(append_is_not_write)
{
	must_refuse(client_open(at("own"), O_RDWR | O_APPEND), true, AUTHORITY_E_DENIED);
	must_prove(client_open(at("own"), O_RDWR | O_APPEND), false);
	must_prove(client_open(at("own"), O_RDONLY | O_APPEND), false);
}
END_TEST

START_TEST(flags_switched_later_are_not_ours)
{
	int fd = client_open(at("own"), O_RDWR | O_NONBLOCK);
	struct authority_file file;
	char why[AUTHORITY_WHY_MAX], text[32] = "";

	ck_assert_int_eq(proof_check(mounts, fd, 0, true, &file, why, sizeof(why)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK), 0);
	must_be_own(&file, true);
	ck_assert_int_eq(pwrite(file.fd, "THE", 3, 0), 3);
	ck_assert_int_eq(pread(fd, text, sizeof(text) - 1, 0), 12);
	ck_assert_str_eq(text, "THE client's");
	close(file.fd);
	must_refuse(fd, true, AUTHORITY_E_DENIED);
}
END_TEST

START_TEST(files_that_are_made_up_are_not_lent)
{
	static const char *const paths[] = {
		"/proc/version", "/proc/self/status", "/proc/self/maps", "/sys/kernel/notes",
		"/sys/kernel/uevent_seqnum", "/sys/fs/cgroup/cgroup.procs",
	};
	int n = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = client_open(paths[i], O_RDONLY);

		if (fd < 0) {
			printf("skipped: %s: %s\n", paths[i], strerror(-fd));
			continue;
		}
		must_refuse(fd, false, AUTHORITY_E_UNSUPPORTED);
		n++;
	}
	ck_assert_int_gt(n, 0);
	must_refuse(open("/proc/sys/kernel/hostname", O_RDWR | O_CLOEXEC), true,
		    AUTHORITY_E_UNSUPPORTED);
}
END_TEST

START_TEST(only_regular_files)
{
	int pair[2], ends[2], fd;

	ck_assert_int_eq(mkfifo(at("fifo"), 0666), 0);
	ck_assert_int_eq(chmod(at("fifo"), 0666), 0);
	must_refuse(client_open(at("fifo"), O_RDWR), false, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(client_open(at("fifo"), O_RDWR), true, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(client_open(at("."), O_DIRECTORY), false, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(client_open("/dev/zero", O_RDWR), true, AUTHORITY_E_BAD_DESCRIPTOR);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	must_refuse(pair[0], false, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(pair[1], true, AUTHORITY_E_BAD_DESCRIPTOR);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	must_refuse(ends[0], false, AUTHORITY_E_BAD_DESCRIPTOR);
	close(ends[1]);
	must_refuse(eventfd(0, EFD_CLOEXEC), true, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(-1, false, AUTHORITY_E_BAD_DESCRIPTOR);
	must_refuse(1 << 20, false, AUTHORITY_E_BAD_DESCRIPTOR);

	ck_assert_int_eq(mknod(at("zero"), S_IFCHR | 0666, makedev(1, 5)), 0);
	fd = open(at("zero"), O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		must_refuse(fd, true, AUTHORITY_E_BAD_DESCRIPTOR);
	else
		printf("skipped: a device outside /dev: %s\n", strerror(errno));
}
END_TEST

/* The descriptor is older than the attribute: chattr stops only those who come later. */
static void try_attribute(long attribute, const char *name)
{
	int fd = client_open(at("own"), O_RDWR), own = open(at("own"), O_RDONLY | O_CLOEXEC);
	long flags = 0, before;

	if (ioctl(own, FS_IOC_GETFLAGS, &flags) < 0 ||
	    (before = flags, flags |= attribute, ioctl(own, FS_IOC_SETFLAGS, &flags) < 0)) {
		printf("skipped: this file system knows no %s files: %s\n", name, strerror(errno));
		close(fd);
		close(own);
		return;
	}
	must_refuse(fd, true, AUTHORITY_E_DENIED);
	must_prove(client_open(at("own"), O_RDONLY), false);
	ck_assert_int_eq(ioctl(own, FS_IOC_SETFLAGS, &before), 0);
	close(own);
	must_prove(client_open(at("own"), O_RDWR), true);
}

START_TEST(attributes_are_respected)
{
	try_attribute(FS_IMMUTABLE_FL, "immutable");
	try_attribute(FS_APPEND_FL, "append-only");
}
END_TEST

START_TEST(memfds)
{
	static const int seals[] = { F_SEAL_WRITE, F_SEAL_FUTURE_WRITE };
	int fd;

	must_prove(memfd_create("plain", MFD_CLOEXEC), true);
	must_prove(memfd_create("plain", MFD_CLOEXEC), false);
	fd = memfd_create("fixed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	must_prove(fd, true);
	for (size_t i = 0; i < 2; i++) {
		fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
		must_prove(fcntl(fd, F_DUPFD_CLOEXEC, 3), false);
		must_refuse(fd, true, AUTHORITY_E_DENIED);
	}
	fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd >= 0)
		must_refuse(fd, false, AUTHORITY_E_UNSUPPORTED);
	else
		printf("skipped: no huge memfds: %s\n", strerror(errno));
}
END_TEST

/* What counts is the file that is open, whatever has its name now. */
START_TEST(names_do_not_matter)
{
	int deleted = client_open(at("own"), O_RDWR), replaced;

	ck_assert_int_eq(unlink(at("own")), 0);
	make_file("own", CLIENT_UID, "another");
	replaced = client_open(at("own"), O_RDONLY);
	ck_assert_int_eq(rename(at("secret"), at("own")), 0);
	must_prove(deleted, true);
	must_prove(replaced, false);
}
END_TEST

START_TEST(a_lease_does_not_hold_us)
{
	int fd = client_open(at("own"), O_RDWR);

	signal(SIGIO, SIG_IGN);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0) {
		printf("skipped: no leases here: %s\n", strerror(errno));
		close(fd);
		return;
	}
	must_refuse(fcntl(fd, F_DUPFD_CLOEXEC, 3), true, AUTHORITY_E_BUSY);
	must_refuse(fcntl(fd, F_DUPFD_CLOEXEC, 3), false, AUTHORITY_E_BUSY);
	ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	must_prove(fd, true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proof");
	TCase *tc = tcase_create("proof");

	world_or_skip();
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_add_test(tc, o_path_proves_nothing);
	tcase_add_test(tc, access_mode_3_proves_nothing);
	tcase_add_test(tc, the_mode_covers_or_not);
	tcase_add_test(tc, append_is_not_write);
	tcase_add_test(tc, flags_switched_later_are_not_ours);
	tcase_add_test(tc, files_that_are_made_up_are_not_lent);
	tcase_add_test(tc, only_regular_files);
	tcase_add_test(tc, attributes_are_respected);
	tcase_add_test(tc, memfds);
	tcase_add_test(tc, names_do_not_matter);
	tcase_add_test(tc, a_lease_does_not_hold_us);
	suite_add_tcase(suite, tc);
	return world_run(suite);
}
