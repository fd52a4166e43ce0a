/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who sees whose seals: root all of them; a user its own and those on objects that it proved access to on this
 * connection; nobody else's. A refusal does not name the holder to somebody who may not know.
 */

#include <string.h>

#include "tests/system/rig.h"

static int count(const struct mapseal_seal_info *info, void *data)
{
	expect(info->pid > 0);
	++*(int *)data;
	return 0;
}

static int seen(struct mapseal *m)
{
	int n = 0;

	must(mapseal_list_seals(m, 0, count, &n));
	return n;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *one = hold(m, "one", 0, 0, MAPSEAL_READ, 0);
	struct mapseal_seal *two = hold(m, "two", 0, 0, MAPSEAL_READ, 0);

	(void)data;
	expect_eq(seen(m), 2);
	cue(channel, "holding");
	cue_wait(channel, "end");
	mapseal_seal_free(one);
	mapseal_seal_free(two);
	mapseal_close(m);
	return 0;
}

static int other(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal;

	(void)channel, (void)data;
	expect_eq(seen(m), 0);
	seal = hold(m, "one", 0, 4096, MAPSEAL_READ, 0);
	expect_eq(seen(m), 2); /* its own, and the one beside it */
	mapseal_seal_free(seal);
	mapseal_close(m);
	m = client(MAPSEAL_THREAD);
	expect_eq(seen(m), 0);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *one = rig_file(rig, "one", 65536, 1), *two = rig_file(rig, "two", 65536, 2);
	struct actor holding, looking;
	struct mapseal *m;

	rig_start(rig, "[export one]\npath = %s\nread = *\n[export two]\npath = %s\nread = *\n", one,
		  two);
	holding = actor_start(holder, NULL);
	cue_wait(holding.channel, "holding");
	looking = actor_start_as(RIG_UID - 1, RIG_UID - 1, other, NULL);
	actor_join(&looking);
	m = client(0);
	expect_eq(seen(m), 2);
	mapseal_close(m);
	cue(holding.channel, "end");
	actor_join(&holding);
	rig_free(rig);
	return 0;
}
