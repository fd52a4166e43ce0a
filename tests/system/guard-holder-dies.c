/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The holder of a WRITE window is killed while a stranger is held on its account: what it had
 * written is in the file, then the stranger goes on, long before any deadline.
 */

#include <signal.h>

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024, LENGTH = 4096 };

int main(void)
{
	const struct keeping writing = { .mode = MAPSEAL_WRITE, .guard = MAPSEAL_GUARD_FANOTIFY };
	const struct deed write = { "pwrite", deed_write, 0, 1, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct actor keeper, stranger;

	rig_start_file(rig, path, "deadline-ms = 3600000\nhard-ms = 3600000\n");
	keeper = keeper_start(&writing);
	keeper_does(&keeper, "write");
	stranger = stranger_start(&write, path);
	heard_first(&keeper, "recalled", &stranger);
	expect(stranger_is_held(&stranger));
	actor_kill(&keeper, SIGKILL);
	expect_eq(stranger_end(&stranger), 1);
	expect_eq(file_byte(path, 0), 'n');
	expect_eq(file_byte(path, 1), 'w');
	expect_eq(file_byte(path, LENGTH - 1), 'w');
	expect_eq(file_byte(path, LENGTH), rig_byte(1, LENGTH));
	rig_free(rig);
	return 0;
}
