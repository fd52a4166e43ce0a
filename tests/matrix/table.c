/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The matrix's text. A section for each file system and seal, a line for each operation, in it a
 * group of letters for each setting of the guard, a letter for each view: see cell.h.
 *
 * A cell that is worse than expected is a failure, and so is one that is neither better nor worse
 * but another; a better one is told of, so that the expectation is raised. With `strict`, and with
 * `watch`, on a file system where fanotify works there are cells that nobody can expect.
 */

#include "tests/matrix/table.h"

#include <stdlib.h>
#include <string.h>

#define NAME_WIDTH 30

const char *const disk_names[DISKS] = { "ext4", "xfs", "btrfs", "tmpfs" };
const char *const setting_names[SETTINGS] = { "strict", "watch", "lease", "cooperative" };
const char *const seal_names[SEALS] = { "WINDOW READ", "WINDOW WRITE", "DIRECT WRITE" };
const char *const view_names[VIEWS] = {
	"a stranger",
	"a stranger that had it open before",
	"the holder",
	"the holder that had it open before",
	"the holder, by its seal's descriptor",
};

bool table_has_seal(enum disk disk, enum seal seal)
{
	return seal != SEAL_DIRECT || disk == DISK_EXT4 || disk == DISK_XFS;
}

bool table_has(enum disk disk, enum seal seal, enum view view, const struct operation *operation)
{
	bool before = view == STRANGER_BEFORE || view == HOLDER_BEFORE;
	unsigned int flags = operation->flags;

	if (!table_has_seal(disk, seal))
		return false;
	if (is_by_holder(view) && flags & AS_ROOT)
		return false;
	if (view == HOLDER_GIVEN)
		return seal == SEAL_DIRECT && flags & (READS | WRITES) &&
		       !(flags & (APPENDS | UNCACHED | MAPPED));
	if (flags & MAPPED)
		return before;
	return !before || flags & (READS | WRITES);
}

static size_t views(enum seal seal)
{
	return seal == SEAL_DIRECT ? VIEWS : HOLDER_GIVEN;
}

void table_clear(struct table *table)
{
	for (size_t i = 0; i < sizeof(table->cells) / sizeof(struct cell_result); i++)
		((struct cell_result *)table->cells)[i].verdict = VERDICT_NONE;
}

static void print_section(const struct table *table, enum disk disk, enum seal seal, FILE *to)
{
	fprintf(to, "= %s, %s\n%-*s", disk_names[disk], seal_names[seal], NAME_WIDTH, "#");
	for (size_t setting = 0; setting < SETTINGS; setting++)
		fprintf(to, "  %-6.6s", setting_names[setting]);
	fputc('\n', to);
	for (size_t o = 0; o < n_operations; o++) {
		fprintf(to, "%-*s", NAME_WIDTH, operations[o].name);
		for (size_t setting = 0; setting < SETTINGS; setting++) {
			fprintf(to, "  ");
			for (size_t view = 0; view < views(seal); view++)
				fputc(table->cells[disk][seal][setting][view][o].verdict, to);
			if (setting + 1 < SETTINGS)
				fprintf(to, "%*s", (int)(6 - views(seal)), "");
		}
		fputc('\n', to);
	}
}

void table_print(const struct table *table, FILE *to)
{
	for (size_t disk = 0; disk < DISKS; disk++)
		for (size_t seal = 0; seal < SEALS; seal++)
			if (table_has_seal((enum disk)disk, (enum seal)seal))
				print_section(table, (enum disk)disk, (enum seal)seal, to);
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool find_section(const char *line, size_t *ret_disk, size_t *ret_seal)
{
	for (size_t disk = 0; disk < DISKS; disk++)
		for (size_t seal = 0; seal < SEALS; seal++) {
			char name[64];

			snprintf(name, sizeof(name), "= %s, %s\n", disk_names[disk],
				 seal_names[seal]);
			if (strcmp(line, name) == 0) {
				*ret_disk = disk;
				*ret_seal = seal;
				return true;
			}
		}
	return false;
}

static bool read_row(struct table *table, size_t disk, size_t seal, const char *line)
{
	size_t o = 0, length = NAME_WIDTH;

	while (length > 0 && line[length - 1] == ' ')
		length--;
	while (o < n_operations && (strlen(operations[o].name) != length ||
				    strncmp(operations[o].name, line, length) != 0))
		o++;
	if (o == n_operations)
		return false;
	for (size_t setting = 0; setting < SETTINGS; setting++)
		for (size_t view = 0; view < views((enum seal)seal); view++)
			table->cells[disk][seal][setting][view][o].verdict =
				(enum verdict)line[NAME_WIDTH + setting * 8 + 2 + view];
	return true;
}

bool table_read(struct table *table, const char *path)
{
	size_t disk = DISKS, seal = SEALS, number = 0;
	FILE *file = fopen(path, "re");
	char line[256];
	bool good = file;

	while (good && fgets(line, sizeof(line), file)) {
		number++;
		if (line[0] == '#')
			continue;
		if (line[0] == '=')
			good = find_section(line, &disk, &seal);
		else
			good = disk < DISKS &&
			       strlen(line) >= NAME_WIDTH + 3 * 8 + 3 + views((enum seal)seal) &&
			       read_row(table, disk, seal, line);
	}
	if (!good)
		fprintf(stderr, "%s:%zu: not of this matrix\n", path, number);
	if (file)
		fclose(file);
	return good;
}

/* ---- comparing --------------------------------------------------------------------------- */

static int worth(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_STRANGE:
		return 0;
	case VERDICT_MISSED:
		return 1;
	case VERDICT_WEAK:
		return 2;
	case VERDICT_DETECTED:
		return 3;
	default:
		return 4;
	}
}

static bool must_not_be(enum disk disk, enum setting setting, const struct operation *operation,
			enum verdict verdict)
{
	if (disk == DISK_TMPFS || operation->flags & BELOW_ALL)
		return false;
	return (setting == SETTING_STRICT &&
		(verdict == VERDICT_MISSED || verdict == VERDICT_WEAK)) ||
	       (setting == SETTING_WATCH && verdict == VERDICT_MISSED);
}

static void compare_cell(const struct cell_result *expected, const struct cell_result *got,
			 bool never, const char *where, struct table_counts *counts)
{
	bool same = expected->verdict == got->verdict;
	bool better = worth(got->verdict) > worth(expected->verdict);

	if (!same || never)
		printf("%s: %s: is %c, expected %c%s%s\n",
		       never	? "must not be"
		       : better ? "better, update the table"
				: "failed",
		       where, got->verdict, expected->verdict, got->why[0] ? ": " : "", got->why);
	if (never || (!same && !better))
		counts->failed++;
	else if (got->verdict != VERDICT_NONE && got->verdict != VERDICT_UNSUPPORTED)
		counts->passed++;
}

void table_compare(const struct table *expected, const struct table *got, enum disk disk,
		   enum setting setting, enum seal seal, size_t operation,
		   struct table_counts *counts)
{
	for (size_t view = 0; view < views(seal); view++) {
		const struct cell_result *is = &got->cells[disk][seal][setting][view][operation];
		bool never = is->verdict == VERDICT_STRANGE ||
			     must_not_be(disk, setting, &operations[operation], is->verdict);
		char where[160];

		snprintf(where, sizeof(where), "%s, %s, %s: %s by %s", disk_names[disk],
			 setting_names[setting], seal_names[seal], operations[operation].name,
			 view_names[view]);
		compare_cell(expected ? &expected->cells[disk][seal][setting][view][operation] : is,
			     is, never, where, counts);
	}
}
