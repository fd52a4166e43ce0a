/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A breaker says whether data may still be written through the mapping before it is returned, and the holder's
 * handler hears what it said.
 */

#include <string.h>

#include "tests/system/rig.h"

enum { SIZE = 64 * 1024 };

static enum mapseal_verdict tell(struct mapseal_recall *recall, void *data)
{
	int channel = *(int *)data;

	expect_eq(recall->offset, 4096);
	expect_eq(recall->length, 8192);
	cue(channel, recall->map_will_change ? "will change" : "may be written");
	recall->whole = true;
	return MAPSEAL_RETURN;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal =
		hold_with(m, "file", 0, 0, MAPSEAL_WRITE, 0, tell, &channel);

	(void)data;
	cue(channel, "held");
	await_state(seal, MAPSEAL_RETURNED);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct mapseal *m;

	rig_start_file(rig, path, NULL);
	m = client(0);
	for (int i = 0; i < 2; i++) {
		struct actor actor = actor_start(holder, NULL);

		cue_wait(actor.channel, "held");
		mapseal_break_end(break_range(m, "file", 4096, 8192,
					      i ? MAPSEAL_BREAK_MAP_WILL_CHANGE : 0));
		cue_wait(actor.channel, i ? "will change" : "may be written");
		actor_join(&actor);
	}
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
