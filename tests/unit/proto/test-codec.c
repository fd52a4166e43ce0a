/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the codec takes: every message makes the round trip with any valid content, and nothing else is encoded. */

#include <errno.h>
#include <string.h>

#include "tests/unit/proto/codec-test.h"

static int decode(const struct proto_description *d, size_t size, struct proto_message *ret)
{
	struct proto_fault fault;

	return proto_decode(frame, size, d->n_required, d->direction, ret, &fault);
}

START_TEST(bytes_of_a_frame)
{
	static const uint8_t expected[] = {
		20, 0, 0, 0, 0x44, 0x33, 0x22, 0x11,	/* header */
		2, 0, 'd', 'b', 0,			/* object */
		2, 1, 1, 0, 0, 0,			/* mode, kind, flags */
		0, 0x10, 0, 0, 0, 0, 0, 0,		/* offset */
		8, 7, 6, 5, 4, 3, 2, 1,			/* length */
		0, 0, 0, 0, 0, 0, 0, 0,			/* token */
		0xe8, 3, 0, 0,				/* wait_ms */
	};
	struct proto_message m = {
		.type = PROTO_ACQUIRE,
		.serial = 0x11223344,
		.acquire = { .object = "db",
			     .mode = PROTO_MODE_WRITE,
			     .kind = PROTO_KIND_WINDOW,
			     .flags = PROTO_ACQUIRE_NO_WAIT,
			     .offset = 4096,
			     .length = 0x0102030405060708,
			     .wait_ms = 1000 },
	};

	ck_assert_int_eq(proto_encode(&m, frame), sizeof(expected));
	ck_assert_int_eq(memcmp(frame, expected, sizeof(expected)), 0);
}
END_TEST

START_TEST(several_in_a_frame)
{
	struct proto_message m, got;
	struct proto_fault fault;

	for_each_message(d) {
		size_t size = make(d, &m);
		bool part = d->direction == PROTO_PART;

		ck_assert_uint_eq(proto_first(frame, size), size);
		proto_set_more(frame, size);
		ck_assert_uint_eq(proto_first(frame, size), size);
		ck_assert_uint_eq(proto_first(frame, size + 1), size);
		if (proto_decode(frame, size, d->n_required, d->direction, &got, &fault)) {
			ck_assert_msg(!part, "%s: %s", d->name, fault.text);
			continue;
		}
		ck_assert_msg(part && got.more, "%s", d->name);
		ck_assert_int_eq(proto_encode(&got, frame), (int)size);
		ck_assert_uint_eq(proto_first(frame, size + PROTO_HEADER), size);
		m.more = true;
		ck_assert_int_eq(proto_encode(&m, frame), (int)size);
	}
	ck_assert_uint_eq(proto_first("\x01\0\x07\0\0\0\0\0", 8), 8);
	ck_assert_uint_eq(proto_first("\x01\0\x01", 3), 3);
	ck_assert_uint_eq(proto_first("", 0), 0);
}
END_TEST

START_TEST(round_trip)
{
	struct proto_message sent, got;
	uint8_t again[PROTO_FRAME_MAX];
	struct proto_fault fault;

	for_each_message(d) {
		for (int round = 0; round < 200; round++) {
			size_t size = make(d, &sent);

			for (size_t n = d->n_required; n <= d->n_required + d->n_optional; n++)
				ck_assert_msg(!proto_decode(frame, size, n, d->direction, &got,
							    &fault),
					      "%s: %s", d->name, fault.text);
			ck_assert_uint_eq(got.type, sent.type);
			ck_assert_uint_eq(got.serial, sent.serial);
			for (const struct proto_field *f = d->fields; f->name; f++)
				if (f->base == PROTO_STR)
					ck_assert_str_eq(proto_field_get_str(&got, f),
							 proto_field_get_str(&sent, f));
				else
					ck_assert_uint_eq(proto_field_get(&got, f),
							  proto_field_get(&sent, f));
			ck_assert_int_eq(proto_encode(&got, again), (int)size);
			ck_assert_int_eq(memcmp(again, frame, size), 0);
		}
	}
}
END_TEST

START_TEST(longest_strings_fit)
{
	char longest[PROTO_STR_MAX + 1];
	struct proto_message m, got;

	memset(longest, 'x', PROTO_STR_MAX);
	longest[PROTO_STR_MAX] = '\0';
	for_each_message(d) {
		int size;

		sample_message(&sample, d, &m);
		for (const struct proto_field *f = d->fields; f->name; f++)
			if (f->base == PROTO_STR)
				proto_field_set_str(&m, f, longest);
		size = proto_encode(&m, frame);
		ck_assert_int_gt(size, 0);
		ck_assert_int_le(size, PROTO_FRAME_MAX);
		ck_assert_int_eq(decode(d, (size_t)size, &got), 0);
	}
}
END_TEST

START_TEST(null_is_the_empty_string)
{
	struct proto_message m = { .type = PROTO_DEVICE_GET, .serial = 1 }, got;
	int size = proto_encode(&m, frame);

	ck_assert_int_eq(size, PROTO_HEADER + 3);
	ck_assert_int_eq(decode(proto_describe(PROTO_DEVICE_GET), (size_t)size, &got), 0);
	ck_assert_str_eq(got.device_get.object, "");
}
END_TEST

START_TEST(refusal_of_a_frame_without_header)
{
	struct proto_message m = { .type = PROTO_REFUSED }, got;
	int size;

	m.refused.code = PROTO_E_MALFORMED;
	size = proto_encode(&m, frame);
	ck_assert_int_gt(size, 0);
	ck_assert_int_eq(decode(proto_describe(PROTO_REFUSED), (size_t)size, &got), 0);
	ck_assert_uint_eq(got.serial, 0);
}
END_TEST

START_TEST(encode_refuses)
{
	char text[PROTO_STR_MAX + 2];
	struct proto_message m = { .type = 0, .serial = 1 };

	ck_assert_int_eq(proto_encode(&m, frame), -EINVAL);
	m.type = UINT16_MAX;
	ck_assert_int_eq(proto_encode(&m, frame), -EINVAL);
	memset(text, 'x', sizeof(text));
	text[PROTO_STR_MAX + 1] = '\0';
	m.type = PROTO_DEVICE_GET;
	m.device_get.object = text;
	ck_assert_int_eq(proto_encode(&m, frame), -EINVAL);
	m.device_get.object = "a\n";
	ck_assert_int_eq(proto_encode(&m, frame), -EINVAL);
	m.device_get.object = "\xff";
	ck_assert_int_eq(proto_encode(&m, frame), -EINVAL);
	m.device_get.object = proto_str_clean(text);
	ck_assert_int_eq(proto_encode(&m, frame), PROTO_HEADER + 2 + PROTO_STR_MAX + 1);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, bytes_of_a_frame);
	tcase_add_test(tc, several_in_a_frame);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, longest_strings_fit);
	tcase_add_test(tc, null_is_the_empty_string);
	tcase_add_test(tc, refusal_of_a_frame_without_header);
	tcase_add_test(tc, encode_refuses);
}

int main(void)
{
	return run_case("codec", add_tests);
}
