/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A process that called mlockall(MCL_FUTURE) before it acquired reads the file's bytes, not the zeros that locking
 * would have put into the window. (Without a library thread, whose stack would be locked too, it stays below
 * the usual limit of locked memory.)
 */

#include <stdio.h>
#include <sys/mman.h>

#include "tests/system/rig.h"

enum { SIZE = 1024 * 1024 };

static int locker(int channel, void *data)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	(void)channel, (void)data;
	expect(mlockall(MCL_FUTURE) == 0);
	m = client(0);
	seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	expect(rig_same(mapseal_address(seal), 0, SIZE, 1));
	mapseal_seal_free(seal);
	seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	expect(rig_same(mapseal_address(seal), 0, SIZE, 1));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	rig_skip_sanitized("sanitizers make mlockall() do nothing");
	return actor_alone(SIZE, locker);
}
