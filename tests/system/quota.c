/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A uid has so many sessions, seals and bytes of windows, and not more; memory objects count as seals, however
 * small they are; what it gives back it may have again; another uid is not affected.
 */

#include <errno.h>

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

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor first, second;

	rig_start(rig,
		  "[quota]\nmax-sessions = 2\nmax-seals = 4\nmax-window-bytes = 512K\n"
		  "[export file]\npath = %s\nread = *\n",
		  path);
	first = actor_start(user, NULL);
	second = actor_start_as(RIG_UID - 1, RIG_UID - 1, user, NULL);
	actor_join(&first);
	actor_join(&second);
	rig_free(rig);
	return 0;
}
