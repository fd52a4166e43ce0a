/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A breaker halves the file under a transparent reader: afterwards the reader sees the first half as before, SIGBUS
 * past the new end, as a plain mapping would give, and zeros between the end and its page's end.
 */

#include <fcntl.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 2 * 1024 * 1024, HALF = 1024 * 1024 + 10 };

static int reader(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, MAPSEAL_TRANSPARENT);
	const volatile unsigned char *bytes = mapseal_address(seal);

	(void)data;
	expect(rig_same(bytes, 0, SIZE, 1));
	cue(channel, "read");
	cue_wait(channel, "truncated");
	expect(rig_same(bytes, 0, HALF, 1));
	expect_eq(bytes[HALF], 0);
	expect_eq(bytes[HALF / 4096 * 4096 + 4095], 0);
	for (size_t at = HALF / 4096 * 4096 + 4096; at < SIZE; at += 65536)
		expect(touch_is_sigbus(bytes + at));
	expect_eq(mapseal_object_size(seal), HALF);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;

	rig_start(rig, "[export file]\npath = %s\nread = *\nwrite = *\nkernel-faults = yes\n", path);
	actor = actor_start(reader, NULL);
	cue_wait(actor.channel, "read");
	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect(truncate(path, HALF) == 0);
	must(mapseal_break_end(brk));
	cue(actor.channel, "truncated");
	actor_join(&actor);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
