/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two readers of the same range share its memory: each has all pages resident, and of each only half
 * counts (Pss), as for any memory that two processes map.
 */

#include <stdio.h>
#include <string.h>

#include "tests/system/rig.h"

enum { SIZE = 16 * 1024 * 1024 };

/* Rss and Pss in KiB of the mapping that begins at @address, by /proc/self/smaps. */
static void measure(const void *address, unsigned long *ret_rss, unsigned long *ret_pss)
{
	char line[512], start[32];
	bool inside = false;
	FILE *smaps = fopen("/proc/self/smaps", "re");

	expect(smaps);
	*ret_rss = *ret_pss = 0;
	snprintf(start, sizeof(start), "%lx-", (unsigned long)address);
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long kib, from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = strncmp(line, start, strlen(start)) == 0;
		if (inside && sscanf(line, "Rss: %lu", &kib) == 1)
			*ret_rss = kib;
		if (inside && sscanf(line, "Pss: %lu", &kib) == 1)
			*ret_pss = kib;
	}
	fclose(smaps);
}

static int reader(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	unsigned long rss, pss;

	(void)data;
	expect(rig_same(mapseal_address(seal), 0, SIZE, 1));
	cue(channel, "read");
	cue_wait(channel, "measure");
	measure(mapseal_address(seal), &rss, &pss);
	printf("resident %lu KiB, proportional share %lu KiB\n", rss, pss);
	expect_eq(rss, SIZE / 1024);
	expect_eq(pss, SIZE / 1024 / 2);
	cue(channel, "measured");
	cue_wait(channel, "end");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor actors[2];

	rig_start(rig, "[export file]\npath = %s\nread = *\n", path);
	for (int i = 0; i < 2; i++) {
		actors[i] = actor_start(reader, NULL);
		cue_wait(actors[i].channel, "read");
	}
	for (int i = 0; i < 2; i++) {
		cue(actors[i].channel, "measure");
		cue_wait(actors[i].channel, "measured");
	}
	for (int i = 0; i < 2; i++) {
		cue(actors[i].channel, "end");
		actor_join(&actors[i]);
	}
	rig_free(rig);
	return 0;
}
