/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A transparent holder reads all of its window again and again, page by page, while a stranger
 * writes the same range, each time from one end to the other with another byte. The holder is
 * parked, and granted the window again when the write is over: so what it finds on its way
 * through is never older than what it found before, which it would be if a write were still
 * under way. What was written last is there in the end.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 4 * 1024 * 1024, PAGE = 4096, ROUNDS = 30 };

static int64_t deed_rounds(const struct deed *deed, int channel)
{
	unsigned char *bytes = malloc(SIZE);
	int fd = open(deed->path, O_WRONLY | O_CLOEXEC);

	(void)channel;
	expect(bytes && fd >= 0);
	for (int round = 1; round <= ROUNDS; round++) {
		memset(bytes, round, SIZE);
		expect_eq(pwrite(fd, bytes, SIZE, 0), SIZE);
	}
	free(bytes);
	close(fd);
	return ROUNDS;
}

static unsigned char look(const volatile unsigned char *bytes, unsigned char last)
{
	for (size_t i = 0; i < SIZE; i += PAGE) {
		unsigned char first = bytes[i], end = bytes[i + PAGE - 1];

		if (first < last || end < first)
			expect_failed(__FILE__, __LINE__, "at %zu: %d, %d after %d", i, first, end,
				      last);
		last = end;
	}
	return last;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, MAPSEAL_TRANSPARENT);
	const volatile unsigned char *bytes = mapseal_address(seal);
	unsigned char last = 0;
	char word[8];

	(void)data;
	cue(channel, "holding");
	while (recv(channel, word, sizeof(word), MSG_DONTWAIT) < 0)
		last = look(bytes, last);
	expect_eq(look(bytes, ROUNDS), ROUNDS);
	await_state(seal, MAPSEAL_HELD);
	expect(mapseal_seq(seal) > 1);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	const struct deed rounds = { "rounds", deed_rounds, 0, 0, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct actor reader, stranger;
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	expect(fd >= 0 && ftruncate(fd, SIZE) == 0);
	close(fd);
	rig_start_file(rig, path, "kernel-faults = uid:%d\nsettle-ms = 60000\n", RIG_UID);
	reader = actor_start(holder, NULL);
	cue_wait(reader.channel, "holding");
	stranger = stranger_start(&rounds, path);
	expect_eq(stranger_end(&stranger), ROUNDS);
	cue(reader.channel, "done");
	actor_join(&reader);
	rig_free(rig);
	return 0;
}
