/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * When memory is short, clean pages of windows are dropped, and come back when they are touched. Only if that is
 * not enough somebody is asked to keep fewer seals, and that is who has the most lent.
 */

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SEALS = 8, EACH = 64 * 1024 };

static uint32_t keep;

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	if (event->type == MAPSEAL_EVENT_RECALL_ANY)
		keep = event->keep;
}

static uint64_t pages_filled(struct mapseal *m)
{
	struct mapseal_status status;

	must(mapseal_get_status(m, &status));
	return status.pages_filled;
}

static int holder(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event };
	struct pollfd poll_fd = { .events = POLLIN };
	struct mapseal_seal *seals[SEALS];
	uint64_t filled;
	struct mapseal *m;

	(void)data;
	must(mapseal_connect(&options, &m));
	poll_fd.fd = mapseal_get_fd(m);
	for (unsigned int i = 0; i < SEALS; i++) {
		seals[i] = hold(m, "read", i * EACH, EACH, MAPSEAL_READ, 0);
		expect(rig_same(mapseal_address(seals[i]), i * EACH, EACH, 1));
	}
	filled = pages_filled(m);
	cue(channel, "clean");
	/* dropped at some time: then what is touched has to be filled again */
	while (pages_filled(m) == filled)
		for (unsigned int i = 0; i < SEALS; i++)
			expect(rig_same(mapseal_address(seals[i]), i * EACH, EACH, 1));
	must(mapseal_dispatch(m));
	expect_eq(keep, 0);
	for (unsigned int i = 0; i < SEALS; i++)
		mapseal_seal_free(seals[i]);

	for (unsigned int i = 0; i < SEALS; i++) {
		seals[i] = hold(m, "write", i * EACH, EACH, MAPSEAL_WRITE, 0);
		memset(mapseal_address(seals[i]), 'd', EACH);
	}
	cue(channel, "dirty");
	while (keep == 0) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
	expect_eq(keep, SEALS - SEALS / 4);
	for (unsigned int i = 0; i < SEALS; i++)
		expect_eq(((unsigned char *)mapseal_address(seals[i]))[EACH - 1], 'd');
	mapseal_close(m);
	return 0;
}

/* Has less, and is not asked. */
static int other(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event };
	struct mapseal *m;

	(void)data;
	must(mapseal_connect(&options, &m));
	for (unsigned int i = 0; i < 4; i++)
		hold(m, "read", i * 4096, 4096, MAPSEAL_READ, 0);
	cue(channel, "held");
	cue_wait(channel, "asked?");
	pages_filled(m);
	must(mapseal_dispatch(m));
	expect_eq(keep, 0);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *read_path = rig_file(rig, "read", SEALS * EACH, 1);
	const char *write_path = rig_file(rig, "write", SEALS * EACH, 2);
	const char *fifo = rig_path(rig, "pressure");
	struct actor actor, second;
	int fd;

	/* as a service manager says where to listen */
	expect(mkfifo(fifo, 0600) == 0);
	expect(setenv("MEMORY_PRESSURE_WATCH", fifo, 1) == 0);
	rig_start(rig,
		  "[defaults]\ndeadline-ms = 60000\nhard-ms = 60000\n"
		  "[export read]\npath = %s\nread = *\n"
		  "[export write]\npath = %s\nread = *\nwrite = *\n",
		  read_path, write_path);
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	expect(fd >= 0);
	second = actor_start_as(RIG_UID - 1, RIG_UID - 1, other, NULL);
	cue_wait(second.channel, "held");
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "clean");
	expect_eq(write(fd, "x", 1), 1);
	cue_wait(actor.channel, "dirty");
	expect_eq(write(fd, "x", 1), 1);
	actor_join(&actor);
	cue(second.channel, "asked?");
	actor_join(&second);
	close(fd);
	rig_free(rig);
	return 0;
}
