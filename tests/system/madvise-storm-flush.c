/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder whose threads storm madvise(MADV_DONTNEED), so that its pages can't be write-protected,
 * asks for many commits, and somebody is about to read the file. Who that is waits for what the
 * holder has written, behind the commits, and gets to see it; they are done, and not each a while
 * after the other. What the holder writes after that is not lost either: the pages count as written
 * still.
 */

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024, AT = 128 * 1024, LENGTH = 4096, THREADS = 16,
       COMMITS = 120 };

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
	for (int i = 0; i < COMMITS; i++)
		raw_send(&raw, &commit, NULL, 0);
	cue(channel, "storming");
	for (int i = 0; i < COMMITS; i++)
		expect_eq(raw_receive(&raw), PROTO_DONE);
	cue(channel, "committed");
	cue_wait(channel, "go on");
	memset(bytes + AT, 't', LENGTH);
	cue(channel, "written");
	cue_wait(channel, "end");
	return 0;
}

static void announced(struct mapseal *m, const char *path, unsigned char byte)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.length = SIZE,
		.want = MAPSEAL_WANT_READ,
	};
	struct mapseal_break *brk;

	must(mapseal_break_begin(m, &request, &brk));
	must(mapseal_break_end(brk));
	rig_file_is(path, SIZE, 1, AT, LENGTH, byte);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor actor;
	struct mapseal *m;

	rig_start_file(rig, path, "fence-ms = 300\n");
	m = client(MAPSEAL_THREAD);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "storming");
	announced(m, path, 's');
	cue_wait(actor.channel, "committed");
	cue(actor.channel, "go on");
	cue_wait(actor.channel, "written");
	announced(m, path, 't');
	actor_kill(&actor, SIGKILL);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
