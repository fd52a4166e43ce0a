/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A break goes on when READ windows that were recalled are said to be returned, before their pages are
 * gone. All the same, whoever acquires the range after the break sees what the breaker wrote, though
 * windows of the same range share memory.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { HOLDERS = 4, ROUNDS = 40, SIZE = 64 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);

	(void)data;
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);

		expect(rig_same(mapseal_address(seal), 0, SIZE, round));
		cue(channel, "held");
		await_state(seal, MAPSEAL_RETURNED);
		mapseal_seal_free(seal);
		cue_wait(channel, "again");
	}
	mapseal_close(m);
	return 0;
}

static void write_file(const char *path, unsigned int seed)
{
	unsigned char *bytes = malloc(SIZE);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	expect(bytes && fd >= 0);
	rig_fill(bytes, 0, SIZE, seed);
	expect_eq(pwrite(fd, bytes, SIZE, 0), SIZE);
	close(fd);
	free(bytes);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor actors[HOLDERS];
	struct mapseal *m;

	rig_start_file(rig, path, "min-hold-ms = 0\n");
	m = client(0);
	for (int i = 0; i < HOLDERS; i++)
		actors[i] = actor_start(holder, NULL);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		const struct mapseal_account *account;
		struct mapseal_break *brk;

		for (int i = 0; i < HOLDERS; i++)
			cue_wait(actors[i].channel, "held");
		brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
		expect_eq(mapseal_break_account(brk, &account), HOLDERS);
		write_file(path, round + 1);
		must(mapseal_break_end(brk));
		for (int i = 0; i < HOLDERS; i++)
			cue(actors[i].channel, "again");
	}
	for (int i = 0; i < HOLDERS; i++)
		actor_join(&actors[i]);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
