/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A stranger opens a file for writing under a transparent holder, and keeps it open. The holder is
 * parked, since the end of what that stranger does can't be seen; after settle-ms it is granted the
 * range again as weak, or, on a strict export, loses it: SIGBUS.
 */

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 64 * 1024 };

static int64_t stays(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_RDWR | O_CLOEXEC);

	expect(fd >= 0);
	cue(channel, "open");
	cue_wait(channel, "close");
	close(fd);
	return 0;
}

static int list(const struct mapseal_seal_info *info, void *data)
{
	*(bool *)data = info->weak;
	return 0;
}

static bool is_weak(struct mapseal *m)
{
	bool weak = false;

	must(mapseal_list_seals(m, 0, list, &weak));
	return weak;
}

static int holder(int channel, void *data)
{
	bool is_strict = strcmp(data, "strict") == 0;
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, data, 0, 0, MAPSEAL_READ, MAPSEAL_TRANSPARENT);
	const volatile unsigned char *bytes = mapseal_address(seal);

	expect(rig_same(bytes, 0, SIZE, 1));
	expect(!is_weak(m));
	cue(channel, "holding");
	cue_wait(channel, "open");
	if (is_strict) {
		await_state(seal, MAPSEAL_REVOKED);
		expect(touch_is_sigbus(bytes));
	} else {
		await_state(seal, MAPSEAL_HELD);
		expect(rig_same(bytes, 0, SIZE, 1));
		expect(is_weak(m));
	}
	cue(channel, "seen");
	cue_wait(channel, "closed");
	/* seen when it is looked for, which no message tells */
	while (!is_strict && is_weak(m))
		sched_yield();
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void test(const char *path, const char *object)
{
	const struct deed stay = { "stays", stays, 0, 0, NULL };
	struct actor actor, stranger;
	char name[16];

	snprintf(name, sizeof(name), "%s", object);
	actor = actor_start(holder, name);
	cue_wait(actor.channel, "holding");
	stranger = stranger_start(&stay, path);
	cue_wait(stranger.channel, "open");
	cue(actor.channel, "open");
	cue_wait(actor.channel, "seen");
	cue(stranger.channel, "close");
	expect_eq(stranger_end(&stranger), 0);
	cue(actor.channel, "closed");
	actor_join(&actor);
}

int main(void)
{
	struct rig *rig = fanotify_rig();
	const char *lenient = common_file(rig, "lenient", SIZE, 1);
	const char *strict = common_file(rig, "strict", SIZE, 1);

	rig_start(rig,
		  "[defaults]\nsettle-ms = 100\n"
		  "[export lenient]\npath = %s\nread = *\nkernel-faults = uid:%d\n"
		  "writable-opens = hold\n"
		  "[export strict]\npath = %s\nread = *\nkernel-faults = uid:%d\nstrict = yes\n",
		  lenient, RIG_UID, strict, RIG_UID);
	test(lenient, "lenient");
	test(strict, "strict");
	rig_free(rig);
	return 0;
}
