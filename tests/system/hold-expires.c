/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A break hold that is not ended by its longest duration expires: the breaker is told and mapseal_break_end() says ESTALE;
 * who was waiting is served.
 */

#include <errno.h>
#include <poll.h>

#include "tests/system/rig.h"

static bool is_expired;

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	if (event->type == MAPSEAL_EVENT_BREAK_EXPIRED)
		is_expired = true;
}

static int reader(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, MAPSEAL_TRANSPARENT);
	const volatile unsigned char *bytes = mapseal_address(seal);

	(void)data;
	expect_eq(bytes[0], rig_byte(1, 0));
	cue(channel, "holding");
	cue_wait(channel, "held");
	expect_eq(bytes[0], rig_byte(1, 0)); /* parked until the hold expires */
	cue(channel, "served");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event };
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", 65536, 1);
	struct mapseal_break *brk;
	struct pollfd poll_fd;
	struct actor actor;
	struct mapseal *m;

	rig_start_file(rig, path, "hold-ms = 300\nkernel-faults = yes\n");
	actor = actor_start(reader, NULL);
	cue_wait(actor.channel, "holding");
	must(mapseal_connect(&options, &m));
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect_eq(mapseal_break_hold_ms(brk), 300);
	cue(actor.channel, "held");
	cue_wait(actor.channel, "served");
	actor_join(&actor);
	poll_fd = (struct pollfd){ .fd = mapseal_get_fd(m), .events = POLLIN };
	while (!is_expired) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
	must_refuse(mapseal_break_end(brk), ESTALE);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
