/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A message on one line, for logs and for people who debug.
 *
 * It goes by the table alone: numbers in decimal, values and flags by name, strings quoted. It
 * takes messages that were never encoded, so nothing is assumed of them: what has no name is shown
 * as a number, and bytes that may not be in a STR are escaped. The line is always terminated, is
 * always legal as a STR but for its length, and is cut off where it does not fit.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/str.h"
#include "proto/table.h"

struct line {
	char *text;
	size_t size;
	size_t n; /* less than size */
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(l->text + l->n, l->size - l->n, format, ap);
	va_end(ap);
	if (n > 0)
		l->n += (size_t)n < l->size - l->n ? (size_t)n : l->size - l->n - 1;
}

static void add_string(struct line *l, const char *text)
{
	add(l, "\"");
	while (*text && l->n + 1 < l->size) {
		/* The longest piece that needs no escape, then the one byte after it. */
		size_t good = strcspn(text, "\"\\");

		proto_str_check(text, good, &good);
		add(l, "%.*s", (int)good, text);
		text += good;
		if (!*text)
			break;
		if (*text == '"' || *text == '\\')
			add(l, "\\%c", *text);
		else
			add(l, "\\x%02x", (unsigned char)*text);
		text++;
	}
	add(l, "\"");
}

static void add_flags(struct line *l, const struct proto_flags *flags, uint64_t value)
{
	const char *bar = "";
	char text[64];

	for (size_t i = 0; i < flags->n_bits; i++) {
		if (!(value >> i & 1) || !flags->bits[i].ident)
			continue;
		proto_ident_text(flags->bits[i].ident, text, sizeof(text));
		add(l, "%s%s", bar, text);
		bar = "|";
	}
	if (value & ~flags->mask)
		add(l, "%s0x%" PRIx64, bar, value & ~flags->mask);
	else if (!value)
		add(l, "0");
}

static void add_field(struct line *l, const struct proto_message *message,
		      const struct proto_field *f)
{
	const struct proto_value *known;
	uint64_t value;

	add(l, " %s=", f->name);
	if (f->base == PROTO_STR) {
		add_string(l, proto_field_get_str(message, f));
		return;
	}
	value = proto_field_get(message, f);
	known = f->enumeration ? proto_value(f->enumeration, value) : NULL;
	if (known)
		add(l, "%s", known->text);
	else if (f->flags)
		add_flags(l, f->flags, value);
	else if (f->base == PROTO_I32)
		add(l, "%" PRId32, (int32_t)(uint32_t)value);
	else
		add(l, "%" PRIu64, value);
}

const char *proto_dump(const struct proto_message *message, char *line, size_t size)
{
	const struct proto_description *d = proto_describe(message->type);
	struct line l = { .text = line, .size = size };
	size_t half;

	if (!size)
		return line;
	line[0] = '\0';
	if (!d) {
		add(&l, "#%" PRIu32 " message %u", message->serial, message->type);
		return line;
	}
	add(&l, "#%" PRIu32 " %s", message->serial, d->name);
	for (const struct proto_field *f = d->fields; f->name; f++)
		add_field(&l, message, f);
	if (proto_str_check(line, l.n, &half))
		line[half] = '\0'; /* a character was cut in two */
	return line;
}
