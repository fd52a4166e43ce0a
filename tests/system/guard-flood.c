/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two hundred strangers at once, each of them held. Some are killed, and all others go on when the
 * holder has given the range back.
 */

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/stranger.h"

enum { STRANGERS = 200, KILLED_EACH = 10, PAGE = 4096, SIZE = STRANGERS * PAGE };

static int began;

static void on_change(const struct mapseal_change *change, void *data)
{
	(void)data;
	began += strcmp(change->change, "break-began") == 0;
}

int main(void)
{
	const struct keeping reading = { .mode = MAPSEAL_READ, .guard = MAPSEAL_GUARD_FANOTIFY };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct pollfd poll_fd = { .events = POLLIN };
	struct actor keeper, strangers[STRANGERS];
	struct mapseal *m;

	rig_start_file(rig, path, PATIENT);
	m = client(0);
	poll_fd.fd = mapseal_get_fd(m);
	must(mapseal_watch(m, on_change, NULL));
	keeper = keeper_start(&reading);
	for (int i = 0; i < STRANGERS; i++) {
		struct deed write = { "pwrite", deed_write, (uint64_t)i * PAGE, PAGE, NULL };

		strangers[i] = stranger_start(&write, path);
	}
	while (began < STRANGERS) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
	mapseal_close(m);
	cue_wait(keeper.channel, "recalled");
	for (int i = 0; i < STRANGERS; i++) {
		expect(stranger_is_held(&strangers[i]));
		if (i % KILLED_EACH == 0)
			actor_kill(&strangers[i], SIGKILL);
	}
	keeper_does(&keeper, "old");
	keeper_does(&keeper, "return");
	for (int i = 0; i < STRANGERS; i++)
		if (i % KILLED_EACH != 0)
			expect_eq(stranger_end(&strangers[i]), PAGE);
	for (uint64_t i = 0; i < STRANGERS; i++)
		expect_eq(file_byte(path, i * PAGE),
			  i % KILLED_EACH ? 'n' : rig_byte(1, i * PAGE));
	keeper_end(&keeper);
	rig_free(rig);
	return 0;
}
