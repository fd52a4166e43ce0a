/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pages pinned by a device (io_uring registered buffers) in a PINNABLE window: what the device wrote before a
 * commit is in the commit, though no fault told of it; after a revocation the device's writes do not
 * reach the file.
 */

#include <signal.h>
#include <string.h>

#include "tests/system/device.h"
#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

static char block[1000];

static void write_block(struct device *device, unsigned char *at, char byte)
{
	memset(block, byte, sizeof(block));
	device_write(device, at, block, sizeof(block));
}

static int holder(int channel, void *data)
{
	struct proto_message commit = { .type = PROTO_COMMIT }, populate = { .type = PROTO_POPULATE };
	struct device device;
	unsigned char *bytes;
	struct raw raw;

	(void)data;
	raw_hello(&raw);
	raw_attach(&raw);
	raw_acquire(&raw, "file", 0, SIZE, PROTO_MODE_WRITE, PROTO_ACQUIRE_PINNABLE);
	commit.commit.seal = populate.populate.seal = raw.answer.granted.seal;
	commit.commit.length = populate.populate.length = SIZE;
	populate.populate.mode = PROTO_MODE_WRITE;
	bytes = raw_map(&raw);
	expect_eq(raw_call(&raw, &populate, -1), PROTO_DONE);
	device_pin(&device, bytes, SIZE);

	expect_eq(raw_call(&raw, &commit, -1), PROTO_DONE);
	/* written by the device only, after a commit had made everything clean for a CPU */
	write_block(&device, bytes + 5000, 'd');
	expect_eq(raw_call(&raw, &commit, -1), PROTO_DONE);
	cue(channel, "committed");
	cue_wait(channel, "go on");
	write_block(&device, bytes + 100000, 'x');
	write_block(&device, bytes + 5000, 'x');
	cue(channel, "written");
	cue_wait(channel, "end");
	write_block(&device, bytes + 100000, 'y');
	raise(SIGKILL);
	return 0;
}

static void check(const char *path)
{
	rig_file_is(path, SIZE, 1, 5000, sizeof(block), 'd');
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;

	rig_start(rig, RIG_UNGUARDED "[export file]\npath = %s\nread = *\nwrite = *\n"
		       "deadline-ms = 200\nhard-ms = 1000\n", path);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "committed");
	check(path);
	m = client(MAPSEAL_THREAD);
	break_revokes(m, "file", 0);
	cue(actor.channel, "go on");
	cue_wait(actor.channel, "written");
	check(path);
	cue(actor.channel, "end");
	actor_kill(&actor, SIGKILL);
	brk = break_range(m, "file", 0, 0, 0);
	mapseal_break_end(brk);
	check(path);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
