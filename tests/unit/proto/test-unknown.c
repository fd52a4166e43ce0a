/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Frames that are right in form and mean nothing: numbers, bits and values that the table does not have. */

#include <errno.h>
#include <string.h>

#include "tests/unit/proto/codec-test.h"

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

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, unknown_message);
	tcase_add_test(tc, unknown_bits);
	tcase_add_test(tc, unknown_values);
	tcase_add_test(tc, form_outranks_meaning);
}

int main(void)
{
	return run_case("unknown", add_tests);
}
