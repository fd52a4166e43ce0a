/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The mechanism: jobs go in, events come out, and what waits keeps nobody who has nothing to do
 * with it. What it does to blocks is shown on real file systems in tests/system/; here are
 * refusals, helpers and lanes, which need none.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/direct/direct.h"
#include "util/cleanup.h"

static struct direct *direct;

static void setup(void)
{
	ck_assert_int_eq(direct_new(&direct), 0);
}

static void teardown(void)
{
	direct = direct_free(direct);
}

static void wait_event(struct direct_event *ret)
{
	struct pollfd p = { .fd = direct_get_fd(direct), .events = POLLIN };

	while (!direct_next(direct, ret))
		ck_assert_int_eq(poll(&p, 1, -1), 1);
}

static int memory(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 1 << 16), 0);
	return fd;
}

static struct direct_map *new_map(void)
{
	struct direct_map *map = calloc(1, sizeof(*map));
	struct extent one = { .logical = 0, .physical = 8192, .length = 4096 };

	ck_assert_ptr_nonnull(map);
	map->refs = 1;
	ck_assert_int_eq(extents_add(&map->extents, &one), 0);
	one.logical = 4096;
	one.physical = 65536;
	ck_assert_int_eq(extents_add(&map->extents, &one), 0);
	return map;
}

/* A program of the shell, in a file. */
static char *script(const char *text)
{
	char *path = strdup("/tmp/mapseal-helper-XXXXXX");
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(dprintf(fd, "#!/bin/sh\n%s\n", text), 0);
	ck_assert_int_eq(fchmod(fd, 0700), 0);
	close(fd);
	return path;
}

static char *facts(void)
{
	static const char text[] = "MAPSEAL_SEAL=7\0MAPSEAL_OBJECT=db\0";
	char *copy = malloc(sizeof(text));

	ck_assert_ptr_nonnull(copy);
	return memcpy(copy, text, sizeof(text));
}

static void submit_helper(uint64_t tag, uint64_t device, const char *path)
{
	struct direct_job job = {
		.type = DIRECT_HELPER,
		.tag = tag,
		.device = device,
		.fd = -1,
		.end = 8192,
		.map = new_map(),
		.helper = strdup(path),
		.facts = facts(),
	};

	ck_assert_int_eq(direct_submit(direct, &job), 0);
}

START_TEST(other_file_systems_are_refused)
{
	struct direct_job job = {
		.type = DIRECT_PREPARE, .tag = 3, .fd = memory(), .end = 1 << 16, .hand_out = true,
	};
	struct direct_event event;

	ck_assert_int_eq(direct_submit(direct, &job), 0);
	wait_event(&event);
	ck_assert_uint_eq(event.tag, 3);
	ck_assert_int_eq(event.error, DIRECT_E_FILE_SYSTEM);
	ck_assert_ptr_nonnull(strstr(event.why, "ext4 and XFS"));
	ck_assert_int_eq(event.fd, -1);
	direct_event_deinit(&event);
}
END_TEST

START_TEST(unreadable_maps_are_told)
{
	struct direct_job job = {
		.type = DIRECT_VERIFY, .tag = 4, .fd = memory(), .end = 8192, .map = new_map(),
	};
	struct direct_event event;

	ck_assert_int_eq(direct_submit(direct, &job), 0);
	wait_event(&event);
	ck_assert_int_lt(event.error, 0);
	ck_assert_str_ne(event.why, "");
	direct_event_deinit(&event);
}
END_TEST

START_TEST(helper_gets_facts_and_extents)
{
	char *path = script("[ \"$MAPSEAL_SEAL $MAPSEAL_OBJECT\" = '7 db' ] || exit 2\n"
			    "[ \"$(cat)\" = \"$(printf '0 8192 4096\\n4096 65536 4096')\" ]");
	struct direct_event event;

	submit_helper(1, 1, path);
	wait_event(&event);
	ck_assert_msg(event.error == 0 && event.fenced, "%s", event.why);
	direct_event_deinit(&event);
	unlink(path);
	free(path);
}
END_TEST

START_TEST(helper_that_fails_has_not_fenced)
{
	char *path = script("exit 3"), *killed = script("kill -9 $$");
	struct direct_event event;

	submit_helper(1, 1, path);
	wait_event(&event);
	ck_assert(!event.fenced);
	ck_assert_ptr_nonnull(strstr(event.why, "status 3"));
	direct_event_deinit(&event);
	submit_helper(2, 1, killed);
	wait_event(&event);
	ck_assert(!event.fenced);
	ck_assert_ptr_nonnull(strstr(event.why, "signal 9"));
	direct_event_deinit(&event);
	submit_helper(3, 1, "/nowhere");
	wait_event(&event);
	ck_assert(!event.fenced);
	direct_event_deinit(&event);
	unlink(path);
	unlink(killed);
	free(path);
	free(killed);
}
END_TEST

START_TEST(helper_is_killed_with_its_children)
{
	char *path = script("sleep 1000 & wait");
	struct direct_event event;

	submit_helper(1, 1, path);
	direct_cancel(direct, 1);
	wait_event(&event);
	ck_assert(!event.fenced);
	direct_event_deinit(&event);
	unlink(path);
	free(path);
}
END_TEST

START_TEST(a_stuck_lane_keeps_itself_only)
{
	char *slow = script("exec sleep 1000"), *quick = script("exit 0");
	struct direct_event event;

	/* more than there are threads for */
	for (uint64_t tag = 1; tag <= 9; tag++)
		submit_helper(tag, 1, slow);
	submit_helper(100, 2, quick);
	wait_event(&event);
	ck_assert_uint_eq(event.tag, 100);
	ck_assert(event.fenced);
	direct_event_deinit(&event);
	for (uint64_t tag = 1; tag <= 9; tag++)
		direct_cancel(direct, tag);
	for (uint64_t tag = 1; tag <= 9; tag++) {
		wait_event(&event);
		ck_assert(!event.fenced);
		direct_event_deinit(&event);
	}
	unlink(slow);
	unlink(quick);
	free(slow);
	free(quick);
}
END_TEST

START_TEST(what_is_under_way_ends_with_it)
{
	char *slow = script("exec sleep 1000");

	for (uint64_t tag = 1; tag <= 9; tag++)
		submit_helper(tag, 1, slow);
	direct = direct_free(direct);
	unlink(slow);
	free(slow);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("direct");
	TCase *tc = tcase_create("mechanism");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, other_file_systems_are_refused);
	tcase_add_test(tc, unreadable_maps_are_told);
	tcase_add_test(tc, helper_gets_facts_and_extents);
	tcase_add_test(tc, helper_that_fails_has_not_fenced);
	tcase_add_test(tc, helper_is_killed_with_its_children);
	tcase_add_test(tc, a_stuck_lane_keeps_itself_only);
	tcase_add_test(tc, what_is_under_way_ends_with_it);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
