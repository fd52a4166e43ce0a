/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Root punches a hole behind everybody's back, and no guard keeps it from that: the promise is
 * broken, and it is said so: by verify, in the listing, to the holder and to whoever watches; and
 * when the seal comes back, also if nobody has looked before. What is overwritten in place is no
 * difference.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/direct.h"

enum { SIZE = 256 * 1024, AT = 64 * 1024, LENGTH = 8192 };

static int on_difference(const struct mapseal_difference *d, void *data)
{
	expect_eq(d->offset, AT);
	expect_eq(d->length, LENGTH);
	expect(d->promised != MAPSEAL_NOWHERE && d->now == MAPSEAL_NOWHERE);
	++*(int *)data;
	return 0;
}

static int is_broken(const struct mapseal_seal_info *info, void *data)
{
	expect_str(info->kind, "direct");
	*(bool *)data = info->broken;
	return 0;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = direct_client();
	struct mapseal_seal *seal = hold_direct(m, "file", MAPSEAL_WRITE, 0, NULL, NULL);
	struct mapseal_verified verified;
	bool broken = true;
	int told = 0;

	(void)data;
	cue_number(channel, mapseal_id(seal));
	cue_wait(channel, "overwritten");
	must(mapseal_verify(m, mapseal_id(seal), on_difference, &told, &verified));
	expect_eq(verified.differences, 0);
	must(mapseal_list_seals(m, mapseal_id(seal), is_broken, &broken));
	expect(!broken);
	cue(channel, "kept");
	cue_wait(channel, "punched");
	must(mapseal_verify(m, mapseal_id(seal), on_difference, &told, &verified));
	expect_eq(told, 1);
	expect_eq(verified.differences, 1);
	expect_eq(verified.bytes, LENGTH);
	direct_await(m, MAPSEAL_EVENT_BROKEN, 1);
	must(mapseal_list_seals(m, mapseal_id(seal), is_broken, &broken));
	expect(broken);
	/* it is not said again until it is more */
	must(mapseal_verify(m, mapseal_id(seal), NULL, NULL, NULL));
	must(mapseal_dispatch(m));
	expect_eq(direct_events[MAPSEAL_EVENT_BROKEN], 1);
	mapseal_seal_free(seal);

	/* nobody looks; the return does */
	seal = hold_direct(m, "file", MAPSEAL_WRITE, 0, NULL, NULL);
	cue(channel, "again");
	cue_wait(channel, "punched");
	must(mapseal_return(seal, 0, SIZE, 0));
	direct_await(m, MAPSEAL_EVENT_BROKEN, 2);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void test(struct rig *rig, const char *disk)
{
	const char *path = direct_file(rig, disk, "file", SIZE, 1);
	struct mapseal_verified verified;
	struct mapseal *m;
	struct actor actor;
	char bytes[4096];
	uint64_t id;
	int fd;

	direct_events[MAPSEAL_EVENT_BROKEN] = 0;
	rig_start(rig, RIG_UNGUARDED "[export file]\npath = %s\nread = *\nwrite = *\n", path);
	actor = actor_start(holder, NULL);
	id = cue_wait_number(actor.channel);
	m = client(0);
	change_watch(m);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	memset(bytes, 'o', sizeof(bytes));
	expect_eq(pwrite(fd, bytes, sizeof(bytes), AT), sizeof(bytes));
	expect(fsync(fd) == 0);
	close(fd);
	cue(actor.channel, "overwritten");
	cue_wait(actor.channel, "kept");
	punch(path, AT, LENGTH);
	cue(actor.channel, "punched");
	change_wait(m, "broken");
	cue_wait(actor.channel, "again");
	must_refuse(mapseal_verify(m, id, NULL, NULL, &verified), ESTALE);
	punch(path, AT, LENGTH);
	cue(actor.channel, "punched");
	actor_join(&actor);
	mapseal_close(m);
}

int main(void)
{
	direct_each(test);
	return 0;
}
