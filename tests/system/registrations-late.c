/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The kernel does not tell what holders that were revoked have registered with RDMA devices.
 * Whoever broke their seals is answered all the same, without that, and the log says so.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 64 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);

	(void)data;
	cue(channel, "held");
	cue_wait(channel, "end"); /* without listening to anybody else */
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void breaks(unsigned int flags)
{
	struct actor actor = actor_start(holder, NULL);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct mapseal *m;

	cue_wait(actor.channel, "held");
	m = client(0);
	brk = break_range(m, "file", 0, 0, flags);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect_eq(account->registrations, 0);
	expect_eq(account->registered, 0);
	must(mapseal_break_end(brk));
	mapseal_close(m);
	cue(actor.channel, "end");
	actor_join(&actor);
}

static int leaver(int channel, void *data)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.want = MAPSEAL_WANT_LAYOUT,
	};
	struct mapseal_break *brk;
	struct mapseal *m = client(0);

	(void)data;
	cue(channel, "breaking");
	mapseal_break_begin(m, &request, &brk);
	pause();
	return 0;
}

/* Whoever asked is gone before there is an answer. */
static void nobody_waits(void)
{
	struct actor actor = actor_start(holder, NULL), breaker;
	struct mapseal *m = client(0);

	cue_wait(actor.channel, "held");
	change_watch(m);
	breaker = actor_start(leaver, NULL);
	cue_wait(breaker.channel, "breaking");
	change_wait(m, "revoked");
	actor_kill(&breaker, SIGKILL);
	cue(actor.channel, "end");
	actor_join(&actor);
	mapseal_close(m);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1), *builddir = getenv("top_builddir");
	char program[512];

	snprintf(program, sizeof(program), "%s/tests/system/mute-kernel", builddir ? builddir : ".");
	expect(setenv("MAPSEALD", program, 1) == 0);
	rig_keep_log(rig);
	rig_start_file(rig, path, "deadline-ms = 100\nhard-ms = 200\n");
	breaks(0);
	breaks(MAPSEAL_BREAK_HOLD);
	expect_eq(rig_logged(rig, "answered without"), 2);
	nobody_waits();
	breaks(0);
	rig_free(rig);
	return 0;
}
