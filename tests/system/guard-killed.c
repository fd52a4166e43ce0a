/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A stranger is killed while it is held: its break is withdrawn. The holder keeps what it has, and
 * who comes next is held and let go as if nothing had been.
 */

#include <poll.h>
#include <signal.h>
#include <string.h>

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024, LENGTH = 4096 };

static bool is_withdrawn;

static void on_change(const struct mapseal_change *change, void *data)
{
	(void)data;
	if (strcmp(change->change, "break-ended") != 0)
		return;
	expect_str(change->detail, "withdrawn");
	is_withdrawn = true;
}

static int list(const struct mapseal_break_info *info, void *data)
{
	(void)info;
	++*(int *)data;
	return 0;
}

static int count_breaks(void)
{
	struct mapseal *m = client(0);
	int n = 0;

	must(mapseal_list_breaks(m, 0, list, &n));
	mapseal_close(m);
	return n;
}

int main(void)
{
	const struct keeping reading = { .mode = MAPSEAL_READ, .guard = MAPSEAL_GUARD_FANOTIFY };
	const struct deed write = { "pwrite", deed_write, 0, LENGTH, NULL };
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	struct pollfd poll_fd = { .events = POLLIN };
	struct actor keeper, stranger;
	struct mapseal *m;

	rig_start_file(rig, path, PATIENT);
	m = client(0);
	poll_fd.fd = mapseal_get_fd(m);
	must(mapseal_watch(m, on_change, NULL));
	keeper = keeper_start(&reading);
	stranger = stranger_start(&write, path);
	heard_first(&keeper, "recalled", &stranger);
	expect_eq(count_breaks(), 1);
	actor_kill(&stranger, SIGKILL);
	while (!is_withdrawn) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
	expect_eq(count_breaks(), 0);
	mapseal_close(m);
	keeper_does(&keeper, "lapsed");
	keeper_does(&keeper, "old");
	file_is(path, SIZE, 1);

	stranger = stranger_start(&write, path);
	heard_first(&keeper, "recalled", &stranger);
	keeper_does(&keeper, "old");
	expect(stranger_is_held(&stranger));
	keeper_does(&keeper, "return");
	expect_eq(stranger_end(&stranger), LENGTH);
	keeper_end(&keeper);
	rig_free(rig);
	return 0;
}
