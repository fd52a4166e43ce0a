/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program that has never heard of seals truncates a file on DAX while its holder writes it, through MAP_SYNC: it is
 * held until the holder has persisted what it wrote and returned the seal, and goes on then.
 */

#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/direct.h"

enum { SIZE = 1024 * 1024, CUT = 512 * 1024, SEED = 9 };

struct writing {
	const char *path;
	struct mapseal_seal *seal;
	size_t done;
	bool recalled;
};

static off_t size_of(const char *path)
{
	struct stat st;

	expect(stat(path, &st) == 0);
	return st.st_size;
}

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	struct writing *writing = data;

	(void)recall;
	expect_eq(size_of(writing->path), SIZE);
	must(mapseal_persist(writing->seal, mapseal_address(writing->seal), writing->done));
	writing->recalled = true;
	return MAPSEAL_RETURN;
}

/* Goes round and round, until it is asked to stop. */
static int holder(int channel, void *data)
{
	struct writing writing = { .path = data };
	struct mapseal *m = direct_client();
	unsigned char *bytes;

	writing.seal = hold_direct(m, "file", MAPSEAL_WRITE, 0, on_recall, &writing);
	bytes = mapseal_address(writing.seal);
	expect(mapseal_is_pmem(writing.seal));
	for (int round = 0; !writing.recalled; round++) {
		for (size_t at = 0; at < SIZE && !writing.recalled; at += 4096) {
			expect_eq(mapseal_enter(writing.seal), 0);
			rig_fill(bytes + at, at, 4096, SEED);
			mapseal_exit(writing.seal);
			if (round == 0)
				writing.done = at + 4096;
			must(mapseal_dispatch(m));
		}
		if (round == 0)
			cue(channel, "written");
	}
	direct_await(m, MAPSEAL_EVENT_RETURNED, 1);
	cue(channel, "returned");
	mapseal_seal_free(writing.seal);
	mapseal_close(m);
	return 0;
}

static void test(struct rig *rig, const char *disk)
{
	const char *path = direct_file(rig, disk, "file", SIZE, 1);
	struct actor actor;

	rig_start(rig, "[export file]\npath = %s\nread = *\nwrite = *\n", path);
	actor = actor_start(holder, (void *)(uintptr_t)path);
	cue_wait(actor.channel, "written");
	expect(truncate(path, CUT) == 0);
	cue_wait(actor.channel, "returned");
	expect_eq(size_of(path), CUT);
	rig_file_is(path, CUT, SEED, 0, 0, 0);
	actor_join(&actor);
}

int main(void)
{
	direct_each(test);
	return 0;
}
