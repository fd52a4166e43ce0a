/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rig of the codec's tests. */

#include "tests/unit/proto/codec-test.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct sample sample;
uint8_t frame[PROTO_FRAME_MAX + 64];

static void setup(void)
{
	sample_init(&sample, 3);
}

size_t make(const struct proto_description *d, struct proto_message *ret)
{
	int size;

	sample_message(&sample, d, ret);
	size = proto_encode(ret, frame);
	ck_assert_int_ge(size, PROTO_HEADER);
	return (size_t)size;
}

void refused(size_t size, size_t n_fds, enum proto_direction direction, bool header,
	     enum proto_error code, const char *words, ...)
{
	struct proto_message got, before;
	struct proto_fault fault;
	char expected[256];
	uint8_t exact[PROTO_FRAME_MAX + 64]; /* ends where the frame does, for sanitizers */
	va_list ap;

	va_start(ap, words);
	vsnprintf(expected, sizeof(expected), words, ap);
	va_end(ap);
	memcpy(exact + sizeof(exact) - size, frame, size);
	memset(&got, 0x5a, sizeof(got));
	memset(&fault, 0, sizeof(fault));
	ck_assert_int_eq(proto_decode(exact + sizeof(exact) - size, size, n_fds, direction, &got,
				      &fault),
			 code);
	ck_assert_int_eq(fault.code, code);
	ck_assert_msg(strstr(fault.text, expected), "'%s' does not say '%s'", fault.text, expected);

	memset(&before, 0x5a, sizeof(before));
	if (header) {
		before.type = (uint16_t)(frame[0] | frame[1] << 8);
		before.serial = frame[4] | (uint32_t)frame[5] << 8 | (uint32_t)frame[6] << 16 |
				(uint32_t)frame[7] << 24;
	}
	ck_assert_int_eq(got.type, before.type);
	ck_assert_uint_eq(got.serial, before.serial);
	ck_assert_int_eq(memcmp(&got.hello, &before.hello,
				sizeof(got) - offsetof(struct proto_message, hello)),
			 0);
}

int run_case(const char *name, void (*add_tests)(TCase *tc))
{
	Suite *suite = suite_create("proto-codec");
	TCase *tc = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 120);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
