/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A uid has so many sessions, seals, bytes of windows and requests that wait, and not more, and of one export
 * perhaps less; memory objects count as seals, however small they are; what it gives back it may have again;
 * another uid is not affected.
 */

#include <errno.h>
#include <string.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 1024 * 1024 };

static int user(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .flags = MAPSEAL_THREAD };
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.length = 65536,
		.mode = MAPSEAL_READ,
	};
	struct mapseal *m = client(MAPSEAL_THREAD), *second = client(MAPSEAL_THREAD), *third;
	struct mapseal_seal *seals[4], *more;
	char name[64];

	(void)channel, (void)data;
	must_refuse(mapseal_connect(&options, &third), EDQUOT);
	for (int i = 0; i < 4; i++)
		must(mapseal_acquire(i % 2 ? m : second, &request, &seals[i]));
	must_refuse(mapseal_acquire(m, &request, &more), EDQUOT);
	must_refuse(mapseal_create(m, 1, name), EDQUOT);
	for (int i = 1; i < 4; i++)
		mapseal_seal_free(seals[i]);
	request.length = 7 * 65536;
	must(mapseal_acquire(m, &request, &seals[1]));
	must_refuse(mapseal_acquire(m, &request, &more), EDQUOT);
	mapseal_seal_free(seals[0]);
	mapseal_seal_free(seals[1]);
	mapseal_close(second);
	third = client(MAPSEAL_THREAD);
	for (int i = 0; i < 4; i++)
		must(mapseal_create(third, 1, name));
	must_refuse(mapseal_create(third, 1, name), EDQUOT);
	must_refuse(mapseal_acquire(m, &request, &more), EDQUOT);
	mapseal_close(third);
	mapseal_close(m);
	return 0;
}

static int user_of_the_small_one(int channel, void *data)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "small",
		.fd = -1,
		.length = 65536,
		.mode = MAPSEAL_READ,
	};
	struct mapseal *m = client(0);
	struct mapseal_seal *seal, *more;

	(void)channel, (void)data;
	request.length = 2 * 65536;
	must_refuse(mapseal_acquire(m, &request, &more), EDQUOT);
	request.length = 65536;
	must(mapseal_acquire(m, &request, &seal));
	must_refuse(mapseal_acquire(m, &request, &more), EDQUOT);
	expect_str(mapseal_last_error()->text,
		   "uid 65534 has 1 of 1 seals on this export; 1 more are too many");
	request.object = "file";
	must(mapseal_acquire(m, &request, &more));
	mapseal_seal_free(more);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

/* Holds a seal that it never returns, and asks for it by breaks that wait. */
static int impatient(int channel, void *data)
{
	struct proto_message brk = {
		.type = PROTO_BREAK_BEGIN,
		.break_begin = {
			.object = "file",
			.want = PROTO_WANT_FOREIGN_WRITE,
			.flags = PROTO_BREAK_WHOLE,
		},
	};
	struct proto_message status = { .type = PROTO_STATUS_GET };
	struct raw holds, asks;

	(void)channel, (void)data;
	raw_hold(&holds, "file", 65536, PROTO_MODE_READ);
	(void)raw_map(&holds);
	raw_hello(&asks);
	raw_send(&asks, &brk, NULL, 0);
	raw_send(&asks, &brk, NULL, 0);
	raw_refused(&asks, &brk, -1, QUOTA);
	/* it is served all the same */
	expect_eq(raw_call(&asks, &status, -1), PROTO_STATUS);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1), *small = rig_file(rig, "small", SIZE, 2);
	struct actor first, second;

	rig_start(rig,
		  "[quota]\nmax-sessions = 2\nmax-seals = 4\nmax-window-bytes = 512K\n"
		  "max-in-flight = 2\n[defaults]\ndeadline-ms = 60000\nhard-ms = 60000\n"
		  "[export file]\npath = %s\nread = *\nwrite = *\n"
		  "[export small]\npath = %s\nread = *\nmax-seals = 1\nmax-window-bytes = 64K\n",
		  path, small);
	first = actor_start(user, NULL);
	second = actor_start_as(RIG_UID - 1, RIG_UID - 1, user, NULL);
	actor_join(&first);
	actor_join(&second);
	first = actor_start(user_of_the_small_one, NULL);
	actor_join(&first);
	first = actor_start(impatient, NULL);
	actor_join(&first);
	rig_free(rig);
	return 0;
}
