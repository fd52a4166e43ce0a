/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder whose threads storm madvise(MADV_DONTNEED), so that its pages can't be write-protected, asks
 * for a commit, and a stranger reads the file. The stranger is held for what the holder has written,
 * and behind the commit, and gets to see it; the commit is done. What the holder writes after that
 * is not lost either: the pages count as written still.
 */

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/system/raw.h"
#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, AT = 128 * 1024, LENGTH = 4096, THREADS = 16 };

static void *storm(void *page)
{
	for (;;)
		madvise(page, LENGTH, MADV_DONTNEED);
	return NULL;
}

static int holder(int channel, void *data)
{
	struct proto_message commit = { .type = PROTO_COMMIT };
	pthread_t threads[THREADS];
	unsigned char *bytes;
	struct raw raw;

	(void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_WRITE);
	commit.commit.seal = raw.answer.granted.seal;
	commit.commit.length = SIZE;
	bytes = raw_map(&raw);
	memset(bytes + AT, 's', LENGTH);
	for (int i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, storm, bytes + i * LENGTH) == 0);
	raw_send(&raw, &commit, NULL, 0);
	cue(channel, "storming");
	expect_eq(raw_receive(&raw), PROTO_DONE);
	cue(channel, "committed");
	cue_wait(channel, "go on");
	memset(bytes + AT, 't', LENGTH);
	cue(channel, "written");
	cue_wait(channel, "end");
	return 0;
}

int main(void)
{
	const struct deed read = { "read", deed_read, AT, 1, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct actor actor;

	rig_start_file(rig, path, PATIENT);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "storming");
	stranger_goes_on(&read, path, 's');
	cue_wait(actor.channel, "committed");
	cue(actor.channel, "go on");
	cue_wait(actor.channel, "written");
	stranger_goes_on(&read, path, 't');
	actor_kill(&actor, SIGKILL);
	rig_free(rig);
	return 0;
}
