/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A recall waits for a thread inside mapseal_enter(); that thread's faults are served though the recall is
 * running; the seal comes back when it leaves, and not before.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/system/rig.h"

enum { SIZE = 8 * 1024 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	volatile unsigned char *bytes = mapseal_address(seal);

	(void)data;
	expect_eq(mapseal_enter(seal), 0);
	bytes[0] = 'i';
	cue(channel, "inside");
	cue_wait(channel, "recalled");
	await_state(seal, MAPSEAL_RECALLED);
	/* first touches, read and write, far from what read-ahead brought */
	for (size_t at = MiB; at < SIZE; at += MiB) {
		expect_eq(bytes[at], rig_byte(1, at));
		bytes[at + 1] = 'i';
	}
	cue(channel, "served");
	cue_wait(channel, "leave");
	mapseal_exit(seal);
	expect_eq(mapseal_enter(seal), -ESTALE);
	cue_wait(channel, "end");
	mapseal_seal_free(seal);
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
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "returned");
	cue(channel, "broken");
	must(mapseal_break_end(brk));
	mapseal_close(m);
	return 0;
}

static int is_recalled(const struct mapseal_seal_info *info, void *data)
{
	*(bool *)data = strcmp(info->state, "recalled") == 0;
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor holding, breaking;
	bool recalled = false;
	struct mapseal *m;
	char word;

	rig_start_file(rig, path, "deadline-ms = 60000\nhard-ms = 60000\n");
	m = client(0);
	change_watch(m);

	holding = actor_start(holder, NULL);
	cue_wait(holding.channel, "inside");
	breaking = actor_start(breaker, NULL);
	change_wait(m, "recalled");
	must(mapseal_list_seals(m, 0, is_recalled, &recalled));
	expect(recalled);

	cue(holding.channel, "recalled");
	cue_wait(holding.channel, "served");
	expect(recv(breaking.channel, &word, 1, MSG_DONTWAIT | MSG_PEEK) < 0);
	cue(holding.channel, "leave");
	cue_wait(breaking.channel, "broken");
	cue(holding.channel, "end");
	actor_join(&holding);
	actor_join(&breaking);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
