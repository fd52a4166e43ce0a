/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder is in the middle of a commit, or a flush, on a disk that hangs, and does not come back from it. A
 * breaker waits no longer than for any holder that does not answer; the bytes are quarantined, and nothing of
 * them lands when the disk goes on, which is when the holder hears that its commit came to nothing.
 */

#include <string.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

static int writer(int channel, void *data)
{
	struct proto_message message = { .type = PROTO_COMMIT };
	bool commit = strcmp(data, "commit") == 0;
	uint32_t serial;
	struct raw raw;

	raw_hold(&raw, data, SIZE, PROTO_MODE_WRITE);
	if (commit) {
		message.commit.seal = raw.answer.granted.seal;
		message.commit.length = SIZE;
	} else {
		message.type = PROTO_FLUSH;
		message.flush.seal = raw.answer.granted.seal;
		message.flush.length = SIZE;
	}
	memset(raw_map(&raw), 'n', SIZE);
	cue(channel, "written");
	cue_wait(channel, "frozen");
	serial = raw_set_off(&raw, &message);
	cue(channel, "under way");
	expect_eq(raw_receive(&raw), PROTO_RECALL);
	expect_eq(raw_receive(&raw), PROTO_REVOKED);
	expect_eq(raw.answer.revoked.quarantined, SIZE);
	cue(channel, "revoked");
	expect_eq(raw_receive(&raw), PROTO_REFUSED);
	expect_eq(raw.answer.serial, serial);
	expect_str(proto_error_name(raw.answer.refused.code), "GONE");
	return 0;
}

int main(void)
{
	char *names[] = { (char[]){ "commit" }, (char[]){ "flush" } };
	struct rig *rig = rig_new();
	const char *disk = rig_mount(rig, "disk", "ext4", 32 * MiB);
	const char *paths[] = {
		rig_file(rig, "disk/commit", SIZE, 1),
		rig_file(rig, "disk/flush", SIZE, 1),
	};
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct actor actors[2];
	struct mapseal *m;

	rig_start(rig,
		  "[defaults]\ndeadline-ms = 100\nhard-ms = 500\nfence-ms = 100\n"
		  "[export commit]\npath = %s\nread = *\nwrite = *\n"
		  "[export flush]\npath = %s\nread = *\nwrite = *\n",
		  paths[0], paths[1]);
	for (int i = 0; i < 2; i++) {
		actors[i] = actor_start(writer, names[i]);
		cue_wait(actors[i].channel, "written");
	}
	rig_freeze(disk);
	m = client(0);
	for (int i = 0; i < 2; i++) {
		cue(actors[i].channel, "frozen");
		cue_wait(actors[i].channel, "under way");
		brk = break_range(m, names[i], 0, 0, 0);
		expect_eq(mapseal_break_account(brk, &account), 1);
		expect_str(account->result, "revoked");
		expect_eq(account->quarantined, SIZE);
		mapseal_break_end(brk);
		cue_wait(actors[i].channel, "revoked");
	}
	rig_thaw();
	for (int i = 0; i < 2; i++)
		actor_join(&actors[i]);
	mapseal_close(m);
	rig_stop(rig);
	for (int i = 0; i < 2; i++)
		rig_file_is(paths[i], SIZE, 1, 0, 0, 0);
	rig_free(rig);
	return 0;
}
