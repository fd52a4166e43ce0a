/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The matrix as a whole: what is in it, its text, and how two of them differ. */

#include <stdio.h>

#include "tests/matrix/cell.h"

enum disk { DISK_EXT4, DISK_XFS, DISK_BTRFS, DISK_TMPFS, DISKS };
enum setting { SETTING_STRICT, SETTING_WATCH, SETTING_LEASE, SETTING_COOPERATIVE, SETTINGS };

extern const char *const disk_names[DISKS];
extern const char *const setting_names[SETTINGS];
extern const char *const seal_names[SEALS];
extern const char *const view_names[VIEWS];

#define OPERATIONS_MAX 128

struct table {
	struct cell_result cells[DISKS][SEALS][SETTINGS][VIEWS][OPERATIONS_MAX];
};

/* Whether there is such a cell. */
bool table_has(enum disk disk, enum seal seal, enum view view, const struct operation *operation);
bool table_has_seal(enum disk disk, enum seal seal);

void table_clear(struct table *table);
void table_print(const struct table *table, FILE *to);

/* Reads what table_print() wrote: false and a message if it is another matrix's. */
bool table_read(struct table *table, const char *path);

struct table_counts {
	unsigned int passed, failed;
};

/* Prints what is not as expected, and what must not be whatever is expected: of a row of a seal on
 * one file system with one setting. @expected may be NULL: nothing is expected. */
void table_compare(const struct table *expected, const struct table *got, enum disk disk,
		   enum setting setting, enum seal seal, size_t operation,
		   struct table_counts *counts);
