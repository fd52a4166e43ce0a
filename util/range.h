/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A range of bytes as people write it: OFFSET-END (END exclusive) or OFFSET+LENGTH.
 */

#include <stdint.h>

#define RANGE_MAX ((uint64_t)INT64_MAX) /* no file offset is larger */

struct range {
	uint64_t offset, length;
};

/* What was wrong with a range; 0 is nothing. range_error_text() has the words. */
enum range_error {
	RANGE_EMPTY = 1, /* no text at all */
	RANGE_FORM,	 /* neither form, or a number missing */
	RANGE_NEGATIVE,	 /* a number below 0 */
	RANGE_NUMBER,	 /* something that is no number */
	RANGE_SUFFIX,	 /* other than K M G */
	RANGE_TOO_LARGE, /* a number over RANGE_MAX */
	RANGE_OVERFLOW,	 /* OFFSET + LENGTH over RANGE_MAX */
	RANGE_NO_BYTES,	 /* LENGTH 0, or END equal to OFFSET */
	RANGE_BACKWARDS, /* END before OFFSET */
};

/* 0, or an enum range_error; *@ret is then untouched. */
int range_parse(const char *text, struct range *ret);

/* A clause, to follow the range: "END lies before OFFSET". */
const char *range_error_text(int error);

#define RANGE_TEXT_MAX 64

/* "0-4M"; @length 0 is to infinity: "8K-end". Writes into @buf and returns it. */
const char *range_format(uint64_t offset, uint64_t length, char buf[RANGE_TEXT_MAX]);
