/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A cooperative breaker truncates: the holder is asked, the blocks are as promised until it has
 * returned, and a thread that comes late parks while the breaker has the range. The seal is asked
 * for again and the thread goes on, with what is there then; where the file has been cut off it
 * gets SIGBUS.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/direct.h"

enum { SIZE = 1024 * 1024, CUT = 512 * 1024 };

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	int *asked = data;

	(void)recall;
	__atomic_fetch_add(asked, 1, __ATOMIC_SEQ_CST);
	return MAPSEAL_RETURN;
}

static void *touch(void *data)
{
	volatile unsigned char *byte = data;

	*byte = 'z';
	return NULL;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = direct_client();
	struct mapseal_seal *seal;
	unsigned char *bytes;
	pthread_t thread;
	uint64_t id;
	int asked = 0;

	(void)data;
	seal = hold_direct(m, "file", MAPSEAL_WRITE, 0, on_recall, &asked);
	bytes = mapseal_address(seal);
	id = mapseal_id(seal);
	cue(channel, "holding");
	direct_await(m, MAPSEAL_EVENT_RETURNED, 1);
	expect_eq(asked, 1);
	expect_eq(mapseal_enter(seal), -ESTALE);
	expect_eq(mapseal_seal_state(seal), MAPSEAL_RETURNED);
	/* late, and while the breaker holds the range */
	expect(pthread_create(&thread, NULL, touch, bytes + 4096) == 0);
	cue(channel, "returned");
	direct_await(m, MAPSEAL_EVENT_REGRANTED, 1);
	expect(pthread_join(thread, NULL) == 0);
	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	expect(mapseal_id(seal) != id);
	expect_eq(mapseal_enter(seal), 0);
	expect_eq(bytes[4096], 'z');
	expect_eq(bytes[4097], 0);
	expect(rig_same(bytes + 8192, 8192, SIZE - 8192, 1));
	mapseal_exit(seal);
	cue(channel, "again");

	/* cut off: what was returned can't be had any more */
	direct_await(m, MAPSEAL_EVENT_RETURNED, 2);
	expect_eq(asked, 2);
	expect(rig_same(bytes + 8192, 8192, CUT - 8192, 1));
	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	expect(mapseal_enter(seal) == 0);
	mapseal_exit(seal);
	cue(channel, "cut");
	cue_wait(channel, "over");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

/* The library's own thread asks, since this one waits. */
static int late(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold_direct(m, "file", MAPSEAL_READ, 0, NULL, NULL);

	(void)data;
	must(mapseal_return(seal, CUT, SIZE - CUT, 0));
	cue(channel, "returned");
	cue_wait(channel, "cut");
	expect(touch_is_sigbus((unsigned char *)mapseal_address(seal) + CUT));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void test(struct rig *rig, const char *disk)
{
	const char *path = direct_file(rig, disk, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct blocks during, after;
	struct mapseal_break *brk;
	struct actor actor, other;
	struct mapseal *m;

	rig_start_file(rig, path, NULL);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "holding");
	blocks_read(path, &during);
	m = client(0);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "returned");
	expect_str(account->fence, "none");
	blocks_read(path, &after);
	expect(blocks_same(&during, &after));
	cue_wait(actor.channel, "returned");
	punch(path, 4096, 4096);
	must(mapseal_break_end(brk));
	cue_wait(actor.channel, "again");
	blocks_read(path, &after);
	for (unsigned int i = 0; i < after.n; i++)
		expect_eq(after.v[i].flags, 0);

	other = actor_start(late, NULL);
	cue_wait(other.channel, "returned");
	brk = break_range(m, "file", CUT, 0, MAPSEAL_BREAK_HOLD);
	expect(truncate(path, CUT) == 0);
	must(mapseal_break_end(brk));
	cue_wait(actor.channel, "cut");
	cue(other.channel, "cut");
	actor_join(&other);
	cue(actor.channel, "over");
	actor_join(&actor);
	mapseal_close(m);
}

int main(void)
{
	direct_each(test);
	return 0;
}
