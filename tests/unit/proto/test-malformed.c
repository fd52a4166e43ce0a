/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Frames that are wrong in form: every way in which one can be is refused by the name of what is
 * wrong, for every message that it can happen to, and leaves the caller's message as it was.
 */

#include <errno.h>
#include <string.h>

#include "tests/unit/proto/codec-test.h"

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

			/* that would be the size of a part that is not the last */
			if (d->direction == PROTO_PART && size == 1u << bit)
				continue;
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

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, truncated_anywhere);
	tcase_add_test(tc, bytes_after_the_last_field);
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, pad_is_zero);
	tcase_add_test(tc, wrong_direction);
	tcase_add_test(tc, wrong_serial);
	tcase_add_test(tc, descriptors);
	tcase_add_test(tc, strings);
	tcase_add_test(tc, string_without_nul);
}

int main(void)
{
	return run_case("malformed", add_tests);
}
