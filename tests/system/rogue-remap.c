/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder maps its memory a second time, where no userfaultfd can see it, is revoked, and goes on
 * writing there: nothing of that reaches the file, then or later.
 */

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"
#include "tests/touch.h"

enum { SIZE = 2 * 1024 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	unsigned char *bytes = mapseal_address(seal), *rogue;
	size_t step = touch_may_park() ? 65536 : 4096;

	(void)data;
	memset(bytes, 'b', 4096);
	/* mremap of length 0 makes a second mapping of a shared one, and no descriptor is needed for it */
	rogue = mremap(bytes, 0, SIZE, MREMAP_MAYMOVE);
	expect(rogue != MAP_FAILED);
	expect_eq(rogue[0], 'b');
	cue(channel, "written");
	cue_wait(channel, "go on");
	/* The second mapping is as fenced as the first one: where it can be written at all, nobody sees it. */
	for (size_t at = 0; at < SIZE; at += step)
		(void)store_is_sigbus(rogue + at, 'r');
	cue(channel, "rogue");
	cue_wait(channel, "end");
	for (size_t at = 0; at < SIZE; at += step)
		(void)store_is_sigbus(rogue + at, 's');
	/* crash: what is found dirty at death must not be written either */
	raise(SIGKILL);
	return 0;
}

static void check(const char *path)
{
	rig_file_is(path, SIZE, 1, 0, 4096, 'b');
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct mapseal_break *brk;
	struct mapseal_seal *seal;
	const unsigned char *bytes;
	struct actor actor;
	struct mapseal *m;
	int status;

	rig_start_file(rig, path, "deadline-ms = 200\nhard-ms = 1000\n");
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "written");
	expect(kill(actor.pid, SIGSTOP) == 0);
	expect_eq(waitpid(actor.pid, &status, WUNTRACED), actor.pid);
	m = client(MAPSEAL_THREAD);
	break_revokes(m, "file", 0);
	expect(kill(actor.pid, SIGCONT) == 0);
	cue(actor.channel, "go on");
	cue_wait(actor.channel, "rogue");
	check(path);
	/* a reader that comes later sees the file, not the rogue's memory */
	seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	bytes = mapseal_address(seal);
	expect(rig_same(bytes + 4096, 4096, SIZE - 4096, 1));
	mapseal_seal_free(seal);
	cue(actor.channel, "end");
	expect_eq(waitpid(actor.pid, &status, 0), actor.pid);
	brk = break_range(m, "file", 0, 0, 0);
	mapseal_break_end(brk);
	check(path);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
