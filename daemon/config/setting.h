/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Settings: what a key is called, where its value goes, and what it may be.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
	SETTING_COUNT,	/* uint64_t */
	SETTING_COUNT32, /* uint32_t */
	SETTING_POWER,	/* uint32_t, a power of two */
	SETTING_SIZE,	/* uint64_t, with K, M or G */
	SETTING_BOOL,	/* bool: words[0] is false, words[1] is true */
	SETTING_WORD,	/* uint32_t: words[i] is min + i */
	SETTING_PATH,	/* char *, absolute; at most max bytes */
	SETTING_MODE,	/* mode_t, octal */
	SETTING_USER,	/* uid_t: NAME or uid:N */
	SETTING_GROUP,	/* gid_t: %NAME or gid:N */
	SETTING_GRANTS, /* struct export_grant *, and their number at offset_n */
	SETTING_WHO,	/* struct export_who *, and their number at offset_n; or no, or yes */
};

struct setting {
	const char *name;
	enum setting_type type;
	size_t offset, offset_n;
	uint64_t min, max;
	const char *words[3];
};

/*
 * Parses @value into the field of @base. 0, -ENOMEM, or -EINVAL with what is wrong and what is
 * allowed in @why, written to follow "KEY = VALUE: "; the field is then as it was.
 */
int setting_parse(const struct setting *setting, const char *value, void *base, char *why,
		  size_t size);

/* The two notations of WHO[@RANGE], as far as the tests want them alone. */
struct export_who;
struct export_grant;
int setting_parse_who(const char *text, struct export_who *ret, char *why, size_t size);
int setting_parse_grant(const char *text, struct export_grant *ret, char *why, size_t size);
