/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two holders, each held in the kernel as it writes the other's file: neither could give anything
 * back, so both windows are fenced at once. Both writes go on, nobody is revoked, and both windows
 * show what the other one wrote.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024 };

struct party {
	const char *mine, *theirs;
	int channel;
};

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	const struct party *party = data;

	(void)recall;
	cue(party->channel, "recalled");
	return MAPSEAL_LATER; /* never */
}

static int holder(int channel, void *data)
{
	struct party *party = data;
	const volatile unsigned char *bytes;
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal;
	int fd;

	party->channel = channel;
	seal = hold_with(m, party->mine, 0, 0, MAPSEAL_READ, 0, on_recall, party);
	bytes = mapseal_address(seal);
	expect(rig_same(bytes, 0, SIZE, 1));
	cue(channel, "holding");
	cue_wait(channel, "write");
	/* not before it is sealed, or nobody would hear of what is done with it */
	fd = open(party->theirs, O_RDWR | O_CLOEXEC);
	expect(fd >= 0);
	expect_eq(pwrite(fd, "n", 1, 4096), 1);
	cue(channel, "written");
	cue_wait(channel, "look");
	expect_eq(bytes[4096], 'n');
	expect(rig_same(bytes, 0, 4096, 1));
	await_state(seal, MAPSEAL_HELD);
	close(fd);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = fanotify_rig();
	const char *path[2] = { common_file(rig, "one", SIZE, 1),
				common_file(rig, "two", SIZE, 1) };
	struct party party[2] = { { "one", path[1], -1 }, { "two", path[0], -1 } };
	struct actor actor[2];

	rig_start(rig,
		  "[defaults]\n" PATIENT "[export one]\npath = %s\nread = *\n"
		  "[export two]\npath = %s\nread = *\n",
		  path[0], path[1]);
	for (int i = 0; i < 2; i++) {
		actor[i] = actor_start(holder, &party[i]);
		cue_wait(actor[i].channel, "holding");
	}
	cue(actor[0].channel, "write");
	/* the first one is held now */
	heard_first(&actor[1], "recalled", &actor[0]);
	cue(actor[1].channel, "write");
	for (int i = 0; i < 2; i++)
		cue_wait(actor[i].channel, "written");
	for (int i = 0; i < 2; i++) {
		cue(actor[i].channel, "look");
		actor_join(&actor[i]);
	}
	rig_free(rig);
	return 0;
}
