/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The codec, driven by the table: every message makes the round trip with any valid content, and
 * every way in which a frame can be wrong is refused by the name of what is wrong, for every
 * message that it can happen to. A refused frame leaves the caller's message as it was.
 */

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto.h"
#include "tests/unit/proto/sample.h"

static struct sample sample;
static uint8_t frame[PROTO_FRAME_MAX + 64];

static void setup(void)
{
	sample_init(&sample, 3);
}

static size_t make(const struct proto_description *d, struct proto_message *ret)
{
	int size;

	sample_message(&sample, d, ret);
	size = proto_encode(ret, frame);
	ck_assert_int_ge(size, PROTO_HEADER);
	return (size_t)size;
}

static int decode(const struct proto_description *d, size_t size, struct proto_message *ret)
{
	struct proto_fault fault;

	return proto_decode(frame, size, d->n_required, d->direction, ret, &fault);
}

static void refused(size_t size, size_t n_fds, enum proto_direction direction, bool header,
		    enum proto_error code, const char *words, ...)
	__attribute__((format(printf, 6, 7)));

/* The frame is refused with @code and a text that holds @words, and nothing is changed. */
static void refused(size_t size, size_t n_fds, enum proto_direction direction, bool header,
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

#define for_each_message(d)                                                                        \
	for (unsigned int type_ = 0; type_ < proto_table_types(); type_++)                         \
		for (const struct proto_description *d = proto_describe(type_); d; d = NULL)

/* ---- what is right ---- */

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

/* ---- what is wrong in form ---- */

START_TEST(truncated_anywhere)
{
	struct proto_message m;

	for_each_message(d) {
		size_t size = make(d, &m);

		for (size_t n = 0; n < PROTO_HEADER; n++)
			refused(n, 0, d->direction, false, PROTO_E_MALFORMED,
				"too short, %zu bytes", n);
		for (const struct proto_field *f = d->fields; f->name; f++) {
			size_t end = f[1].name ? sample_offset(d, frame, f + 1) : size;

			for (size_t n = sample_offset(d, frame, f); n < end; n++)
				refused(n, d->n_required, d->direction, true, PROTO_E_MALFORMED,
					"%s.%s: truncated", d->name, f->name);
		}
	}
}
END_TEST

START_TEST(bytes_after_the_last_field)
{
	struct proto_message m;

	for_each_message(d) {
		size_t size = make(d, &m);

		frame[size] = 0;
		refused(size + 1, d->n_required, d->direction, true, PROTO_E_MALFORMED,
			"%s: 1 bytes after the last field", d->name);
	}
}
END_TEST

START_TEST(too_long)
{
	struct proto_message m;

	for_each_message(d) {
		make(d, &m);
		refused(PROTO_FRAME_MAX + 1, d->n_required, d->direction, true, PROTO_E_MALFORMED,
			"too long, 8193 bytes");
	}
	/* A frame that was cut off is not read past the end of the buffer. */
	memset(frame, 0xff, PROTO_HEADER);
	refused(PROTO_FRAME_MAX + 64, 0, PROTO_REQUEST, true, PROTO_E_MALFORMED, "too long");
}
END_TEST

START_TEST(pad_is_zero)
{
	struct proto_message m;

	for_each_message(d) {
		for (unsigned int bit = 0; bit < 16; bit++) {
			size_t size = make(d, &m);

			frame[2 + bit / 8] = (uint8_t)(1 << bit % 8);
			refused(size, d->n_required, d->direction, true, PROTO_E_MALFORMED,
				"header: 0x%04x instead of zero", 1u << bit);
		}
	}
}
END_TEST

START_TEST(wrong_direction)
{
	struct proto_message m;

	for_each_message(d) {
		size_t size = make(d, &m);
		bool request = d->direction == PROTO_REQUEST;

		refused(size, d->n_required, request ? PROTO_REPLY : PROTO_REQUEST, true,
			PROTO_E_MALFORMED, "%s: is never sent by the %s", d->name,
			request ? "supervisor" : "client");
	}
}
END_TEST

START_TEST(wrong_serial)
{
	struct proto_message m;

	for_each_message(d) {
		size_t size = make(d, &m);
		bool event = d->direction == PROTO_EVENT;

		if (d->number == PROTO_REFUSED)
			continue;
		memset(frame + 4, event ? 1 : 0, 4);
		refused(size, d->n_required, d->direction, true, PROTO_E_MALFORMED, "%s: serial %d",
			d->name, event ? 0x01010101 : 0);
		m.serial = event;
		ck_assert_int_eq(proto_encode(&m, frame), -EINVAL);
	}
}
END_TEST

START_TEST(descriptors)
{
	struct proto_message m;

	for_each_message(d) {
		size_t size = make(d, &m), most = d->n_required + d->n_optional;

		for (size_t n = 0; n < d->n_required; n++)
			refused(size, n, d->direction, true, PROTO_E_MALFORMED,
				"%s.%s: no descriptor", d->name, d->slots[n].name);
		refused(size, most + 1, d->direction, true, PROTO_E_MALFORMED,
			"%s: %zu descriptors, at most %zu", d->name, most + 1, most);
		refused(size, 253, d->direction, true, PROTO_E_MALFORMED,
			"%s: 253 descriptors, at most %zu", d->name, most);
	}
}
END_TEST

/* Replaces the content of a string in the frame of a message that has one, and tries. */
static void bad_string(const char *content, size_t n, const char *words)
{
	struct proto_message m;

	for_each_message(d) {
		for (const struct proto_field *f = d->fields; f->name; f++) {
			uint8_t tail[PROTO_FRAME_MAX];
			size_t size, at, old;

			if (f->base != PROTO_STR)
				continue;
			size = make(d, &m);
			at = sample_offset(d, frame, f);
			old = strlen(proto_field_get_str(&m, f));
			memcpy(tail, frame + at + 2 + old, size - at - 2 - old);
			frame[at] = (uint8_t)n;
			frame[at + 1] = (uint8_t)(n >> 8);
			memcpy(frame + at + 2, content, n);
			memcpy(frame + at + 2 + n, tail, size - at - 2 - old);
			refused(size - old + n, d->n_required, d->direction, true,
				PROTO_E_MALFORMED, "%s.%s: %s", d->name, f->name, words);
		}
	}
}

START_TEST(strings)
{
	char text[PROTO_STR_MAX + 1];

	bad_string("a\0b", 3, "a NUL (0x00) at byte 1");
	bad_string("ab\n", 3, "a control character (0x0a) at byte 2");
	bad_string("\x7f", 1, "a control character (0x7f) at byte 0");
	bad_string("\xc2\x85", 2, "a control character (0xc2) at byte 0");
	bad_string("a\xff", 2, "invalid UTF-8 (0xff) at byte 1");
	bad_string("a\xc3", 2, "invalid UTF-8 (0xc3) at byte 1");
	bad_string("\xed\xa0\x80", 3, "invalid UTF-8 (0xed) at byte 0");
	memset(text, 'x', sizeof(text));
	bad_string(text, sizeof(text), "1025 bytes long, at most 1024");
}
END_TEST

START_TEST(string_without_nul)
{
	struct proto_message m;

	for_each_message(d) {
		for (const struct proto_field *f = d->fields; f->name; f++) {
			size_t size, n;

			if (f->base != PROTO_STR)
				continue;
			size = make(d, &m);
			n = strlen(proto_field_get_str(&m, f));
			frame[sample_offset(d, frame, f) + 2 + n] = 'x';
			refused(size, d->n_required, d->direction, true, PROTO_E_MALFORMED,
				"%s.%s: no NUL after its %zu bytes", d->name, f->name, n);
		}
	}
}
END_TEST

/* ---- what is wrong in meaning ---- */

START_TEST(unknown_message)
{
	for (unsigned int type = 0; type <= UINT16_MAX; type++) {
		if (proto_describe(type))
			continue;
		memset(frame, 0, PROTO_HEADER);
		frame[0] = (uint8_t)type;
		frame[1] = (uint8_t)(type >> 8);
		frame[4] = 9;
		refused(PROTO_HEADER, 0, type & 1 ? PROTO_REQUEST : PROTO_REPLY, true,
			PROTO_E_UNKNOWN_MESSAGE, "no message has the number %u", type);
	}
}
END_TEST

START_TEST(unknown_bits)
{
	struct proto_message m;

	for_each_message(d) {
		for (const struct proto_field *f = d->fields; f->name; f++) {
			size_t n_bits = f->flags ? 8 * proto_base_size(f->base) : 0;

			for (size_t bit = 0; bit < n_bits; bit++) {
				size_t size = make(d, &m), at = sample_offset(d, frame, f);

				if (f->flags->mask >> bit & 1)
					continue;
				frame[at + bit / 8] |= (uint8_t)(1 << bit % 8);
				refused(size, d->n_required, d->direction, true,
					PROTO_E_UNKNOWN_FLAG, "%s.%s: unknown bit 0x%llx", d->name,
					f->name, 1ull << bit);
				proto_field_set(&m, f, UINT64_C(1) << bit);
				ck_assert_int_eq(proto_encode(&m, frame), -EINVAL);
			}
		}
	}
}
END_TEST

START_TEST(unknown_values)
{
	struct proto_message m;

	for_each_message(d) {
		for (const struct proto_field *f = d->fields; f->name; f++) {
			for (unsigned int value = 0; f->enumeration && value < 256; value++) {
				size_t size = make(d, &m);

				if (proto_value(f->enumeration, value))
					continue;
				memset(frame + sample_offset(d, frame, f), 0,
				       proto_base_size(f->base));
				frame[sample_offset(d, frame, f)] = (uint8_t)value;
				refused(size, d->n_required, d->direction, true,
					PROTO_E_UNKNOWN_FLAG, "%s.%s: unknown value %u", d->name,
					f->name, value);
				proto_field_set(&m, f, value);
				ck_assert_int_eq(proto_encode(&m, frame), -EINVAL);
			}
		}
	}
}
END_TEST

/* The session would go on after an unknown bit: not if the rest cannot be trusted. */
START_TEST(form_outranks_meaning)
{
	struct proto_message m;

	for_each_message(d) {
		for (const struct proto_field *f = d->fields; f->name; f++) {
			size_t size = make(d, &m);

			if (!f->flags && !f->enumeration)
				continue;
			memset(frame + sample_offset(d, frame, f), 0xff, proto_base_size(f->base));
			refused(size, d->n_required, d->direction, true, PROTO_E_UNKNOWN_FLAG,
				"%s.%s: unknown", d->name, f->name);
			refused(size + 1, d->n_required, d->direction, true, PROTO_E_MALFORMED,
				"%s: 1 bytes after", d->name);
			if (f[1].name)
				refused(size - 1, d->n_required, d->direction, true,
					PROTO_E_MALFORMED, "truncated");
			refused(size, 3, d->direction, true, PROTO_E_MALFORMED, "3 descriptors");
		}
	}
}
END_TEST

/* ---- encoding ---- */

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

int main(void)
{
	Suite *suite = suite_create("proto-codec");
	TCase *tc = tcase_create("codec");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, bytes_of_a_frame);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, longest_strings_fit);
	tcase_add_test(tc, null_is_the_empty_string);
	tcase_add_test(tc, refusal_of_a_frame_without_header);
	tcase_add_test(tc, truncated_anywhere);
	tcase_add_test(tc, bytes_after_the_last_field);
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, pad_is_zero);
	tcase_add_test(tc, wrong_direction);
	tcase_add_test(tc, wrong_serial);
	tcase_add_test(tc, descriptors);
	tcase_add_test(tc, strings);
	tcase_add_test(tc, string_without_nul);
	tcase_add_test(tc, unknown_message);
	tcase_add_test(tc, unknown_bits);
	tcase_add_test(tc, unknown_values);
	tcase_add_test(tc, form_outranks_meaning);
	tcase_add_test(tc, encode_refuses);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
