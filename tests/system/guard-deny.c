/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where on-conflict = deny a stranger that would disturb a holder is told ETXTBSY at once; the file
 * is what it was, and the holder hears nothing. What disturbs nobody goes on.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, SEALED = 128 * 1024, AT = 64 * 1024, LENGTH = 8192 };

static const struct deed denied[] = {
	{ "pwrite", deed_write, AT, LENGTH, NULL },
	{ "truncate", deed_truncate, AT, 0, NULL },
	{ "ftruncate", deed_ftruncate, AT, 0, NULL },
	{ "open to truncate", deed_open_truncate, 0, 0, NULL },
	{ "punch", deed_punch, AT, LENGTH, NULL },
};

int main(void)
{
	const struct keeping reading = {
		.length = SEALED, .mode = MAPSEAL_READ, .guard = MAPSEAL_GUARD_FANOTIFY
	};
	const struct deed read = { "read", deed_read, AT, 1, NULL };
	const struct deed beside = { "pwrite beside it", deed_write, SEALED, LENGTH, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct actor keeper;

	rig_start_file(rig, path, "on-conflict = deny\n");
	keeper = keeper_start(&reading);
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		printf("%s\n", denied[i].name);
		stranger_goes_on(&denied[i], path, -ETXTBSY);
		file_is(path, SIZE, 1);
	}
	stranger_goes_on(&read, path, rig_byte(1, AT));
	stranger_goes_on(&beside, path, LENGTH);
	rig_file_is(path, SIZE, 1, SEALED, LENGTH, 'n');
	keeper_does(&keeper, "old");
	keeper_does(&keeper, "undisturbed");
	keeper_end(&keeper);
	stranger_goes_on(&denied[0], path, LENGTH);
	rig_free(rig);
	return 0;
}
