/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder of a WRITE window, of one thread, uses the file itself. Its read(2) sees what it
 * wrote by the window, and with PINNABLE, where that takes the window back, its window is fenced
 * and granted again: nobody is there to be asked. So it is for its write(2), also from inside of
 * mapseal_enter(): what it wrote by either way is there afterwards, and it still holds the seal.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024, PAGE = 4096 };

static int parked;

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	parked += event->type == MAPSEAL_EVENT_PARKED;
}

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)recall, (void)data;
	expect(!"asked");
	return MAPSEAL_RETURN;
}

static void use(struct mapseal *m, const char *path, unsigned int flags, bool inside)
{
	struct mapseal_seal *seal =
		hold_with(m, "file", 0, 0, MAPSEAL_WRITE, flags, on_recall, NULL);
	volatile unsigned char *bytes = mapseal_address(seal);
	int fd = open(path, O_RDWR | O_CLOEXEC), expected = flags & MAPSEAL_PINNABLE ? 2 : 1;
	unsigned char byte;

	printf("  flags %#x%s\n", flags, inside ? ", inside" : "");
	expect(fd >= 0);
	parked = 0;
	if (inside)
		expect_eq(mapseal_enter(seal), 0);
	bytes[0] = 'w';
	expect_eq(pread(fd, &byte, 1, 0), 1);
	expect_eq(byte, 'w');
	bytes[1] = 'x';
	expect_eq(pwrite(fd, "n", 1, PAGE), 1);
	expect_eq(bytes[PAGE], 'n');
	bytes[PAGE + 1] = 'y';
	expect_eq(pread(fd, &byte, 1, PAGE + 1), 1);
	expect_eq(byte, 'y');
	expected += (flags & MAPSEAL_PINNABLE) != 0;
	if (inside)
		mapseal_exit(seal);
	while (parked < expected || mapseal_seal_state(seal) != MAPSEAL_HELD)
		must(mapseal_dispatch(m));
	close(fd);
	expect_eq(bytes[0], 'w');
	expect_eq(bytes[1], 'x');
	mapseal_seal_free(seal);
	expect_eq(file_byte(path, 0), 'w');
	expect_eq(file_byte(path, 1), 'x');
	expect_eq(file_byte(path, PAGE), 'n');
	expect_eq(file_byte(path, PAGE + 1), 'y');
}

static int holder(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event };
	struct mapseal *m;

	(void)channel;
	must(mapseal_connect(&options, &m));
	use(m, data, 0, false);
	use(m, data, 0, true);
	use(m, data, MAPSEAL_PINNABLE, false);
	use(m, data, MAPSEAL_PINNABLE, true);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	char copy[256];
	struct actor actor;

	rig_start_file(rig, path, PATIENT);
	snprintf(copy, sizeof(copy), "%s", path);
	actor = actor_start(holder, copy);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
