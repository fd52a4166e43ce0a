/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * On a strict export several processes have DIRECT seals to write on one file: each was given a
 * description that can, and is no outsider to the others for that. What one of them does to the
 * blocks of another with it is held until that one has given its seal back, as a stranger's would
 * be. A window beside them is refused: their mappings reach as far as mremap(2) does.
 */

#include <errno.h>
#include <unistd.h>

#include "tests/system/direct.h"
#include "tests/system/stranger.h"

enum { SIZE = 1024 * 1024, HALF = SIZE / 2, QUARTER = SIZE / 4 };

static int first_holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_request request = direct_request("file", MAPSEAL_WRITE);
	struct mapseal_seal *seal;

	(void)data;
	request.length = HALF;
	must(mapseal_acquire(m, &request, &seal));
	expect_eq(mapseal_seal_guard(seal), MAPSEAL_GUARD_FANOTIFY);
	cue(channel, "holding");
	cue_wait(channel, "truncate");
	cue_number(channel, (uint64_t)(ftruncate(mapseal_fd(seal), HALF) < 0 ? -errno : 0));
	cue_wait(channel, "end");
	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void refused(void)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.offset = HALF + QUARTER,
		.length = QUARTER,
		.mode = MAPSEAL_READ,
	};
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal;

	expect_eq(mapseal_acquire(m, &request, &seal), -EBUSY);
	mapseal_close(m);
}

static void test(struct rig *rig, const char *disk)
{
	const struct keeping beside = {
		.offset = HALF,
		.length = QUARTER,
		.mode = MAPSEAL_WRITE,
		.kind = MAPSEAL_DIRECT,
		.guard = MAPSEAL_GUARD_FANOTIFY,
	};
	const struct keeping whole = {
		.mode = MAPSEAL_WRITE,
		.kind = MAPSEAL_DIRECT,
		.guard = MAPSEAL_GUARD_FANOTIFY,
	};
	const char *path = direct_file(rig, disk, "file", SIZE, 1);
	struct actor first, second, third;

	rig_start(rig,
		  "[defaults]\n" PATIENT
		  "[export file]\npath = %s\nread = *\nwrite = *\nstrict = yes\n",
		  path);
	first = actor_start(first_holder, NULL);
	cue_wait(first.channel, "holding");
	second = keeper_start(&beside);
	third = keeper_start(&whole);
	keeper_end(&third);
	refused();
	keeper_does(&second, "undisturbed");
	cue(first.channel, "truncate");
	heard_first(&second, "recalled", &first);
	expect(stranger_is_held(&first));
	keeper_does(&second, "old");
	keeper_does(&second, "return");
	expect_eq(cue_wait_number(first.channel), 0);
	file_is(path, HALF, 1);
	keeper_end(&second);
	cue(first.channel, "end");
	actor_join(&first);
}

int main(void)
{
	rig_free(fanotify_rig());
	direct_each(test);
	return 0;
}
