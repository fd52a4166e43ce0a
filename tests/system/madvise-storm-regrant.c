/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A WRITE window is granted again after a stranger made the file long again, and a page of it that
 * gave SIGBUS meanwhile would have to be mapped, which its holder's threads keep from happening:
 * they storm madvise(MADV_DONTNEED). A stranger that reads the file then is held for what the
 * holder has written, and behind that; it goes on all the same.
 */

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/system/raw.h"
#include "tests/system/stranger.h"

enum { SHORTER = 128 * 1024, SIZE = 256 * 1024, PAST = 192 * 1024, PAGE = 4096, THREADS = 16 };

static sigjmp_buf out;

static void on_sigbus(int signal)
{
	siglongjmp(out, signal);
}

static void *storm(void *page)
{
	for (;;)
		madvise(page, PAGE, MADV_DONTNEED);
	return NULL;
}

static void granted_again(struct raw *raw)
{
	unsigned int type;

	do
		type = raw_receive(raw);
	while (type && type != PROTO_REGRANTED);
	expect_eq(type, PROTO_REGRANTED);
}

static int holder(int channel, void *data)
{
	pthread_t threads[THREADS];
	volatile unsigned char *past;
	unsigned char *bytes;
	struct raw raw;

	(void)data;
	raw_hello(&raw);
	raw_attach(&raw);
	raw_acquire(&raw, "file", 0, SIZE, PROTO_MODE_WRITE, PROTO_ACQUIRE_REVOKE_PARK);
	bytes = raw_map(&raw);
	past = bytes + PAST;
	cue(channel, "holding");
	granted_again(&raw);
	signal(SIGBUS, on_sigbus);
	if (sigsetjmp(out, 1) == 0)
		expect_failed(__FILE__, __LINE__, "read %u past the end", *past);
	for (int i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, storm, bytes + i * PAGE) == 0);
	cue(channel, "storming");
	granted_again(&raw);
	cue(channel, "granted again");
	cue_wait(channel, "end");
	return 0;
}

int main(void)
{
	const struct deed shrink = { "shrink", deed_truncate, SHORTER, 0, NULL };
	const struct deed grow = { "grow", deed_truncate, SIZE, 0, NULL };
	const struct deed read = { "read", deed_read, 0, 1, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	const unsigned char first = file_byte(path, 0);
	struct actor actor;

	rig_start_file(rig, path, SHORT "fence-ms = 300\n");
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "holding");
	stranger_goes_on(&shrink, path, 0);
	cue_wait(actor.channel, "storming");
	stranger_goes_on(&grow, path, 0);
	cue_wait(actor.channel, "granted again");
	stranger_goes_on(&read, path, first);
	actor_kill(&actor, SIGKILL);
	rig_free(rig);
	return 0;
}
