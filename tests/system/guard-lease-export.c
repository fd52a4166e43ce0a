/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A file is sealed by a descriptor first, under a lease. While a stranger waits for its holder, somebody
 * else names the file by its export, whose policy is the file's from then on. The stranger goes on
 * waiting: the lease is still what it was.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024, PAGE = 4096 };

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)recall;
	cue(*(int *)data, "recalled");
	return MAPSEAL_LATER;
}

static int is_weak(const struct mapseal_seal_info *info, void *data)
{
	*(bool *)data = info->weak;
	return 0;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_request request = {
		.size = sizeof(request), .mode = MAPSEAL_READ, .length = PAGE,
		.flags = MAPSEAL_WEAK_OK, .on_recall = on_recall, .data = &channel,
	};
	struct mapseal_seal *seal;
	bool weak = true;

	request.fd = open(data, O_RDONLY | O_CLOEXEC);
	expect(request.fd >= 0);
	must(mapseal_acquire(m, &request, &seal));
	expect_eq(mapseal_seal_guard(seal), MAPSEAL_GUARD_LEASE);
	close(request.fd);
	/* no message tells when the lease could be taken */
	while (weak) {
		must(mapseal_list_seals(m, 0, is_weak, &weak));
		sched_yield();
	}
	cue(channel, "holding");
	cue_wait(channel, "return");
	cue(channel, "returning");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	const struct deed open_write = { "open for writing", deed_open_write, 0, 0, NULL };
	struct mapseal_request beside = {
		.size = sizeof(beside), .object = "file", .fd = -1, .mode = MAPSEAL_READ,
		.offset = 2 * PAGE, .length = PAGE, .flags = MAPSEAL_NO_WAIT,
	};
	struct rig *rig = rig_new();
	struct actor actor, stranger;
	struct mapseal_seal *seal;
	struct mapseal *m;
	const char *path;
	char copy[256];

	rig_mount(rig, "memory", "tmpfs", MiB);
	path = common_file(rig, "memory/file", SIZE, 1);
	snprintf(copy, sizeof(copy), "%s", path);
	rig_start(rig, "[defaults]\n" PATIENT "[export file]\npath = %s\nread = *\n", path);
	actor = actor_start(holder, copy);
	cue_wait(actor.channel, "holding");
	stranger = stranger_start(&open_write, path);
	heard_first(&actor, "recalled", &stranger);
	m = client(0);
	must_refuse(mapseal_acquire(m, &beside, &seal), EAGAIN);
	mapseal_close(m);
	cue(actor.channel, "return");
	heard_first(&actor, "returning", &stranger);
	expect(stranger_end(&stranger) >= 0);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
