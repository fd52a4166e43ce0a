/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * No deadlock within a process: a thread inside mapseal_enter() of a cooperative seal needs bytes of a transparent one, while a break
 * wants both. The transparent window stays open until the cooperative seal came back.
 */

#include <string.h>

#include "tests/system/rig.h"

enum { SIZE = 1024 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *asked = hold(m, "file", 0, SIZE / 2, MAPSEAL_READ, 0);
	struct mapseal_seal *silent =
		hold(m, "file", SIZE / 2, SIZE / 2, MAPSEAL_READ, MAPSEAL_TRANSPARENT);
	const volatile unsigned char *bytes = mapseal_address(silent);

	(void)data;
	expect_eq(mapseal_enter(asked), 0);
	cue(channel, "inside");
	cue_wait(channel, "recalled");
	/* first touches: would park for ever if the window were fenced already */
	expect(rig_same(bytes, SIZE / 2, SIZE / 2, 1));
	mapseal_exit(asked);
	cue_wait(channel, "broken");
	await_state(asked, MAPSEAL_RETURNED);
	mapseal_seal_free(asked);
	cue_wait(channel, "end");
	expect(rig_same(bytes, SIZE / 2, SIZE / 2, 1));
	mapseal_seal_free(silent);
	mapseal_close(m);
	return 0;
}

static int breaker(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	const struct mapseal_account *account;
	struct mapseal_break *brk;

	(void)data;
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect_eq(mapseal_break_account(brk, &account), 2);
	for (int i = 0; i < 2; i++)
		expect_str(account[i].result,
			   strcmp(account[i].answer, "ok") == 0 ? "returned" : "parked");
	cue(channel, "broken");
	cue_wait(channel, "end");
	must(mapseal_break_end(brk));
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor holding, breaking;
	struct mapseal *m;

	rig_start_file(rig, path, "deadline-ms = 60000\nhard-ms = 60000\nkernel-faults = yes\n");
	m = client(0);
	change_watch(m);
	holding = actor_start(holder, NULL);
	cue_wait(holding.channel, "inside");
	breaking = actor_start_as(0, 0, breaker, NULL);
	change_wait(m, "recalled");
	cue(holding.channel, "recalled");
	cue_wait(breaking.channel, "broken");
	cue(holding.channel, "broken");
	cue(breaking.channel, "end");
	actor_join(&breaking);
	cue(holding.channel, "end");
	actor_join(&holding);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
