/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A disk that hangs, and nobody who waits: what a holder returns, or leaves behind when it dies, is not
 * quarantined, however long that takes, and is in the file when the disk goes on. What somebody waited
 * for meanwhile is quarantined, which also says that more time has passed than a fence has.
 */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

static int returner(int channel, void *data)
{
	struct proto_message message;
	struct raw raw;

	(void)data;
	raw_hold(&raw, "returned", SIZE, PROTO_MODE_WRITE);
	message = raw_returning(&raw);
	memset(raw_map(&raw), 'r', SIZE);
	cue(channel, "written");
	cue_wait(channel, "frozen");
	(void)raw_set_off(&raw, &message);
	cue(channel, "returning");
	expect_eq(raw_receive(&raw), PROTO_RETURNED);
	expect_eq(raw.answer.returned.length, SIZE);
	return 0;
}

static int writer(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold(m, data, 0, 0, MAPSEAL_WRITE, 0);

	memset(mapseal_address(seal), 'w', SIZE);
	cue(channel, "written");
	pause();
	return 0;
}

static int note(const struct mapseal_quarantine_info *info, void *data)
{
	expect_str(info->object, "broken");
	expect_eq(info->bytes, SIZE);
	++*(int *)data;
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *disk = rig_mount(rig, "disk", "ext4", 32 * MiB);
	const char *returned = rig_file(rig, "disk/returned", SIZE, 1);
	const char *left = rig_file(rig, "disk/left", SIZE, 1);
	const char *broken = rig_file(rig, "disk/broken", SIZE, 1);
	struct mapseal_break_request reading = {
		.size = sizeof(reading),
		.object = "left",
		.fd = -1,
		.want = MAPSEAL_WANT_READ,
	};
	const struct mapseal_account *account;
	struct actor returning, dying, stuck;
	struct mapseal_break *brk;
	struct mapseal *m;
	int kept = 0;

	rig_start(rig,
		  "[defaults]\ndeadline-ms = 100\nhard-ms = 500\nfence-ms = 100\n"
		  "[export returned]\npath = %s\nread = *\nwrite = *\n"
		  "[export left]\npath = %s\nread = *\nwrite = *\n"
		  "[export broken]\npath = %s\nread = *\nwrite = *\n",
		  returned, left, broken);
	returning = actor_start(returner, NULL);
	dying = actor_start(writer, (void *)"left");
	stuck = actor_start(writer, (void *)"broken");
	cue_wait(returning.channel, "written");
	cue_wait(dying.channel, "written");
	cue_wait(stuck.channel, "written");
	rig_freeze(disk);
	cue(returning.channel, "frozen");
	cue_wait(returning.channel, "returning");
	actor_kill(&dying, SIGKILL);

	m = client(0);
	brk = break_range(m, "broken", 0, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect_eq(account->quarantined, SIZE);
	mapseal_break_end(brk);
	must(mapseal_list_quarantine(m, 0, note, &kept));
	expect_eq(kept, 1);

	rig_thaw();
	actor_join(&returning);
	/* who only reads waits for the disk, too, and hurries nobody */
	must(mapseal_break_begin(m, &reading, &brk));
	mapseal_break_end(brk);
	kept = 0;
	must(mapseal_list_quarantine(m, 0, note, &kept));
	expect_eq(kept, 1);
	actor_kill(&stuck, SIGKILL);
	mapseal_close(m);
	rig_stop(rig);
	rig_file_is(returned, SIZE, 1, 0, SIZE, 'r');
	rig_file_is(left, SIZE, 1, 0, SIZE, 'w');
	rig_file_is(broken, SIZE, 1, 0, 0, 0);
	rig_free(rig);
	return 0;
}
