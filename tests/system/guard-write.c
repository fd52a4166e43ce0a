/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A stranger changes a file under a READ window: the holder is asked, reads what was there until it
 * has given the window back, and only then the change is in the file.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, AT = 128 * 1024, LENGTH = 8192 };

static const struct keeping reading = { .mode = MAPSEAL_READ, .guard = MAPSEAL_GUARD_FANOTIFY };

static void is_written(const char *path)
{
	rig_file_is(path, SIZE, 1, AT, LENGTH, 'n');
}

static void is_punched(const char *path)
{
	rig_file_is(path, SIZE, 1, AT, LENGTH, 0);
}

static void is_cut(const char *path)
{
	file_is(path, AT, 1);
}

static void is_empty(const char *path)
{
	struct stat st;

	expect(stat(path, &st) == 0);
	expect_eq(st.st_size, 0);
}

static const struct {
	struct deed deed;
	int64_t result;
	void (*is)(const char *path);
} rows[] = {
	{ { "pwrite", deed_write, AT, LENGTH, NULL }, LENGTH, is_written },
	{ { "truncate", deed_truncate, AT, 0, NULL }, 0, is_cut },
	{ { "ftruncate", deed_ftruncate, AT, 0, NULL }, 0, is_cut },
	{ { "open to truncate", deed_open_truncate, 0, 0, NULL }, 0, is_empty },
	{ { "punch", deed_punch, AT, LENGTH, NULL }, 0, is_punched },
};

int main(void)
{
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);

	rig_start_file(rig, path, PATIENT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct actor keeper, stranger;

		printf("%s\n", rows[i].deed.name);
		file_again(path, SIZE, 1);
		keeper = keeper_start(&reading);
		stranger = stranger_start(&rows[i].deed, path);
		heard_first(&keeper, "recalled", &stranger);
		/* none of these pages was there before: they come from the file */
		keeper_does(&keeper, "old");
		file_is(path, SIZE, 1);
		expect(stranger_is_held(&stranger));
		keeper_does(&keeper, "return");
		expect_eq(stranger_end(&stranger), rows[i].result);
		rows[i].is(path);
		keeper_end(&keeper);
	}
	rig_free(rig);
	return 0;
}
