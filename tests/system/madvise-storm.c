/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder whose threads storm madvise(MADV_DONTNEED) keeps write-protection from ever completing. It is fenced by the
 * deadline all the same, and the account says torn-possible, or fenced if the storm had a gap.
 */

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024, THREADS = 4 };

static void *storm(void *page)
{
	for (;;)
		madvise(page, 4096, MADV_DONTNEED);
	return NULL;
}

static int holder(int channel, void *data)
{
	pthread_t threads[THREADS];
	unsigned char *bytes;
	struct raw raw;

	(void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_WRITE);
	bytes = raw_map(&raw);
	memset(bytes + 131072, 's', 4096);
	for (int i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, storm, bytes + i * 4096) == 0);
	cue(channel, "storming");
	cue_wait(channel, "end");
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;

	rig_start_file(rig, path, "deadline-ms = 200\nhard-ms = 1000\nfence-ms = 300\n");
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "storming");
	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect(strcmp(account->fence, "torn-possible") == 0 || strcmp(account->fence, "fenced") == 0);
	printf("fence: %s after %u ms\n", account->fence, account->ms);
	mapseal_break_end(brk);

	/* What was written before is not lost, and what was not written is untouched. */
	rig_file_is(path, SIZE, 1, 131072, 4096, 's');
	actor_kill(&actor, SIGKILL);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
