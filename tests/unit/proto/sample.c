/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Made-up messages. Numbers prefer their ends, where mistakes live; strings are empty, short, or of
 * the longest length; flags and values are any that exist.
 */

#include "tests/unit/proto/sample.h"

#include <stdlib.h>
#include <string.h>

void sample_init(struct sample *sample, uint64_t seed)
{
	memset(sample, 0, sizeof(*sample));
	sample->state = seed;
}

uint64_t sample_number(struct sample *sample)
{
	uint64_t z = (sample->state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void sample_text(struct sample *sample, char *text, size_t n)
{
	static const char *const characters[] = { "a", "\xc3\xa9", "\xe2\x82\xac",
						  "\xf0\x9f\x94\x92" };
	size_t length;

	for (size_t i = 0; i < n; i += length) {
		length = 1 + sample_number(sample) % 4;
		if (length > n - i)
			length = n - i;
		memcpy(text + i, characters[length - 1], length);
		if (length == 1)
			text[i] = (char)(' ' + sample_number(sample) % ('~' - ' ' + 1));
	}
	text[n] = '\0';
}

static uint64_t sample_integer(struct sample *sample)
{
	switch (sample_number(sample) % 4) {
	case 0:
		return sample_number(sample) % 4;
	case 1:
		return ~(sample_number(sample) % 4);
	case 2:
		return UINT64_C(1) << sample_number(sample) % 64;
	default:
		return sample_number(sample);
	}
}

static size_t sample_length(struct sample *sample)
{
	switch (sample_number(sample) % 8) {
	case 0:
		return 0;
	case 1:
		return PROTO_STR_MAX;
	default:
		return sample_number(sample) % 32;
	}
}

static uint64_t sample_value(struct sample *sample, const struct proto_enumeration *e)
{
	uint64_t value;

	do
		value = sample_number(sample) % e->n_values;
	while (!proto_value(e, value));
	return value;
}

void sample_message(struct sample *sample, const struct proto_description *description,
		    struct proto_message *ret)
{
	size_t n_strings = 0;

	memset(ret, 0, sizeof(*ret));
	ret->type = (uint16_t)description->number;
	if (description->direction != PROTO_EVENT)
		ret->serial = (uint32_t)sample_number(sample) | 1;
	for (const struct proto_field *f = description->fields; f->name; f++) {
		if (f->base == PROTO_STR) {
			char *text = sample->strings[n_strings++];

			if (n_strings > SAMPLE_STRINGS)
				abort();
			sample_text(sample, text, sample_length(sample));
			proto_field_set_str(ret, f, text);
		} else if (f->flags) {
			proto_field_set(ret, f, sample_number(sample) & f->flags->mask);
		} else if (f->enumeration) {
			proto_field_set(ret, f, sample_value(sample, f->enumeration));
		} else {
			proto_field_set(ret, f, sample_integer(sample));
		}
	}
}

size_t sample_offset(const struct proto_description *description, const void *frame,
		     const struct proto_field *field)
{
	const uint8_t *bytes = frame;
	size_t at = PROTO_HEADER;

	for (const struct proto_field *f = description->fields; f != field; f++)
		if (f->base == PROTO_STR)
			at += 2 + (bytes[at] | (size_t)bytes[at + 1] << 8) + 1;
		else
			at += proto_base_size(f->base);
	return at;
}
