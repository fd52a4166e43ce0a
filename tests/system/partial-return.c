/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Returning the middle of a seal lets the breaker of that part go on; both halves stay held, keep their
 * bytes and can still be committed.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 3 * 1024 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	unsigned char *bytes = mapseal_address(seal);

	(void)data;
	cue(channel, "held");
	cue_wait(channel, "broken");
	/* The agent returned what was asked for, the middle; the rest is as before. */
	await_state(seal, MAPSEAL_HELD);
	expect(touch_is_sigbus(bytes + MiB));
	expect_eq(mapseal_enter(seal), 0);
	bytes[0] = 'l';
	bytes[2 * MiB] = 'h';
	mapseal_exit(seal);
	must_refuse(mapseal_commit(seal, 0, SIZE), ESTALE);
	must(mapseal_commit(seal, 0, MiB));
	must(mapseal_commit(seal, 2 * MiB, MiB));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int count(const struct mapseal_seal_info *info, void *data)
{
	expect_str(info->state, "held");
	expect_eq(info->length, MiB);
	expect(info->offset == 0 || info->offset == 2 * MiB);
	++*(int *)data;
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	unsigned char byte;
	struct actor actor;
	struct mapseal *m;
	int fd, seals = 0;

	rig_start_file(rig, path, NULL);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "held");

	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", MiB, MiB, MAPSEAL_BREAK_HOLD);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "returned");
	must(mapseal_list_seals(m, 0, count, &seals));
	expect_eq(seals, 2);
	cue(actor.channel, "broken");
	actor_join(&actor);
	must(mapseal_break_end(brk));

	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect(pread(fd, &byte, 1, 0) == 1 && byte == 'l');
	expect(pread(fd, &byte, 1, 2 * MiB) == 1 && byte == 'h');
	expect(pread(fd, &byte, 1, MiB) == 1 && byte == rig_byte(1, MiB));
	close(fd);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
