/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * writable-opens. With hold, to open the file for writing is what a holder anywhere in it is
 * asked for, and to open it for reading is nothing. With watch the open passes, and so does what
 * is written beside the seal.
 */

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024, SEALED = 16 * 1024, LENGTH = 4096 };

int main(void)
{
	struct keeping reading = {
		.length = SEALED, .mode = MAPSEAL_READ, .guard = MAPSEAL_GUARD_FANOTIFY
	};
	const struct deed open_write = { "open", deed_open_write, 0, 0, NULL };
	const struct deed beside = { "pwrite", deed_write, SEALED, LENGTH, NULL };
	const struct deed read = { "read", deed_read, 0, 1, NULL };
	struct rig *rig = fanotify_rig();
	const char *hold = common_file(rig, "hold", SIZE, 1);
	const char *watch = common_file(rig, "watch", SIZE, 1);
	struct actor keeper, stranger;

	rig_start(rig,
		  "[defaults]\n" PATIENT
		  "[export hold]\npath = %s\nread = *\nwritable-opens = hold\n"
		  "[export watch]\npath = %s\nread = *\nwritable-opens = watch\n",
		  hold, watch);
	reading.object = "hold";
	keeper = keeper_start(&reading);
	stranger_goes_on(&read, hold, rig_byte(1, 0));
	keeper_does(&keeper, "undisturbed");
	stranger = stranger_start(&open_write, hold);
	heard_first(&keeper, "recalled", &stranger);
	expect(stranger_is_held(&stranger));
	keeper_does(&keeper, "old");
	keeper_does(&keeper, "return");
	expect_eq(stranger_end(&stranger), 0);
	keeper_end(&keeper);

	reading.object = "watch";
	keeper = keeper_start(&reading);
	stranger_goes_on(&open_write, watch, 0);
	stranger_goes_on(&beside, watch, LENGTH);
	keeper_does(&keeper, "undisturbed");
	keeper_does(&keeper, "old");
	keeper_end(&keeper);
	rig_free(rig);
	return 0;
}
