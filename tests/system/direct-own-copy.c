/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A session that writes the file itself, under its DIRECT seal, has made its own READ window old. That is
 * its business; whoever acquires a READ window later sees the file, not that copy. (A guard would have
 * taken the window when the file was mapped for writing.)
 */

#include <string.h>
#include <unistd.h>

#include "tests/system/direct.h"

enum { SIZE = 64 * 1024 };

static int writer(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *window = hold(m, "file", 0, 0, MAPSEAL_READ, 0), *direct;

	(void)data;
	expect(rig_same(mapseal_address(window), 0, SIZE, 1));
	direct = hold_direct(m, "file", MAPSEAL_WRITE, 0, NULL, NULL);
	memset(mapseal_address(direct), 'n', SIZE);
	must(mapseal_persist(direct, mapseal_address(direct), SIZE));
	mapseal_seal_free(direct);
	cue(channel, "written");
	cue_wait(channel, "read");
	mapseal_seal_free(window);
	mapseal_close(m);
	return 0;
}

static int reader(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *window = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	const unsigned char *bytes = mapseal_address(window);

	(void)channel, (void)data;
	for (size_t i = 0; i < SIZE; i++)
		expect_eq(bytes[i], 'n');
	mapseal_seal_free(window);
	mapseal_close(m);
	return 0;
}

static void test(struct rig *rig, const char *disk)
{
	struct actor a, b;

	rig_start(rig, RIG_UNGUARDED "[export file]\npath = %s\nread = *\nwrite = *\n",
		  direct_file(rig, disk, "file", SIZE, 1));
	a = actor_start(writer, NULL);
	cue_wait(a.channel, "written");
	b = actor_start(reader, NULL);
	actor_join(&b);
	cue(a.channel, "read");
	actor_join(&a);
}

int main(void)
{
	direct_each(test);
	return 0;
}
