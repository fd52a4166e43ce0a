/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Messages as Linux 7.3 sends them (rxe, two processes with a registration each), whole, cut short
 * and with lengths that are not true.
 */

#include <check.h>
#include <errno.h>
#include <netlink/attr.h>
#include <rdma/rdma_netlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/rdma/decode.h"

static const char device[] =
	"740000000114020007000000bd000000080001000000000009000200727865300000000008000300010000000c000400"
	"763c2201c00100000c000600c77dacfeffa0c2040c000700c77dacfeffa0c20405000e00010000000500540000000000"
	"050065000100000009004300726f636500000000";

static const char registrations[] =
	"980000000d14020007000000bd0000000800010000000000090002007278653000000000740028003800290008002a00"
	"f002000008002b00f00200000c002d00003000000000000008003e000000000008003c000100000008001c00bb000000"
	"3800290008002a00e003000008002b00e00300000c002d00000800000000000008003e000100000008003c0002000000"
	"08001c00b8000000";

/* Lies in memory of its exact size, so that a sanitizer sees what is read beyond it. */
static struct nlmsghdr *message(const char *hex)
{
	size_t length = strlen(hex) / 2;
	unsigned char *bytes = malloc(length);
	struct nlmsghdr *header = (struct nlmsghdr *)(void *)bytes;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < length; i++) {
		char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };

		bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	ck_assert_uint_eq(header->nlmsg_len, length);
	return header;
}

/* The first @length bytes of @whole, as a message that says it has so many. */
static struct nlmsghdr *cut(const struct nlmsghdr *whole, size_t length)
{
	struct nlmsghdr *header = malloc(length);

	ck_assert_ptr_nonnull(header);
	memcpy(header, whole, length);
	header->nlmsg_len = (uint32_t)length;
	return header;
}

struct seen {
	size_t n;
	uint32_t pids[4];
	uint64_t bytes[4];
	int result;
};

static int see(uint32_t pid, uint64_t bytes, void *data)
{
	struct seen *seen = data;

	ck_assert_uint_lt(seen->n, 4);
	seen->pids[seen->n] = pid;
	seen->bytes[seen->n++] = bytes;
	return seen->result;
}

/* The @n-th attribute of @type that begins in @header, wherever. */
static struct nlattr *attribute(struct nlmsghdr *header, int type, size_t n)
{
	unsigned char *bytes = (unsigned char *)header;

	for (size_t at = sizeof(*header); at + sizeof(struct nlattr) <= header->nlmsg_len; at += 4) {
		struct nlattr *found = (struct nlattr *)(void *)(bytes + at);

		if (found->nla_type == type && found->nla_len >= sizeof(*found) && n-- == 0)
			return found;
	}
	ck_abort_msg("no attribute %d", type);
	return NULL;
}

START_TEST(a_device_says_its_index)
{
	struct nlmsghdr *whole = message(device);
	uint32_t index = 7;

	ck_assert_int_eq(rdma_decode_device(whole, &index), 0);
	ck_assert_uint_eq(index, 0);
	for (size_t length = sizeof(*whole); length < whole->nlmsg_len; length++) {
		struct nlmsghdr *part = cut(whole, length);

		index = 7;
		ck_assert_int_eq(rdma_decode_device(part, &index), length < 24 ? -EBADMSG : 0);
		ck_assert_uint_eq(index, length < 24 ? 7 : 0);
		free(part);
	}
	free(whole);
}
END_TEST

START_TEST(registrations_are_told_one_by_one)
{
	struct nlmsghdr *whole = message(registrations);
	struct seen seen = { 0 };

	ck_assert_int_eq(rdma_decode_registrations(whole, see, &seen), 0);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_uint_eq(seen.pids[0], 187);
	ck_assert_uint_eq(seen.bytes[0], 12288);
	ck_assert_uint_eq(seen.pids[1], 184);
	ck_assert_uint_eq(seen.bytes[1], 2048);
	seen = (struct seen){ .result = -ENOMEM };
	ck_assert_int_eq(rdma_decode_registrations(whole, see, &seen), -ENOMEM);
	ck_assert_uint_eq(seen.n, 1);
	free(whole);
}
END_TEST

START_TEST(what_is_cut_short_is_not_made_up)
{
	struct nlmsghdr *whole = message(registrations);

	for (size_t length = sizeof(*whole); length < whole->nlmsg_len; length++) {
		struct nlmsghdr *part = cut(whole, length);
		struct seen seen = { 0 };

		ck_assert_int_le(rdma_decode_registrations(part, see, &seen), 0);
		ck_assert_uint_eq(seen.n, 0); /* the table is not whole */
		free(part);
	}
	free(whole);
}
END_TEST

START_TEST(the_kernel_s_own_are_left_out)
{
	struct nlmsghdr *whole = message(registrations);
	struct seen seen = { 0 };

	attribute(whole, RDMA_NLDEV_ATTR_RES_PID, 0)->nla_type = RDMA_NLDEV_ATTR_RES_KERN_NAME;
	ck_assert_int_eq(rdma_decode_registrations(whole, see, &seen), 0);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(seen.pids[0], 184);
	attribute(whole, RDMA_NLDEV_ATTR_RES_MR, 0)->nla_type = 999;
	seen.n = 0;
	ck_assert_int_eq(rdma_decode_registrations(whole, see, &seen), 0);
	ck_assert_uint_eq(seen.n, 0);
	free(whole);
}
END_TEST

/* An entry without a length, a number that is too short, and lengths that reach out of what they are in. */
START_TEST(lies_are_noticed)
{
	static const struct {
		int type;
		size_t n;
		unsigned short length;
		size_t seen;
	} lies[] = {
		{ RDMA_NLDEV_ATTR_RES_MRLEN, 0, 8, 0 },	     { RDMA_NLDEV_ATTR_RES_MRLEN, 1, 4, 1 },
		{ RDMA_NLDEV_ATTR_RES_PID, 0, 6, 0 },	     { RDMA_NLDEV_ATTR_RES_MR_ENTRY, 0, 2, 0 },
		{ RDMA_NLDEV_ATTR_RES_MR_ENTRY, 1, 2000, 1 },
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct nlmsghdr *whole = message(registrations);
		struct seen seen = { 0 };

		attribute(whole, lies[i].type, lies[i].n)->nla_len = lies[i].length;
		ck_assert_int_eq(rdma_decode_registrations(whole, see, &seen), -EBADMSG);
		ck_assert_uint_eq(seen.n, lies[i].seen);
		free(whole);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decode");
	TCase *tcase = tcase_create("decode");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, a_device_says_its_index);
	tcase_add_test(tcase, registrations_are_told_one_by_one);
	tcase_add_test(tcase, what_is_cut_short_is_not_made_up);
	tcase_add_test(tcase, the_kernel_s_own_are_left_out);
	tcase_add_test(tcase, lies_are_noticed);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
