/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Messages as Linux 6.18 sends them, whole, cut short, and with fields that say something else. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/uevent/backing.h"
#include "daemon/uevent/decode.h"

static const char attached[] =
	"change@/devices/virtual/block/loop0\0ACTION=change\0DEVPATH=/devices/virtual/block/loop0\0"
	"SUBSYSTEM=block\0MAJOR=7\0MINOR=0\0DEVNAME=loop0\0DEVTYPE=disk\0DISKSEQ=11166\0SEQNUM=19696";
static const char asked_for[] =
	"change@/devices/virtual/block/loop0\0ACTION=change\0DEVPATH=/devices/virtual/block/loop0\0"
	"SUBSYSTEM=block\0SYNTH_UUID=0\0DEVNAME=loop0\0DISKSEQ=11167\0SEQNUM=19697";
static const char udev[] = "libudev\0\376\355\312\376";

/* In memory of its exact size, so that a sanitizer sees what is read beyond it. */
static bool decode(const char *message, size_t length, struct uevent *ret)
{
	static char *bytes;

	free(bytes);
	bytes = malloc(length ? length : 1);
	ck_assert_ptr_nonnull(bytes);
	memcpy(bytes, message, length);
	return uevent_decode(bytes, length, ret);
}

START_TEST(whole)
{
	struct uevent uevent;

	ck_assert(decode(attached, sizeof(attached), &uevent));
	ck_assert_str_eq(uevent.action, "change");
	ck_assert_str_eq(uevent.subsystem, "block");
	ck_assert_str_eq(uevent.devname, "loop0");
	ck_assert_uint_eq(uevent.diskseq, 11166);
	ck_assert(!uevent.synthetic);
	ck_assert(decode(asked_for, sizeof(asked_for), &uevent));
	ck_assert_uint_eq(uevent.diskseq, 11167);
	ck_assert(uevent.synthetic);
}
END_TEST

START_TEST(cut_short)
{
	struct uevent uevent;

	for (size_t n = 0; n < sizeof(attached); n++) {
		bool ended = n > 0 && attached[n - 1] == '\0';

		ck_assert(decode(attached, n, &uevent) == ended);
	}
	ck_assert(!decode(udev, sizeof(udev), &uevent));
}
END_TEST

START_TEST(says_nothing)
{
	static const char bare[] = "add@/devices/x";
	static const char *const numbers[] = { "", "x", "-1", " 1", "1x", "18446744073709551616" };
	struct uevent uevent;

	ck_assert(decode(bare, sizeof(bare), &uevent));
	ck_assert_str_eq(uevent.action, "");
	ck_assert_str_eq(uevent.subsystem, "");
	ck_assert_str_eq(uevent.devname, "");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char message[64] = "a@b\0DISKSEQ=";

		strcpy(message + 12, numbers[i]);
		ck_assert(decode(message, 13 + strlen(numbers[i]), &uevent));
		ck_assert_uint_eq(uevent.diskseq, 0);
	}
}
END_TEST

START_TEST(names)
{
	ck_assert(backing_is_loop("loop0"));
	ck_assert(backing_is_loop("loop1048575"));
	ck_assert(!backing_is_loop(""));
	ck_assert(!backing_is_loop("loop"));
	ck_assert(!backing_is_loop("loop0p1"));
	ck_assert(!backing_is_loop("loop-control"));
	ck_assert(!backing_is_loop("loop0/../sda"));
	ck_assert(!backing_is_loop("loop00000000000000"));
	ck_assert(!backing_is_loop("sda"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decode");
	TCase *tcase = tcase_create("decode");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, whole);
	tcase_add_test(tcase, cut_short);
	tcase_add_test(tcase, says_nothing);
	tcase_add_test(tcase, names);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
