/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Somebody had the file open before it could be guarded. On a strict export the seal is refused,
 * the pid named, and granted once they have closed it. On others it is weak for who can live
 * with that, and cooperative for who did not say so, until they have closed it.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024 };

struct listed {
	uint64_t id;
	bool weak;
	char guard[32];
};

static int outsider(int channel, void *data)
{
	int fd = open(data, O_RDWR | O_CLOEXEC);

	expect(fd >= 0);
	cue(channel, "open");
	cue_wait(channel, "close");
	close(fd);
	cue(channel, "closed");
	return 0;
}

static struct actor outsider_start(const char *path)
{
	char copy[256];
	struct actor actor;

	snprintf(copy, sizeof(copy), "%s", path);
	actor = actor_start_as(STRANGER_UID, STRANGER_UID, outsider, copy);
	cue_wait(actor.channel, "open");
	return actor;
}

static void outsider_closes(struct actor *actor)
{
	cue(actor->channel, "close");
	cue_wait(actor->channel, "closed");
	actor_join(actor);
}

static int list(const struct mapseal_seal_info *info, void *data)
{
	struct listed *listed = data;

	if (info->id == listed->id) {
		listed->weak = info->weak;
		snprintf(listed->guard, sizeof(listed->guard), "%s", info->guard);
	}
	return 0;
}

static bool is_weak(struct mapseal *m, const struct mapseal_seal *seal)
{
	struct listed listed = { .id = mapseal_id(seal) };

	must(mapseal_list_seals(m, 0, list, &listed));
	expect_str(listed.guard, "fanotify");
	return listed.weak;
}

static void strict(const char *path)
{
	struct mapseal_request request = {
		.size = sizeof(request), .object = "strict", .fd = -1, .mode = MAPSEAL_READ
	};
	struct actor actor = outsider_start(path);
	struct mapseal *m = client(0);
	struct mapseal_seal *seal;
	char pid[32];

	/* nor is it enough to live with less */
	for (unsigned int flags = 0; flags <= MAPSEAL_WEAK_OK; flags += MAPSEAL_WEAK_OK) {
		request.flags = flags;
		must_refuse(mapseal_acquire(m, &request, &seal), EBUSY);
		expect_str(mapseal_last_error()->code, "OUTSIDERS");
		snprintf(pid, sizeof(pid), "%d", (int)actor.pid);
		expect(strstr(mapseal_last_error()->text, pid) != NULL);
	}
	outsider_closes(&actor);
	must(mapseal_acquire(m, &request, &seal));
	expect_eq(mapseal_seal_guard(seal), MAPSEAL_GUARD_FANOTIFY);
	expect(!is_weak(m, seal));
	mapseal_seal_free(seal);
	mapseal_close(m);
}

static void lenient(const char *path)
{
	struct actor actor = outsider_start(path);
	struct mapseal *m = client(0);
	struct mapseal_seal *weak = hold(m, "file", 0, SIZE / 2, MAPSEAL_READ, MAPSEAL_WEAK_OK);
	struct mapseal_seal *other = hold(m, "file", SIZE / 2, SIZE / 2, MAPSEAL_READ, 0);

	expect_eq(mapseal_seal_guard(weak), MAPSEAL_GUARD_FANOTIFY);
	expect_eq(mapseal_seal_guard(other), MAPSEAL_GUARD_COOPERATIVE);
	expect(is_weak(m, weak));
	expect(is_weak(m, other));
	outsider_closes(&actor);
	/* seen when it is looked for, which no message tells */
	while (is_weak(m, weak) || is_weak(m, other))
		sched_yield();
	mapseal_seal_free(weak);
	mapseal_seal_free(other);
	mapseal_close(m);
}

/* Who opened it while opens were only watched is an outsider for a strict export of the same file. */
static void both(const char *path)
{
	struct mapseal_request request = {
		.size = sizeof(request), .object = "strict", .fd = -1, .mode = MAPSEAL_READ
	};
	struct mapseal *m = client(0);
	struct mapseal_seal *watched = hold(m, "loose", 0, SIZE / 2, MAPSEAL_READ, 0), *seal;
	struct actor actor = outsider_start(path);

	request.offset = request.length = SIZE / 2;
	must_refuse(mapseal_acquire(m, &request, &seal), EBUSY);
	expect_str(mapseal_last_error()->code, "OUTSIDERS");
	expect(!is_weak(m, watched));
	outsider_closes(&actor);
	while (mapseal_acquire(m, &request, &seal) < 0)
		expect_str(mapseal_last_error()->code, "OUTSIDERS");
	expect(!is_weak(m, seal));
	mapseal_seal_free(seal);
	mapseal_seal_free(watched);
	mapseal_close(m);
}

int main(void)
{
	struct rig *rig = fanotify_rig();
	const char *path = common_file(rig, "file", SIZE, 1);
	const char *path_strict = common_file(rig, "strict", SIZE, 1);

	rig_start(rig,
		  "[export file]\npath = %s\nread = *\n"
		  "[export loose]\npath = %s\nread = *\n"
		  "[export strict]\npath = %s\nread = *\nstrict = yes\n",
		  path, path_strict, path_strict);
	strict(path_strict);
	both(path_strict);
	lenient(path);
	rig_free(rig);
	return 0;
}
