/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Wrong ranges are refused with a precise error and change nothing: empty, overflowing, past the end,
 * unaligned. A length that ends unaligned is taken only at the object's end.
 */

#include <errno.h>
#include <string.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 10 * 4096 + 100 };

static int asker(int channel, void *data)
{
	static const struct {
		uint64_t offset, length;
		const char *code;
	} wrong[] = {
		{ 0, 0, "BAD_RANGE" },
		{ 4096, 0, "BAD_RANGE" },
		{ 1, 4096, "UNALIGNED" },
		{ 4095, 4096, "UNALIGNED" },
		{ 0, 1, "UNALIGNED" },
		{ 0, SIZE - 1, "UNALIGNED" },
		{ 0, SIZE + 1, "BAD_RANGE" },
		{ 0, 11 * 4096, "BAD_RANGE" },
		{ 11 * 4096, 4096, "BAD_RANGE" },
		{ (uint64_t)-4096, 4096, "BAD_RANGE" },
		{ (uint64_t)-4096, 8192, "BAD_RANGE" },
		{ 4096, UINT64_MAX, "BAD_RANGE" },
		{ UINT64_MAX, UINT64_MAX, "UNALIGNED" },
		{ (uint64_t)INT64_MAX + 1, 4096, "BAD_RANGE" },
	};
	static const struct {
		uint64_t offset, length;
	} right[] = { { 0, SIZE }, { 0, 4096 }, { 10 * 4096, 100 }, { 4096, SIZE - 4096 } };
	struct raw raw;

	(void)channel, (void)data;
	raw_hello(&raw);
	raw_attach(&raw);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct proto_message acquire = {
			.type = PROTO_ACQUIRE,
			.acquire = {
				.object = "file",
				.mode = PROTO_MODE_READ,
				.kind = PROTO_KIND_WINDOW,
				.offset = wrong[i].offset,
				.length = wrong[i].length,
			},
		};
		struct proto_message status = { .type = PROTO_STATUS_GET };

		expect_eq(raw_call(&raw, &acquire, -1), PROTO_REFUSED);
		if (strcmp(proto_error_name(raw.answer.refused.code), wrong[i].code) != 0)
			expect_failed(__FILE__, __LINE__, "%llu+%llu: %s, expected %s: %s",
				      (unsigned long long)wrong[i].offset,
				      (unsigned long long)wrong[i].length,
				      proto_error_name(raw.answer.refused.code), wrong[i].code,
				      raw.answer.refused.text);
		expect_eq(raw_call(&raw, &status, -1), PROTO_STATUS);
		expect_eq(raw.answer.status.seals, 0);
	}
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		raw_acquire(&raw, "file", right[i].offset, right[i].length, PROTO_MODE_READ, 0);
		expect_eq(raw.answer.granted.length, right[i].length);
	}
	return 0;
}

int main(void)
{
	return actor_alone(SIZE, asker);
}
