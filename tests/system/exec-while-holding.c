/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder that runs another program while it holds has no window any more, though its connection may be inherited:
 * a break gets the range back as from a holder that says nothing, and what was written before is in the file.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

static int holder(int channel, void *data)
{
	struct raw raw;

	(void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_WRITE);
	memset(raw_map(&raw), 'e', 8192);
	expect(fcntl(raw.socket, F_SETFD, 0) == 0);
	/* the channel is closed by the kernel when the new program is there */
	cue(channel, "written");
	execlp("sleep", "sleep", "infinity", (char *)NULL);
	return 1;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;
	char byte;

	rig_start_file(rig, path, "deadline-ms = 200\nhard-ms = 1000\n");
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "written");
	expect_eq(read(actor.channel, &byte, 1), 0);
	m = client(0);
	brk = break_range(m, "file", 0, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	printf("%s, %s\n", account->result, account->fence);
	expect_str(account->fence, "fenced");
	mapseal_break_end(brk);
	rig_file_is(path, SIZE, 1, 0, 8192, 'e');
	actor_kill(&actor, SIGKILL);
	rig_file_is(path, SIZE, 1, 0, 8192, 'e');
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
