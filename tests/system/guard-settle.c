/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A stranger that writes past the page cache was let go, and keeps the file open, so that what it does has
 * no provable end. A transparent seal that waits for it before it was ever handed over, and is taken for a
 * break meanwhile, is refused: nobody could be told of it any more. One that was handed over, is parked,
 * and gives part of itself back then, is found to be weak when it is granted again.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, AT = 64 * 1024, PAGE = 4096 };

static int64_t deed_direct_write(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	void *bytes;

	expect(fd >= 0 && posix_memalign(&bytes, PAGE, PAGE) == 0);
	memset(bytes, 'n', PAGE);
	expect_eq(pwrite(fd, bytes, PAGE, (off_t)deed->offset), PAGE);
	free(bytes);
	cue(channel, "written");
	cue_wait(channel, "close");
	close(fd);
	return 0;
}

static const struct deed direct_write = { "O_DIRECT write", deed_direct_write, AT, PAGE, NULL };

static int overtaken(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_request request = {
		.size = sizeof(request), .object = "patient", .fd = -1, .mode = MAPSEAL_READ,
		.offset = AT, .length = PAGE, .flags = MAPSEAL_TRANSPARENT,
	};
	struct mapseal_seal *seal;

	(void)data;
	must_refuse(mapseal_acquire(m, &request, &seal), EIDRM);
	expect_str(mapseal_last_error()->code, "GONE");
	cue(channel, "refused");
	mapseal_close(m);
	return 0;
}

static void before_it_is_handed_over(const char *path)
{
	const struct keeping beside = { .object = "patient", .length = PAGE, .mode = MAPSEAL_READ,
					.guard = MAPSEAL_GUARD_FANOTIFY };
	struct actor keeper = keeper_start(&beside), stranger, actor;
	struct mapseal_break *brk;
	struct mapseal *m;

	stranger = stranger_start(&direct_write, path);
	cue_wait(stranger.channel, "written");
	m = client(0);
	change_watch(m);
	actor = actor_start(overtaken, NULL);
	change_wait(m, "granted");
	brk = break_range(m, "patient", AT, PAGE, MAPSEAL_BREAK_HOLD);
	must(mapseal_break_end(brk));
	cue_wait(actor.channel, "refused");
	actor_join(&actor);
	cue(stranger.channel, "close");
	stranger_end(&stranger);
	keeper_end(&keeper);
	mapseal_close(m);
}

static int shrinks(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, MAPSEAL_TRANSPARENT);

	(void)data;
	cue_number(channel, mapseal_id(seal));
	cue_wait(channel, "parked");
	await_state(seal, MAPSEAL_PARKED);
	must(mapseal_return(seal, SIZE / 2, SIZE / 2, 0));
	cue(channel, "returned");
	cue_wait(channel, "end");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int is_weak(const struct mapseal_seal_info *info, void *data)
{
	if (info->id == *(uint64_t *)data) {
		expect_str(info->state, "held");
		expect(info->weak);
		*(uint64_t *)data = 0;
	}
	return 0;
}

static void while_it_is_parked(const char *path)
{
	struct actor holder = actor_start(shrinks, NULL), stranger;
	uint64_t id = cue_wait_number(holder.channel);
	struct mapseal *m = client(0);
	struct mapseal_break *brk = break_range(m, "file", 0, PAGE, MAPSEAL_BREAK_HOLD);

	change_watch(m);
	cue(holder.channel, "parked");
	cue_wait(holder.channel, "returned");
	stranger = stranger_start(&direct_write, path);
	cue_wait(stranger.channel, "written");
	must(mapseal_break_end(brk));
	change_wait(m, "regranted");
	must(mapseal_list_seals(m, 0, is_weak, &id));
	expect_eq(id, 0);
	cue(stranger.channel, "close");
	stranger_end(&stranger);
	cue(holder.channel, "end");
	actor_join(&holder);
	mapseal_close(m);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path, *path_patient;

	rig_mount(rig, "disk", "ext4", 64 * MiB);
	path = common_file(rig, "disk/file", SIZE, 1);
	path_patient = common_file(rig, "disk/patient", SIZE, 1);
	rig_start(rig,
		  "[export file]\npath = %s\nread = *\nwrite = *\nkernel-faults = *\nsettle-ms = 100\n"
		  "[export patient]\npath = %s\nread = *\nwrite = *\nkernel-faults = *\nsettle-ms = 3600000\n",
		  path, path_patient);
	before_it_is_handed_over(path_patient);
	while_it_is_parked(path);
	rig_free(rig);
	return 0;
}
