/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One break recalls 64 holders in 64 processes; its account has 64 lines, one for each.
 */

#include <string.h>

#include "tests/system/rig.h"

enum { HOLDERS = 64, SIZE = 64 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);

	(void)data;
	expect(rig_same(mapseal_address(seal), 0, SIZE, 1));
	cue_number(channel, mapseal_id(seal));
	cue_wait(channel, "end");
	await_state(seal, MAPSEAL_RETURNED);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct actor actors[HOLDERS];
	struct mapseal_break *brk;
	uint64_t ids[HOLDERS];
	struct mapseal *m;

	/* One uid holds them all, so its quota of sessions must allow for it. */
	rig_start(rig,
		  "[quota]\nmax-sessions = 100\n"
		  "[export file]\npath = %s\nread = *\nwrite = *\n",
		  path);
	for (int i = 0; i < HOLDERS; i++) {
		actors[i] = actor_start(holder, NULL);
		ids[i] = cue_wait_number(actors[i].channel);
	}
	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect_eq(mapseal_break_account(brk, &account), HOLDERS);
	for (int i = 0; i < HOLDERS; i++) {
		int lines = 0;

		for (int j = 0; j < HOLDERS; j++)
			if (account[j].seal == ids[i]) {
				expect_eq(account[j].pid, actors[i].pid);
				expect_str(account[j].result, "returned");
				lines++;
			}
		expect_eq(lines, 1);
	}
	must(mapseal_break_end(brk));
	for (int i = 0; i < HOLDERS; i++) {
		cue(actors[i].channel, "end");
		actor_join(&actors[i]);
	}
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
