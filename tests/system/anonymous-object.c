/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An anonymous object has no file behind: it begins as zeros, what one session writes the next one of
 * the same uid reads, another uid may not have it, and it ends with its maker and the last seal.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/system/rig.h"

enum { SIZE = 1024 * 1024 };

static int stranger(int channel, void *data)
{
	struct mapseal_request request = {
		.size = sizeof(request), .object = data, .fd = -1, .mode = MAPSEAL_READ
	};
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal;

	(void)channel;
	must_refuse(mapseal_acquire(m, &request, &seal), ENOENT);
	mapseal_close(m);
	return 0;
}

static int maker(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD), *other = client(MAPSEAL_THREAD);
	struct mapseal_request request = {
		.size = sizeof(request), .fd = -1, .mode = MAPSEAL_READ
	};
	struct mapseal_seal *seal, *reader;
	unsigned char *bytes;
	char name[64];

	(void)data;
	must_refuse(mapseal_create(m, 0, name), EINVAL);
	must(mapseal_create(m, SIZE, name));
	cue(channel, name);
	cue_wait(channel, "tried");

	seal = hold(m, name, 0, 0, MAPSEAL_WRITE, 0);
	bytes = mapseal_address(seal);
	for (size_t n = 0; n < SIZE; n++)
		expect_eq(bytes[n], 0);
	rig_fill(bytes, 0, SIZE, 3);
	must(mapseal_return(seal, 0, SIZE, 0));

	reader = hold(other, name, 0, 0, MAPSEAL_READ, 0);
	expect(rig_same(mapseal_address(reader), 0, SIZE, 3));
	mapseal_seal_free(seal);
	mapseal_close(m);
	/* the maker is gone, the reader's seal keeps it */
	expect(rig_same(mapseal_address(reader), 0, SIZE, 3));
	mapseal_seal_free(reader);
	request.object = name;
	must_refuse(mapseal_acquire(other, &request, &reader), ENOENT);
	mapseal_close(other);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	struct actor making, looking;
	char name[64];
	ssize_t n;

	rig_start(rig, NULL);
	making = actor_start(maker, NULL);
	n = recv(making.channel, name, sizeof(name) - 1, 0);
	expect(n > 0);
	name[n] = '\0';
	looking = actor_start_as(RIG_UID - 1, RIG_UID - 1, stranger, name);
	actor_join(&looking);
	cue(making.channel, "tried");
	actor_join(&making);
	rig_free(rig);
	return 0;
}
