/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A breaker halves the file under a transparent reader: afterwards the reader sees the first half as before, SIGBUS
 * past the new end, as a plain mapping would give, and zeros between the end and its page's end. When another makes
 * the file as long as before, the reader sees all of it, and so does a writer.
 */

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "tests/system/rig.h"
#include "tests/touch.h"

enum { SIZE = 2 * 1024 * 1024, HALF = 1024 * 1024 + 10 };

/* The library's thread hears of it about when this one may go on. */
static void await_size(const struct mapseal_seal *seal, uint64_t size)
{
	while (mapseal_object_size(seal) != size)
		sched_yield();
}

/* The memory of a READ window ends where the file does, so there it is SIGBUS on old kernels too. */
static bool is_past_end(const volatile unsigned char *at, enum mapseal_mode mode)
{
	if (mode == MAPSEAL_READ && touch_may_park())
		return touch_elsewhere((volatile unsigned char *)at, false, 0, NULL) == TOUCH_BUS;
	return touch_is_sigbus(at);
}

static int holder(int channel, void *data)
{
	enum mapseal_mode mode = *(const enum mapseal_mode *)data;
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, mode, MAPSEAL_TRANSPARENT);
	const volatile unsigned char *bytes = mapseal_address(seal);

	expect(rig_same(bytes, 0, SIZE, 1));
	cue(channel, "read");
	cue_wait(channel, "truncated");
	expect(rig_same(bytes, 0, HALF, 1));
	expect_eq(bytes[HALF], 0);
	expect_eq(bytes[HALF / 4096 * 4096 + 4095], 0);
	for (size_t at = HALF / 4096 * 4096 + 4096; at < SIZE; at += 65536)
		expect(is_past_end(bytes + at, mode));
	await_size(seal, HALF);
	cue(channel, "bus");
	cue_wait(channel, "grown");
	expect(rig_same(bytes, 0, HALF, 1));
	expect(rig_same(bytes + HALF, HALF, SIZE - HALF, 2));
	await_size(seal, SIZE);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void grow(const char *path)
{
	static unsigned char bytes[SIZE];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	rig_fill(bytes, 0, SIZE, 2);
	expect_eq(pwrite(fd, bytes + HALF, SIZE - HALF, HALF), SIZE - HALF);
	close(fd);
}

static void shrink_and_grow(struct rig *rig, enum mapseal_mode mode)
{
	const char *path = rig_path(rig, mode == MAPSEAL_READ ? "read" : "write");
	struct actor actor = actor_start(holder, &mode);
	struct mapseal_break *brk;
	struct mapseal *m;

	cue_wait(actor.channel, "read");
	m = client(0);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect(truncate(path, HALF) == 0);
	must(mapseal_break_end(brk));
	cue(actor.channel, "truncated");
	cue_wait(actor.channel, "bus");
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	grow(path);
	must(mapseal_break_end(brk));
	cue(actor.channel, "grown");
	actor_join(&actor);
	mapseal_close(m);
}

int main(void)
{
	enum mapseal_mode modes[] = { MAPSEAL_READ, MAPSEAL_WRITE };

	for (int i = 0; i < 2; i++) {
		struct rig *rig = rig_new();
		const char *path = rig_file(rig, modes[i] == MAPSEAL_READ ? "read" : "write", SIZE, 1);

		rig_start_file(rig, path, "kernel-faults = yes\n");
		shrink_and_grow(rig, modes[i]);
		rig_free(rig);
	}
	return 0;
}
