/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Parsing is strict, since what is parsed decides which bytes of a file are taken from somebody:
 * strtoull() would take " -1" for a very large number, and "10Q" for ten. Nothing here allocates,
 * and nothing looks at the locale.
 */

#include "util/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	default:
		return 0;
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes the digits at the start of the @n bytes; *@ret_used is how many there were. */
static int parse_digits(const char *text, size_t n, uint64_t max, uint64_t *ret, size_t *ret_used)
{
	uint64_t value = 0;
	size_t i;

	if (n == 0)
		return UNITS_EMPTY;
	if (text[0] == '-')
		return UNITS_NEGATIVE;
	for (i = 0; i < n && is_digit(text[i]); i++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value) || value > max)
			return UNITS_TOO_LARGE;
	}
	if (i == 0)
		return UNITS_NOT_A_NUMBER;
	*ret = value;
	*ret_used = i;
	return 0;
}

int units_parse_size(const char *text, size_t n, uint64_t max, uint64_t *ret)
{
	unsigned int shift = 0;
	uint64_t value;
	size_t used;
	int r;

	r = parse_digits(text, n, max, &value, &used);
	if (r)
		return r;
	if (used < n) {
		shift = suffix_shift(text[used]);
		if (n - used > 1)
			return shift ? UNITS_BAD_SUFFIX : UNITS_NOT_A_NUMBER;
		if (!shift)
			return UNITS_BAD_SUFFIX;
	}
	if (value > max >> shift)
		return UNITS_TOO_LARGE;
	*ret = value << shift;
	return 0;
}

int units_parse_count(const char *text, uint64_t max, uint64_t *ret)
{
	size_t n = strlen(text), used;
	uint64_t value;
	int r;

	r = parse_digits(text, n, max, &value, &used);
	if (r)
		return r;
	if (used < n)
		return UNITS_NOT_A_NUMBER;
	*ret = value;
	return 0;
}

const char *units_error_text(int error)
{
	switch ((enum units_error)error) {
	case UNITS_EMPTY:
		return "is empty";
	case UNITS_NEGATIVE:
		return "is negative";
	case UNITS_NOT_A_NUMBER:
		return "is not a number";
	case UNITS_BAD_SUFFIX:
		return "has a suffix other than K, M or G";
	case UNITS_TOO_LARGE:
		return "is too large";
	}
	return "is in order";
}

const char *units_format_exact(uint64_t value, char buf[UNITS_MAX])
{
	static const char suffixes[] = { 'G', 'M', 'K' };

	for (size_t i = 0; value != 0 && i < sizeof(suffixes); i++) {
		unsigned int shift = suffix_shift(suffixes[i]);

		if ((value & ((UINT64_C(1) << shift) - 1)) == 0) {
			snprintf(buf, UNITS_MAX, "%" PRIu64 "%c", value >> shift, suffixes[i]);
			return buf;
		}
	}
	snprintf(buf, UNITS_MAX, "%" PRIu64, value);
	return buf;
}

const char *units_format_bytes(uint64_t value, char buf[UNITS_MAX])
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int unit = 0;

	while (value >> (unit * 10) >= 1024 && unit + 1 < sizeof(names) / sizeof(names[0]))
		unit++;
	if (unit == 0) {
		snprintf(buf, UNITS_MAX, "%" PRIu64 " B", value);
	} else {
		/* Tenths in integers, rounded down: 1023.99 KiB must not become 1024.0 KiB. */
		uint64_t whole = value >> (unit * 10);
		uint64_t rest = value >> ((unit - 1) * 10) & 1023;
		uint64_t tenths = rest * 10 / 1024;

		if (tenths)
			snprintf(buf, UNITS_MAX, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths,
				 names[unit]);
		else
			snprintf(buf, UNITS_MAX, "%" PRIu64 " %s", whole, names[unit]);
	}
	return buf;
}

const char *units_format_ms(uint64_t ms, char buf[UNITS_MAX])
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, UNITS_MAX, "%" PRIu64 " ms", ms);
	else if (s < 60)
		snprintf(buf, UNITS_MAX, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(buf, UNITS_MAX, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, UNITS_MAX, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(buf, UNITS_MAX, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return buf;
}
