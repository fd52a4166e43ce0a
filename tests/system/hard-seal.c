/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * On an export with on-conflict = deny nobody is recalled: a break, and a conflicting acquire, get ETXTBSY
 * at once, told whose seal it is, and the holder hears nothing. Elsewhere that is a privilege of who has
 * CAP_LINUX_IMMUTABLE.
 */

#include <errno.h>
#include <string.h>

#include "tests/system/rig.h"

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)recall, (void)data;
	expect(!"recalled");
	return MAPSEAL_RETURN;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal =
		hold_with(m, "file", 0, 0, MAPSEAL_READ, 0, on_recall, NULL);

	(void)data;
	cue_number(channel, mapseal_id(seal));
	cue_wait(channel, "end");
	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	expect_eq(mapseal_seq(seal), 1);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int asks_for_it(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_request hard = { .size = sizeof(hard), .object = "soft", .fd = -1,
					.mode = MAPSEAL_READ, .flags = MAPSEAL_HARD };
	struct mapseal_seal *seal;

	(void)channel;
	if (*(bool *)data) {
		must(mapseal_acquire(m, &hard, &seal));
		mapseal_seal_free(seal);
	} else {
		must_refuse(mapseal_acquire(m, &hard, &seal), EACCES);
	}
	mapseal_close(m);
	return 0;
}

int main(void)
{
	bool privileged = true, not_so = false;
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", 65536, 1);
	struct mapseal_break_request layout = {
		.size = sizeof(layout), .object = "file", .fd = -1, .want = MAPSEAL_WANT_LAYOUT
	};
	struct mapseal_request write = {
		.size = sizeof(write), .object = "file", .fd = -1, .mode = MAPSEAL_WRITE
	};
	struct mapseal_break *brk = NULL;
	struct mapseal_seal *seal;
	struct actor actor;
	struct mapseal *m;
	char pid[32];
	uint64_t id;

	rig_start(rig,
		  "[export file]\npath = %s\nread = *\nwrite = *\non-conflict = deny\n"
		  "[export soft]\npath = %s\nread = *\n",
		  path, rig_file(rig, "soft", 65536, 2));
	actor = actor_start(holder, NULL);
	id = cue_wait_number(actor.channel);
	m = client(MAPSEAL_THREAD);
	must_refuse(mapseal_break_begin(m, &layout, &brk), ETXTBSY);
	expect_str(mapseal_break_outcome(brk), "denied");
	mapseal_break_end(brk);
	must_refuse(mapseal_acquire(m, &write, &seal), ETXTBSY);
	expect_eq(mapseal_last_error()->seal, id);
	expect_eq(mapseal_last_error()->pid, actor.pid);
	snprintf(pid, sizeof(pid), "%d", (int)actor.pid);
	expect(strstr(mapseal_last_error()->text, pid) != NULL);
	cue(actor.channel, "end");
	actor_join(&actor);
	mapseal_close(m);

	actor = actor_start(asks_for_it, &not_so);
	actor_join(&actor);
	actor = actor_start_as(0, 0, asks_for_it, &privileged);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
