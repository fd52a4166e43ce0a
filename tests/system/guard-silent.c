/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder that is asked on account of a stranger and does not answer loses its WRITE window at the
 * deadline: what it had written is in the file before the stranger goes on, and nothing of it comes
 * later. A read of such a file needs nobody's answer.
 */

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024, LENGTH = 4096 };

int main(void)
{
	const struct keeping writing = { .mode = MAPSEAL_WRITE, .guard = MAPSEAL_GUARD_FANOTIFY };
	const struct deed write = { "pwrite", deed_write, 0, 1, NULL };
	const struct deed read = { "read", deed_read, 0, 1, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct actor keeper, stranger;

	rig_start_file(rig, path, SHORT);
	keeper = keeper_start(&writing);
	keeper_does(&keeper, "write");
	stranger_goes_on(&read, path, 'w');
	keeper_does(&keeper, "undisturbed");
	stranger = stranger_start(&write, path);
	heard_first(&keeper, "recalled", &stranger);
	expect_eq(stranger_end(&stranger), 1);
	keeper_does(&keeper, "revoked");
	keeper_end(&keeper);
	expect_eq(file_byte(path, 0), 'n');
	expect_eq(file_byte(path, 1), 'w');
	expect_eq(file_byte(path, LENGTH - 1), 'w');
	expect_eq(file_byte(path, LENGTH), rig_byte(1, LENGTH));
	rig_free(rig);
	return 0;
}
