/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Real loop devices, as root: each file that is attached is told once, by its device and inode, and
 * whether it is written; one that is gone at once is told too, known or not; a message that somebody
 * asks for is about no new one.
 */

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/uevent/uevent.h"
#include "tests/system/rig.h"

static struct uevents *uevents;
static int file;
static struct stat st;

static void begin(void)
{
	char name[] = "/tmp/mapseal-uevent-XXXXXX";

	file = mkstemp(name);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(ftruncate(file, 1 << 20), 0);
	ck_assert_int_eq(fstat(file, &st), 0);
	ck_assert_int_eq(uevents_new(&uevents), 0);
}

static void end(void)
{
	uevents = uevents_free(uevents);
	close(file);
}

/* Of others' devices too: this machine's are not this test's alone. */
static struct attached next(void)
{
	struct pollfd pollfd = { .fd = uevents_get_fd(uevents), .events = POLLIN };
	struct attached attached;

	while (!uevents_next(uevents, &attached))
		ck_assert_int_ge(poll(&pollfd, 1, -1), 0);
	return attached;
}

static bool is_ours(const struct attached *attached)
{
	return attached->known && attached->file.dev == st.st_dev && attached->file.ino == st.st_ino;
}

static struct attached next_of_ours(void)
{
	struct attached attached;

	do
		attached = next();
	while (!is_ours(&attached));
	return attached;
}

START_TEST(attached_twice)
{
	uint64_t sequence = 0;

	for (int i = 0; i < 2; i++) {
		int device = rig_attach(file);
		struct attached attached;

		ck_assert_int_ge(device, 0);
		attached = next_of_ours();
		ck_assert(attached.file.writes);
		ck_assert_int_eq(strncmp(attached.device, "loop", 4), 0);
		ck_assert_uint_ne(attached.file.sequence, sequence);
		sequence = attached.file.sequence;
		close(device);
	}
}
END_TEST

START_TEST(read_only)
{
	char path[64];
	int copy, device;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	copy = open(path, O_RDONLY | O_CLOEXEC);
	device = rig_attach(copy);
	ck_assert_int_ge(device, 0);
	ck_assert(!next_of_ours().file.writes);
	close(copy);
	close(device);
}
END_TEST

START_TEST(gone_at_once)
{
	for (int i = 0; i < 20; i++) {
		int device = rig_attach(file);
		struct attached attached;

		ck_assert_int_ge(device, 0);
		close(device);
		do
			attached = next();
		while (attached.known && !is_ours(&attached));
	}
}
END_TEST

START_TEST(asked_for)
{
	int device = rig_attach(file), uevent;
	struct attached attached;
	char path[64];

	ck_assert_int_ge(device, 0);
	attached = next_of_ours();
	snprintf(path, sizeof(path), "/sys/block/%s/uevent", attached.device);
	uevent = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(uevent, 0);
	ck_assert_int_eq(write(uevent, "change", 6), 6);
	close(uevent);
	close(device);
	/* what comes next is of the next one */
	device = rig_attach(file);
	ck_assert_int_ge(device, 0);
	ck_assert_uint_ne(next_of_ours().file.sequence, attached.file.sequence);
	close(device);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("uevent");
	TCase *tcase = tcase_create("uevent");
	SRunner *runner;
	int failed;

	if (geteuid() != 0) {
		printf("needs root\n");
		return 77;
	}
	runner = srunner_create(suite);
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, attached_twice);
	tcase_add_test(tcase, read_only);
	tcase_add_test(tcase, gone_at_once);
	tcase_add_test(tcase, asked_for);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
