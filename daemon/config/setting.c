/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Values.
 *
 * Nothing is guessed, clamped or half taken: a value is what it says, or refused with the reason
 * and with what would be right. User and group names are looked up once, here; what the daemon
 * compares later are numbers.
 */

#include "daemon/config/setting.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "daemon/authority/export.h"
#include "util/cleanup.h"
#include "util/range.h"
#include "util/units.h"

#define ID_MAX (UINT32_MAX - 1) /* the last one means "none" to system calls */

static int fault(char *why, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fault(char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- numbers ----------------------------------------------------------------------------- */

static int parse_number(const struct setting *setting, const char *value, uint64_t *ret, char *why,
			size_t size)
{
	char min[UNITS_MAX], max[UNITS_MAX];
	uint64_t number;
	int r;

	if (setting->type == SETTING_SIZE) {
		r = units_parse_size(value, strlen(value), UINT64_MAX, &number);
		units_format_exact(setting->min, min);
		units_format_exact(setting->max, max);
	} else {
		r = units_parse_count(value, UINT64_MAX, &number);
		snprintf(min, sizeof(min), "%" PRIu64, setting->min);
		snprintf(max, sizeof(max), "%" PRIu64, setting->max);
	}
	if (r)
		return fault(why, size, "%s; %s to %s are allowed", units_error_text(r), min, max);
	if (number < setting->min || number > setting->max)
		return fault(why, size, "out of bounds; %s to %s are allowed", min, max);
	if (setting->type == SETTING_POWER && (number & (number - 1)))
		return fault(why, size, "no power of two; 1, 2, 4, ... %s are allowed", max);
	*ret = number;
	return 0;
}

static int parse_mode(const char *value, mode_t *ret, char *why, size_t size)
{
	mode_t mode = 0;
	size_t n = strlen(value);

	if (n == 0 || n > 4 || strspn(value, "01234567") != n)
		return fault(why, size, "no file mode; octal 0000 to 0777 is allowed");
	for (size_t i = 0; i < n; i++)
		mode = mode * 8 + (mode_t)(value[i] - '0');
	if (mode > 0777)
		return fault(why, size, "no file mode; octal 0000 to 0777 is allowed");
	*ret = mode;
	return 0;
}

static int parse_bool(const struct setting *setting, const char *value, bool *ret, char *why,
		      size_t size)
{
	for (int i = 0; i < 2; i++)
		if (strcmp(value, setting->words[i]) == 0) {
			*ret = i;
			return 0;
		}
	return fault(why, size, "\"%s\" or \"%s\" is allowed", setting->words[0],
		     setting->words[1]);
}

static int parse_word(const struct setting *setting, const char *value, uint32_t *ret, char *why,
		      size_t size)
{
	const char *const *words = setting->words;

	for (uint32_t i = 0; i < 3 && words[i]; i++)
		if (strcmp(value, words[i]) == 0) {
			*ret = (uint32_t)setting->min + i;
			return 0;
		}
	return fault(why, size, "\"%s\"%s%s%s or \"%s\" is allowed", words[0], words[2] ? ", \"" : "",
		     words[2] ? words[1] : "", words[2] ? "\"" : "", words[2] ? words[2] : words[1]);
}

static int parse_path(const struct setting *setting, const char *value, char **ret, char *why,
		      size_t size)
{
	char *copy;

	if (value[0] != '/')
		return fault(why, size, "no absolute path; it has to begin with \"/\"");
	if (strlen(value) > setting->max)
		return fault(why, size, "too long; %" PRIu64 " bytes are allowed", setting->max);
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

/* ---- people ------------------------------------------------------------------------------ */

static int parse_id(const char *text, uint32_t *ret, char *why, size_t size)
{
	uint64_t id;
	int r = units_parse_count(text, ID_MAX, &id);

	if (r)
		return fault(why, size, "the id \"%.40s\" %s; 0 to %u are allowed", text,
			     units_error_text(r), ID_MAX);
	*ret = (uint32_t)id;
	return 0;
}

static int parse_user(const char *text, uint32_t *ret, char *why, size_t size)
{
	const struct passwd *user;

	if (strncmp(text, "uid:", 4) == 0)
		return parse_id(text + 4, ret, why, size);
	if (text[0] && text[strspn(text, "0123456789")] == '\0')
		return fault(why, size, "a number alone is no user; write uid:%.40s", text);
	user = getpwnam(text);
	if (!user)
		return fault(why, size,
			     "there is no user \"%.80s\"; a user name or uid:N is allowed", text);
	*ret = user->pw_uid;
	return 0;
}

static int parse_group(const char *text, uint32_t *ret, char *why, size_t size)
{
	const struct group *group;

	if (strncmp(text, "gid:", 4) == 0)
		return parse_id(text + 4, ret, why, size);
	if (text[0] != '%')
		return fault(why, size, "no group; %%NAME or gid:N is allowed");
	group = getgrnam(text + 1);
	if (!group)
		return fault(why, size, "there is no group \"%.80s\"; %%NAME or gid:N is allowed",
			     text + 1);
	*ret = group->gr_gid;
	return 0;
}

int setting_parse_who(const char *text, struct export_who *ret, char *why, size_t size)
{
	struct export_who who = { .type = EXPORT_UID };
	int r = 0;

	if (strcmp(text, "*") == 0) {
		who.type = EXPORT_EVERYONE;
	} else if (text[0] == '%' || strncmp(text, "gid:", 4) == 0) {
		who.type = EXPORT_GID;
		r = parse_group(text, &who.id, why, size);
	} else if (text[0] == '\0') {
		r = fault(why, size,
			  "nobody is named; \"*\", a user name, uid:N, %%GROUP or gid:N is "
			  "allowed");
	} else {
		r = parse_user(text, &who.id, why, size);
	}
	if (r < 0)
		return r;
	*ret = who;
	return 0;
}

/* OFFSET-end is how a range to infinity is written everywhere else; range_parse() knows finite ones
 * only. */
static int parse_span(const char *text, uint64_t *ret_start, uint64_t *ret_end, char *why,
		      size_t size)
{
	size_t n = strlen(text), tail = strlen("-end");
	struct range range;
	int r;

	if (n > tail && strcmp(text + n - tail, "-end") == 0) {
		r = units_parse_size(text, n - tail, RANGE_MAX, ret_start);
		*ret_end = EXPORT_TO_END;
		if (r)
			return fault(why, size, "in the range \"%.80s\" the offset %s", text,
				     units_error_text(r));
		return 0;
	}
	r = range_parse(text, &range);
	if (r == RANGE_EMPTY)
		return fault(why, size,
			     "nothing follows \"@\"; OFFSET-END, OFFSET-end or OFFSET+LENGTH is "
			     "allowed, and without \"@\" it is the whole file");
	if (r)
		return fault(why, size, "in the range \"%.80s\": %s", text, range_error_text(r));
	*ret_start = range.offset;
	*ret_end = range.offset + range.length;
	return 0;
}

int setting_parse_grant(const char *text, struct export_grant *ret, char *why, size_t size)
{
	struct export_grant grant = { .start = 0, .end = EXPORT_TO_END };
	_cleanup_free_ char *who = NULL;
	const char *at = strrchr(text, '@'); /* names of users may hold one themselves */
	int r;

	who = at ? strndup(text, (size_t)(at - text)) : strdup(text);
	if (!who)
		return -ENOMEM;
	if (at) {
		r = parse_span(at + 1, &grant.start, &grant.end, why, size);
		if (r < 0)
			return r;
	}
	r = setting_parse_who(who, &grant.who, why, size);
	if (r < 0)
		return r;
	*ret = grant;
	return 0;
}

/* ---- lists ------------------------------------------------------------------------------- */

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && strchr(" \t", end[-1]))
		*--end = '\0';
	return text;
}

static size_t count_items(const char *value)
{
	size_t n = 1;

	for (; *value; value++)
		n += *value == ',';
	return n;
}

static int parse_grants(const char *value, struct export_grant **ret, size_t *ret_n, char *why,
			size_t size)
{
	_cleanup_free_ struct export_grant *grants = NULL;
	_cleanup_free_ char *copy = strdup(value);
	char *rest = copy, *item;
	size_t n = 0;
	int r;

	grants = calloc(count_items(value), sizeof(*grants));
	if (!copy || !grants)
		return -ENOMEM;
	while ((item = strsep(&rest, ","))) {
		r = setting_parse_grant(trim(item), &grants[n++], why, size);
		if (r < 0)
			return r;
	}
	free(*ret);
	*ret = take_ptr(grants);
	*ret_n = n;
	return 0;
}

static int parse_whos(const char *value, struct export_who **ret, size_t *ret_n, char *why,
		      size_t size)
{
	_cleanup_free_ struct export_who *list = NULL;
	_cleanup_free_ char *copy = strdup(value);
	char *rest = copy, *item;
	size_t n = 0;
	int r;

	list = calloc(count_items(value), sizeof(*list));
	if (!copy || !list)
		return -ENOMEM;
	if (strcmp(value, "yes") == 0)
		list[n++] = (struct export_who){ .type = EXPORT_EVERYONE };
	else if (strcmp(value, "no") != 0)
		while ((item = strsep(&rest, ","))) {
			r = setting_parse_who(trim(item), &list[n++], why, size);
			if (r < 0)
				return r;
		}
	free(*ret);
	*ret = take_ptr(list);
	*ret_n = n;
	return 0;
}

int setting_parse(const struct setting *setting, const char *value, void *base, char *why,
		  size_t size)
{
	void *field = (char *)base + setting->offset;
	size_t *n = (void *)((char *)base + setting->offset_n);
	uint64_t number;
	uint32_t id;
	int r;

	switch (setting->type) {
	case SETTING_COUNT:
	case SETTING_SIZE:
		return parse_number(setting, value, field, why, size);
	case SETTING_COUNT32:
	case SETTING_POWER:
		r = parse_number(setting, value, &number, why, size);
		if (r == 0)
			*(uint32_t *)field = (uint32_t)number;
		return r;
	case SETTING_BOOL:
		return parse_bool(setting, value, field, why, size);
	case SETTING_WORD:
		return parse_word(setting, value, field, why, size);
	case SETTING_PATH:
		return parse_path(setting, value, field, why, size);
	case SETTING_MODE:
		return parse_mode(value, field, why, size);
	case SETTING_USER:
	case SETTING_GROUP:
		r = setting->type == SETTING_USER ? parse_user(value, &id, why, size) :
						    parse_group(value, &id, why, size);
		if (r == 0)
			*(uint32_t *)field = id;
		return r;
	case SETTING_GRANTS:
		return parse_grants(value, field, n, why, size);
	case SETTING_WHO:
		return parse_whos(value, field, n, why, size);
	}
	return fault(why, size, "not understood");
}
