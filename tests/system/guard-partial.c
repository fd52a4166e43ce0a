/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The middle of a seal was given back. What strangers do there passes, what they do to either half
 * is asked for, and only that half has to come back for it.
 */

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024, A = 16 * 1024, B = 32 * 1024, LENGTH = 4096 };

static int the_channel;

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)data;
	cue_number(the_channel, recall->offset);
	return MAPSEAL_RETURN;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal =
		hold_with(m, "file", 0, 0, MAPSEAL_READ, 0, on_recall, NULL);

	(void)data;
	the_channel = channel;
	must(mapseal_return(seal, A, B - A, 0));
	cue(channel, "split");
	cue_wait(channel, "end");
	await_state(seal, MAPSEAL_HELD); /* its return is acknowledged after the stranger went on */
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	const struct deed between = { "pwrite", deed_write, A, B - A, NULL };
	const struct deed upper = { "pwrite", deed_write, B, LENGTH, NULL };
	const struct deed cut = { "truncate", deed_truncate, B + LENGTH, 0, NULL };
	const struct deed again = { "pwrite", deed_write, B, 1, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct actor actor, stranger;

	rig_start_file(rig, path, PATIENT);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "split");
	stranger_goes_on(&between, path, B - A);
	expect(stranger_is_held(&actor)); /* it has heard nothing */
	stranger = stranger_start(&upper, path);
	expect_eq(cue_wait_number(actor.channel), B);
	expect_eq(stranger_end(&stranger), LENGTH);
	stranger = stranger_start(&cut, path);
	expect_eq(cue_wait_number(actor.channel), B + LENGTH);
	expect_eq(stranger_end(&stranger), 0);
	stranger_goes_on(&again, path, 1);
	expect(stranger_is_held(&actor));
	cue(actor.channel, "end");
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
