/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One session may hold the file itself and a READ window of it, not a WRITE window. Other sessions
 * share DIRECT seals with it, and a WRITE window of theirs asks for it back. A seal of part of a
 * file promises that part, and what is returned of it is promised no more.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/direct.h"

enum { SIZE = 256 * 1024, HALF = SIZE / 2 };

static int holder(int channel, void *data)
{
	struct mapseal_request request = direct_request("file", MAPSEAL_WRITE);
	struct mapseal *m = direct_client();
	struct mapseal_seal *direct = hold_direct(m, "file", MAPSEAL_READ, 0, NULL, NULL);
	struct mapseal_seal *window = hold(m, "file", 0, 0, MAPSEAL_READ, 0), *none;
	struct mapseal_verified verified;

	(void)data;
	expect(rig_same(mapseal_address(direct), 0, SIZE, 1));
	expect(rig_same(mapseal_address(window), 0, SIZE, 1));
	request.kind = MAPSEAL_WINDOW;
	must_refuse(mapseal_acquire(m, &request, &none), EDEADLK);
	mapseal_seal_free(window);

	/* the lower half goes back, and its blocks are anybody's */
	must(mapseal_return(direct, 0, HALF, 0));
	expect(rig_same((unsigned char *)mapseal_address(direct) + HALF, HALF, HALF, 1));
	cue_number(channel, mapseal_id(direct));
	cue_wait(channel, "punched");
	must(mapseal_verify(m, mapseal_id(direct), NULL, NULL, &verified));
	expect_eq(verified.differences, 0);
	cue(channel, "verified");
	direct_await(m, MAPSEAL_EVENT_RETURNED, 1);
	expect_eq(mapseal_seal_state(direct), MAPSEAL_RETURNED);
	mapseal_seal_free(direct);
	mapseal_close(m);
	return 0;
}

static int sharer(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold_direct(m, "file", MAPSEAL_WRITE,
						MAPSEAL_NO_WAIT, NULL, NULL);

	(void)channel, (void)data;
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int writer(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);

	(void)channel, (void)data;
	((unsigned char *)mapseal_address(seal))[HALF] = 'w';
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void test(struct rig *rig, const char *disk)
{
	const char *path = direct_file(rig, disk, "file", SIZE, 1);
	struct actor actor, other;
	struct mapseal_break *brk;
	struct mapseal *m;
	struct blocks blocks;
	uint64_t id;

	rig_start_file(rig, path, NULL);
	actor = actor_start(holder, NULL);
	id = cue_wait_number(actor.channel);
	m = client(0);
	blocks_promised(m, id, &blocks);
	expect_eq(blocks.v[0].offset, HALF);
	brk = break_range(m, "file", 0, HALF, MAPSEAL_BREAK_NO_WAIT | MAPSEAL_BREAK_HOLD);
	punch(path, 0, HALF);
	must(mapseal_break_end(brk));
	cue(actor.channel, "punched");
	cue_wait(actor.channel, "verified");
	other = actor_start(sharer, NULL);
	actor_join(&other);
	other = actor_start(writer, NULL);
	actor_join(&other);
	actor_join(&actor);
	mapseal_close(m);
}

int main(void)
{
	direct_each(test);
	return 0;
}
