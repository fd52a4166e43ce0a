/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every way in which a range can be wrong has its own answer, because a range that was guessed
 * would recall, or truncate, somebody else's bytes. What is taken is exactly what was written:
 * nothing is rounded, clamped or swapped.
 */

#include "util/range.h"

#include <stdio.h>
#include <string.h>

#include "util/units.h"

static int from_units(int error)
{
	switch ((enum units_error)error) {
	case UNITS_EMPTY:
		return RANGE_FORM;
	case UNITS_NEGATIVE:
		return RANGE_NEGATIVE;
	case UNITS_NOT_A_NUMBER:
		return RANGE_NUMBER;
	case UNITS_BAD_SUFFIX:
		return RANGE_SUFFIX;
	case UNITS_TOO_LARGE:
		return RANGE_TOO_LARGE;
	}
	return 0;
}

int range_parse(const char *text, struct range *ret)
{
	uint64_t offset, second;
	const char *separator;
	int r;

	if (*text == '\0')
		return RANGE_EMPTY;
	if (*text == '-')
		return RANGE_NEGATIVE;
	separator = strpbrk(text, "-+");
	if (!separator || separator == text)
		return RANGE_FORM;

	r = units_parse_size(text, (size_t)(separator - text), RANGE_MAX, &offset);
	if (r)
		return from_units(r);
	r = units_parse_size(separator + 1, strlen(separator + 1), RANGE_MAX, &second);
	if (r)
		return from_units(r);

	if (*separator == '-') {
		if (second < offset)
			return RANGE_BACKWARDS;
		second -= offset;
	} else if (second > RANGE_MAX - offset) {
		return RANGE_OVERFLOW;
	}
	if (second == 0)
		return RANGE_NO_BYTES;
	*ret = (struct range){ .offset = offset, .length = second };
	return 0;
}

const char *range_error_text(int error)
{
	switch ((enum range_error)error) {
	case RANGE_EMPTY:
		return "the range is empty text; leave the colon out for the whole object";
	case RANGE_FORM:
		return "a range is OFFSET-END or OFFSET+LENGTH";
	case RANGE_NEGATIVE:
		return "a number is negative";
	case RANGE_NUMBER:
		return "OFFSET, END and LENGTH are decimal numbers, perhaps with K, M or G";
	case RANGE_SUFFIX:
		return "suffixes are K, M and G, of 1024";
	case RANGE_TOO_LARGE:
		return "a number is larger than any file offset (9223372036854775807)";
	case RANGE_OVERFLOW:
		return "OFFSET and LENGTH together are larger than any file offset "
		       "(9223372036854775807)";
	case RANGE_NO_BYTES:
		return "the range holds no bytes (END is exclusive)";
	case RANGE_BACKWARDS:
		return "END lies before OFFSET";
	}
	return "the range is in order";
}

const char *range_format(uint64_t offset, uint64_t length, char buf[RANGE_TEXT_MAX])
{
	char from[UNITS_MAX], to[UNITS_MAX];
	uint64_t end;

	units_format_exact(offset, from);
	if (length == 0 || __builtin_add_overflow(offset, length, &end))
		snprintf(buf, RANGE_TEXT_MAX, "%s-end", from);
	else
		snprintf(buf, RANGE_TEXT_MAX, "%s-%s", from, units_format_exact(end, to));
	return buf;
}
