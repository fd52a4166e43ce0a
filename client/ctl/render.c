/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What people read.
 *
 * Promise: no byte that another user chose reaches a terminal as it is, unless it is a printable
 * character. Every cell of a table is escaped, so that a column can't be forged either. Widths
 * count characters, not bytes; characters of double width are rare here and only cost alignment.
 */

#include "client/ctl/render.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "util/units.h"

void render_no_memory(void)
{
	fputs("mapsealctl: out of memory\n", stderr);
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		render_no_memory();
	return p;
}

/* The length of the UTF-8 character at @s and its code point; 0 if there is none. RFC 3629. */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80	   ? 1 :
		   s[0] >> 5 == 6  ? 2 :
		   s[0] >> 4 == 14 ? 3 :
		   s[0] >> 3 == 30 ? 4 :
				     0;
	uint32_t c = n == 1 ? s[0] : n ? s[0] & (0x7fu >> n) : 0;

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (n == 0 || (n > 1 && c < smallest[n]) || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

static bool is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	/* Marks and overrides of direction can make a name look like another. */
	return !(c == 0x200e || c == 0x200f || c == 0x061c || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2066 && c <= 0x2069));
}

char *render_escape(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char *out = must(malloc(strlen(text) * 4 + 1)), *o = out;

	while (*s) {
		uint32_t c;
		size_t n = decode(s, &c);

		if (n && is_printable(c) && c != '\\') {
			memcpy(o, s, n);
			o += n;
			s += n;
			continue;
		}
		if (n && c == '\\') {
			*o++ = '\\';
			*o++ = '\\';
			s++;
			continue;
		}
		for (size_t i = 0; i < (n ? n : 1); i++)
			o += sprintf(o, "\\x%02x", *s++);
	}
	*o = '\0';
	return out;
}

char *render_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char *out = must(malloc(strlen(text) * 3 + 1)), *o = out;

	while (*s) {
		uint32_t c;
		size_t n = decode(s, &c);

		if (n) {
			memcpy(o, s, n);
			o += n;
			s += n;
		} else {
			memcpy(o, "\xef\xbf\xbd", 3);
			o += 3;
			s++;
		}
	}
	*o = '\0';
	return out;
}

void render_text(FILE *f, const char *text)
{
	char *escaped = render_escape(text);

	fputs(escaped, f);
	free(escaped);
}

struct table {
	const struct column *columns;
	size_t n_columns;
	char **cells;
	size_t n_cells, room;
};

struct table *table_new(const struct column *columns, size_t n_columns)
{
	struct table *table = must(calloc(1, sizeof(*table)));

	table->columns = columns;
	table->n_columns = n_columns;
	return table;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
	return NULL;
}

void table_cell(struct table *table, const char *format, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		render_no_memory();
	if (table->n_cells == table->room) {
		table->room = table->room ? table->room * 2 : 64;
		table->cells = must(reallocarray(table->cells, table->room, sizeof(char *)));
	}
	table->cells[table->n_cells++] = render_escape(text);
	free(text);
}

size_t table_rows(const struct table *table)
{
	return table->n_cells / table->n_columns;
}

static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void print_row(const struct table *table, const size_t *widths, char *const *cells, FILE *f)
{
	for (size_t c = 0; c < table->n_columns; c++) {
		const char *text = cells ? cells[c] : table->columns[c].header;
		size_t pad = widths[c] - width_of(text);
		bool last = c + 1 == table->n_columns;

		if (table->columns[c].right)
			fprintf(f, "%*s%s", (int)pad, "", text);
		else
			fprintf(f, "%s%*s", text, last ? 0 : (int)pad, "");
		fputs(last ? "\n" : "  ", f);
	}
}

void table_print(const struct table *table, bool headers, FILE *f)
{
	size_t *widths = must(calloc(table->n_columns, sizeof(*widths)));

	for (size_t c = 0; headers && c < table->n_columns; c++)
		widths[c] = width_of(table->columns[c].header);
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t w = width_of(table->cells[i]);

		if (w > widths[i % table->n_columns])
			widths[i % table->n_columns] = w;
	}
	if (headers)
		print_row(table, widths, NULL, f);
	for (size_t row = 0; row < table_rows(table); row++)
		print_row(table, widths, table->cells + row * table->n_columns, f);
	free(widths);
}

void render_account(FILE *f, const struct mapseal_account *account, size_t n)
{
	static const struct column columns[] = {
		{ "SEAL", true },     { "PID", true },	   { "UID", true },
		{ "COMMAND", false }, { "ANSWER", false }, { "RESULT", false },
		{ "FENCE", false },   { "TIME", true },	   { "QUARANTINED", true },
	};
	struct table *table;
	char buf[UNITS_MAX];

	if (n == 0)
		return;
	table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < n; i++) {
		const struct mapseal_account *a = &account[i];

		table_cell(table, "%llu", (unsigned long long)a->seal);
		table_cell(table, "%d", (int)a->pid);
		table_cell(table, "%u", (unsigned int)a->uid);
		table_cell(table, "%s", a->comm);
		table_cell(table, "%s", a->answer);
		table_cell(table, "%s", a->result);
		table_cell(table, "%s", a->fence);
		table_cell(table, "%s", units_format_ms(a->ms, buf));
		table_cell(table, "%s", units_format_bytes(a->quarantined, buf));
	}
	table_print(table, true, f);
	table_free(table);
	for (size_t i = 0; i < n; i++)
		if (account[i].registrations)
			fprintf(f, "pid %d still has %u registration%s with RDMA devices, of %s\n",
				(int)account[i].pid, account[i].registrations,
				account[i].registrations == 1 ? "" : "s",
				units_format_bytes(account[i].registered, buf));
}

const char *guard_name(enum mapseal_guard guard)
{
	static const char *const names[] = {
		[MAPSEAL_GUARD_COOPERATIVE] = "cooperative",
		[MAPSEAL_GUARD_LEASE] = "lease",
		[MAPSEAL_GUARD_FANOTIFY] = "fanotify",
	};

	return (size_t)guard < sizeof(names) / sizeof(names[0]) ? names[guard] : "unknown";
}
