/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two holders of DIRECT seals, each held in the kernel as it changes the layout of the other's
 * file: a DIRECT seal can't be taken back without its holder, so the one who came later is told
 * EBUSY, and the other one goes on when it has got the seal back.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/direct.h"
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
	return MAPSEAL_LATER;
}

static int holder(int channel, void *data)
{
	struct party *party = data;
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal;
	int fd, r;

	party->channel = channel;
	seal = hold_direct(m, party->mine, MAPSEAL_WRITE, 0, on_recall, party);
	cue(channel, "holding");
	cue_wait(channel, "punch");
	/* not before it is sealed, or nobody would hear of what is done with it */
	fd = open(party->theirs, O_RDWR | O_CLOEXEC);
	expect(fd >= 0);
	r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096);
	cue_number(channel, r < 0 ? (uint64_t)errno : 0);
	cue_wait(channel, "end");
	must(mapseal_return(seal, 0, SIZE, 0));
	cue(channel, "returned");
	cue_wait(channel, "close");
	close(fd);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void test(struct rig *rig, const char *disk)
{
	const char *path[2] = { direct_file(rig, disk, "one", SIZE, 1),
				direct_file(rig, disk, "two", SIZE, 1) };
	struct party party[2] = { { "one", path[1], -1 }, { "two", path[0], -1 } };
	struct actor actor[2];

	for (int i = 0; i < 2; i++)
		expect(chmod(path[i], 0666) == 0);
	rig_start(rig,
		  "[defaults]\n" PATIENT "[export one]\npath = %s\nread = *\nwrite = *\n"
		  "[export two]\npath = %s\nread = *\nwrite = *\n",
		  path[0], path[1]);
	for (int i = 0; i < 2; i++) {
		actor[i] = actor_start(holder, &party[i]);
		cue_wait(actor[i].channel, "holding");
	}
	cue(actor[0].channel, "punch");
	heard_first(&actor[1], "recalled", &actor[0]);
	cue(actor[1].channel, "punch");
	expect_eq(cue_wait_number(actor[1].channel), EBUSY);
	file_is(path[0], SIZE, 1);
	expect(stranger_is_held(&actor[0]));
	cue(actor[1].channel, "end");
	cue_wait(actor[1].channel, "returned");
	expect_eq(cue_wait_number(actor[0].channel), 0);
	rig_file_is(path[1], SIZE, 1, 4096, 4096, 0);
	cue(actor[0].channel, "end");
	cue_wait(actor[0].channel, "returned");
	for (int i = 0; i < 2; i++) {
		cue(actor[i].channel, "close");
		actor_join(&actor[i]);
	}
}

int main(void)
{
	rig_free(fanotify_rig());
	direct_each(test);
	return 0;
}
