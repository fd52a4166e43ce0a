/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A stranger reads what is under a WRITE window: it sees what the holder wrote last, and the
 * holder is not asked for anything. With PINNABLE it is, since nothing can say that the pages do
 * not change.
 */

#include <stdlib.h>
#include <string.h>

#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024 };

int main(void)
{
	struct keeping writing = { .mode = MAPSEAL_WRITE, .guard = MAPSEAL_GUARD_FANOTIFY };
	const struct deed first = { "read", deed_read, 0, 1, NULL };
	const struct deed last = { "read", deed_read, SIZE - 1, 1, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct actor keeper, stranger;

	rig_start_file(rig, path, PATIENT);
	keeper = keeper_start(&writing);
	stranger_goes_on(&first, path, rig_byte(1, 0));
	keeper_does(&keeper, "write");
	stranger_goes_on(&first, path, 'w');
	stranger_goes_on(&last, path, rig_byte(1, SIZE - 1));
	keeper_does(&keeper, "undisturbed");
	keeper_end(&keeper);

	file_again(path, SIZE, 1);
	writing.flags = MAPSEAL_PINNABLE;
	keeper = keeper_start(&writing);
	keeper_does(&keeper, "write");
	stranger = stranger_start(&first, path);
	heard_first(&keeper, "recalled", &stranger);
	expect(stranger_is_held(&stranger));
	keeper_does(&keeper, "return");
	expect_eq(stranger_end(&stranger), 'w');
	keeper_end(&keeper);
	rig_free(rig);
	return 0;
}
