/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder keeps the descriptor of its memory, maps it a second time where no userfaultfd sees it, is revoked, and
 * goes on writing there: nothing of that reaches the file, then or later. A READ holder cannot
 * make its descriptor writable, and cannot resize either kind of memory.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 2 * 1024 * 1024 };

static int holder(int channel, void *data)
{
	unsigned char *bytes, *rogue;
	struct raw raw;

	(void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_WRITE);
	bytes = raw_map(&raw);
	memset(bytes, 'b', 4096);
	expect(ftruncate(raw.fds[0], 0) < 0 && errno == EPERM);
	expect(ftruncate(raw.fds[0], 2 * SIZE) < 0 && errno == EPERM);
	rogue = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, raw.fds[0], 0);
	expect(rogue != MAP_FAILED);
	expect_eq(rogue[0], 'b');
	cue(channel, "written");
	/* It never answers the recall. */
	cue_wait(channel, "go on");
	memset(rogue, 'r', SIZE);
	expect_eq(pwrite(raw.fds[0], "rogue", 5, 0), 5);
	cue(channel, "rogue");
	cue_wait(channel, "end");
	memset(rogue, 'r', SIZE);
	raise(SIGKILL);
	return 0;
}

static int reader(int channel, void *data)
{
	struct raw raw;
	char path[64];

	(void)channel, (void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_READ);
	expect_eq(fcntl(raw.fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", raw.fds[0]);
	expect(open(path, O_RDWR) < 0 && errno == EACCES);
	expect(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, raw.fds[0], 0) == MAP_FAILED);
	expect(ftruncate(raw.fds[0], 0) < 0);
	expect(fchmod(raw.fds[0], 0666) < 0);
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
	actor = actor_start(reader, NULL);
	actor_join(&actor);

	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "written");
	m = client(MAPSEAL_THREAD);
	break_revokes(m, "file", 0);

	cue(actor.channel, "go on");
	cue_wait(actor.channel, "rogue");
	check(path);
	/* A reader that comes later sees the file, not the rogue's memory. */
	seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	bytes = mapseal_address(seal);
	expect_eq(bytes[0], 'b');
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
