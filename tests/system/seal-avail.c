/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * NO_WAIT is refused with TRY_LATER while a break holds the range, and says who is in the way; with WANT_AVAIL
 * an event follows when the range is free, and asking again then succeeds.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "tests/system/rig.h"

static bool is_available;

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	if (event->type == MAPSEAL_EVENT_AVAIL)
		is_available = true;
}

static int asker(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event };
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.mode = MAPSEAL_READ,
		.flags = MAPSEAL_NO_WAIT | MAPSEAL_WANT_AVAIL,
	};
	struct mapseal_seal *seal;
	struct pollfd poll_fd;
	struct mapseal *m;

	(void)data;
	must(mapseal_connect(&options, &m));
	must_refuse(mapseal_acquire(m, &request, &seal), EAGAIN);
	expect_str(mapseal_last_error()->code, "TRY_LATER");
	expect(strstr(mapseal_last_error()->text, "file") != NULL);
	/* without NO_WAIT too: a hold may be long, and may be waiting for the asker */
	request.flags = 0;
	must_refuse(mapseal_acquire(m, &request, &seal), EAGAIN);
	cue(channel, "refused");
	poll_fd = (struct pollfd){ .fd = mapseal_get_fd(m), .events = POLLIN };
	while (!is_available) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
	request.flags = MAPSEAL_NO_WAIT;
	must(mapseal_acquire(m, &request, &seal));
	expect(rig_same(mapseal_address(seal), 0, 4096, 1));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", 4096, 1);
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;

	rig_start_file(rig, path, NULL);
	m = client(0);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	actor = actor_start(asker, NULL);
	cue_wait(actor.channel, "refused");
	must(mapseal_break_end(brk));
	actor_join(&actor);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
