/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Of two readers that share memory one leaves, in order or by dying. The other's populated pages stay there for
 * its system calls, without kernel-faults. When a break has taken the range from that one too, nobody
 * reads the old bytes any more: neither the mapping nor the descriptor that the first one kept shows them,
 * and who comes later reads the new ones.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024, PAGE = 4096 };

static int stayer(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, data, 0, 0, MAPSEAL_READ, 0);
	const unsigned char *bytes = mapseal_address(seal);
	unsigned char copy[PAGE];
	int pipe_fds[2];

	expect(pipe(pipe_fds) == 0);
	must(mapseal_populate(seal, 0, SIZE, MAPSEAL_READ));
	cue(channel, "populated");
	cue_wait(channel, "left");
	expect_eq(mapseal_enter(seal), 0);
	for (size_t at = 0; at < SIZE; at += PAGE) {
		expect_eq(write(pipe_fds[1], bytes + at, PAGE), PAGE);
		expect_eq(read(pipe_fds[0], copy, PAGE), PAGE);
		expect(rig_same(copy, at, PAGE, 1));
	}
	mapseal_exit(seal);
	cue(channel, "still here");
	/* it is told so when the pages are gone, which a breaker need not wait for */
	await_state(seal, MAPSEAL_RETURNED);
	cue(channel, "given back");
	cue_wait(channel, "end");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int leaver(int channel, void *data)
{
	static unsigned char bytes[SIZE], nothing[SIZE];
	const unsigned char *window;
	struct proto_message message;
	struct raw raw;
	int memory;

	raw_hold(&raw, data, SIZE, PROTO_MODE_READ);
	message = raw_returning(&raw);
	window = raw_map(&raw);
	memory = raw.fds[0];
	expect(rig_same(window, 0, SIZE / 2, 1));
	cue(channel, "read");
	cue_wait(channel, "leave");
	expect_eq(raw_call(&raw, &message, -1), PROTO_RETURNED);
	cue(channel, "returned");
	cue_wait(channel, "broken");
	/* emptied, and cut off when the last window of it was closed */
	expect(pread(memory, bytes, SIZE, 0) >= 0);
	expect(memcmp(bytes, nothing, SIZE) == 0);
	for (size_t at = 0; at < SIZE; at += PAGE)
		expect(touch_is_sigbus(window + at));
	return 0;
}

static void overwrite(const char *path)
{
	static unsigned char bytes[SIZE];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	rig_fill(bytes, 0, SIZE, 2);
	expect_eq(pwrite(fd, bytes, SIZE, 0), SIZE);
	close(fd);
}

static void leaves(char *name, const char *path, bool dies)
{
	struct mapseal_break *brk;
	struct actor stays, goes;
	struct mapseal_seal *seal;
	struct mapseal *m;

	stays = actor_start(stayer, name);
	cue_wait(stays.channel, "populated");
	goes = actor_start(leaver, name);
	cue_wait(goes.channel, "read");
	if (dies) {
		m = client(0);
		change_watch(m);
		actor_kill(&goes, SIGKILL);
		change_wait(m, "ended");
		mapseal_close(m);
	} else {
		cue(goes.channel, "leave");
		cue_wait(goes.channel, "returned");
	}
	cue(stays.channel, "left");
	cue_wait(stays.channel, "still here");
	m = client(0);
	brk = break_range(m, name, 0, 0, MAPSEAL_BREAK_HOLD);
	cue_wait(stays.channel, "given back");
	if (!dies) {
		cue(goes.channel, "broken");
		actor_join(&goes);
	}
	overwrite(path);
	must(mapseal_break_end(brk));
	seal = hold(m, name, 0, 0, MAPSEAL_READ, 0);
	expect(rig_same(mapseal_address(seal), 0, SIZE, 2));
	mapseal_seal_free(seal);
	mapseal_close(m);
	cue(stays.channel, "end");
	actor_join(&stays);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *a = rig_file(rig, "a", SIZE, 1), *b = rig_file(rig, "b", SIZE, 1);
	char returned[] = "returned", dead[] = "dead";

	rig_start(rig,
		  "[export returned]\npath = %s\nread = *\nwrite = *\n"
		  "[export dead]\npath = %s\nread = *\nwrite = *\n",
		  a, b);
	leaves(returned, a, false);
	leaves(dead, b, true);
	rig_free(rig);
	return 0;
}
