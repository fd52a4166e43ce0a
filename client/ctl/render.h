/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Text for people: escaped strings and aligned tables.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "mapseal.h"

/* Says so, and ends the program with status 1: no command could do anything sensible any more. */
void render_no_memory(void) __attribute__((__noreturn__));

/*
 * Makes @text fit for a terminal: control characters, invalid UTF-8 and characters that reverse the
 * direction of writing become "\xNN" byte by byte, a backslash becomes two. The caller frees.
 */
char *render_escape(const char *text);

/* For JSON, where only invalid UTF-8 hurts: each bad byte becomes U+FFFD. The caller frees. */
char *render_utf8(const char *text);

/* Prints @text escaped. */
void render_text(FILE *f, const char *text);

/* A table, which takes cells row by row and is aligned when it is printed. */
struct table;

struct column {
	const char *header;
	bool right; /* numbers */
};

/* @columns must outlive the table. */
struct table *table_new(const struct column *columns, size_t n_columns);
struct table *table_free(struct table *table);
__attribute__((__format__(__printf__, 2, 3))) void table_cell(struct table *table,
							      const char *format, ...);
size_t table_rows(const struct table *table);
/* Without @headers: two or more columns of plain text. */
void table_print(const struct table *table, bool headers, FILE *f);

const char *guard_name(enum mapseal_guard guard);

/* The account of a break, as a table. */
void render_account(FILE *f, const struct mapseal_account *account, size_t n);
