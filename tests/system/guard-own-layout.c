/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder that is held itself. Its own truncation, through a descriptor of its own, contradicts
 * what it was promised: ETXTBSY. Its own write under its own READ window is the end of that
 * promise: the window is fenced at once, since nobody is there to give it back, the write goes
 * on, and what the window shows afterwards are the new bytes.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, AT = 64 * 1024 };

static int parked, asked;

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	parked += event->type == MAPSEAL_EVENT_PARKED;
}

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)recall, (void)data;
	asked++;
	return MAPSEAL_LATER;
}

/* It has one thread, which can't answer while it is held. */
static int holder(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event };
	const volatile unsigned char *bytes;
	struct mapseal_seal *seal;
	struct mapseal *m;
	int fd;

	(void)channel;
	must(mapseal_connect(&options, &m));
	seal = hold_with(m, "file", 0, 0, MAPSEAL_READ, 0, on_recall, NULL);
	bytes = mapseal_address(seal);
	expect(rig_same(bytes, 0, SIZE, 1));
	fd = open(data, O_RDWR | O_CLOEXEC);
	expect(fd >= 0);
	expect(ftruncate(fd, AT) < 0 && errno == ETXTBSY);
	expect(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, AT, 4096) < 0 &&
	       errno == ETXTBSY);
	must(mapseal_dispatch(m));
	expect_eq(parked, 0);
	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	file_is(data, SIZE, 1);

	expect_eq(pwrite(fd, "n", 1, AT), 1);
	/* parks here until the range was granted again, without anybody's help */
	expect_eq(bytes[AT], 'n');
	expect(rig_same(bytes, 0, AT, 1));
	expect(rig_same(bytes + AT + 1, AT + 1, SIZE - AT - 1, 1));
	while (!parked || mapseal_seal_state(seal) != MAPSEAL_HELD)
		must(mapseal_dispatch(m));
	expect_eq(asked, 0);
	close(fd);
	mapseal_seal_free(seal);
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
