/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Numbers as people write and read them: sizes with suffixes of 1024, counts, times.
 */

#include <stddef.h>
#include <stdint.h>

/* What was wrong with a number; 0 is none. units_error_text() has the words. */
enum units_error {
	UNITS_EMPTY = 1,
	UNITS_NEGATIVE,
	UNITS_NOT_A_NUMBER,
	UNITS_BAD_SUFFIX,
	UNITS_TOO_LARGE,
};

/*
 * Parses the @n bytes at @text: decimal digits, then perhaps K, M or G. No sign, no space, no
 * fraction. 0, or an enum units_error; more than @max is UNITS_TOO_LARGE.
 */
int units_parse_size(const char *text, size_t n, uint64_t max, uint64_t *ret);

/* The same without a suffix: ids, milliseconds. */
int units_parse_count(const char *text, uint64_t max, uint64_t *ret);

/* "is not a number", to follow the name of what was parsed. */
const char *units_error_text(int error);

#define UNITS_MAX 32

/* These write into @buf and return it. Exact: "4M", "4097"; reads back as the same number. */
const char *units_format_exact(uint64_t value, char buf[UNITS_MAX]);

/* Three digits or so: "512 B", "1.5 MiB". */
const char *units_format_bytes(uint64_t value, char buf[UNITS_MAX]);

/* "35 ms", "2.5 s", "3 min 4 s", "2 h 5 min", "9 d 1 h". */
const char *units_format_ms(uint64_t ms, char buf[UNITS_MAX]);
