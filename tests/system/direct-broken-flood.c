/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The holder of a DIRECT seal breaks the promise that it was given, block by block, and has each
 * looked at. All are counted, and it is told of each; the log does not grow with them.
 */

#include "tests/system/direct.h"

/* As many lines would be written by who takes as many seconds for it. */
enum { BLOCK = 4096, N = 100, SIZE = 2 * N * BLOCK };

static void test(struct rig *rig, const char *disk)
{
	const char *path = direct_file(rig, disk, "file", SIZE, 1);
	struct mapseal_verified verified;
	struct mapseal_status status;
	struct mapseal_seal *seal;
	struct mapseal *m;
	unsigned int lines;

	direct_events[MAPSEAL_EVENT_BROKEN] = 0;
	rig_keep_log(rig);
	rig_start(rig, RIG_UNGUARDED "[export file]\npath = %s\nread = *\nwrite = *\n", path);
	m = direct_client();
	seal = hold_direct(m, "file", MAPSEAL_WRITE, 0, NULL, NULL);
	for (uint64_t i = 0; i < N; i++) {
		punch(path, 2 * i * BLOCK, BLOCK);
		must(mapseal_verify(m, mapseal_id(seal), NULL, NULL, &verified));
		expect_eq(verified.differences, i + 1);
	}
	direct_await(m, MAPSEAL_EVENT_BROKEN, N);
	must(mapseal_get_status(m, &status));
	expect_eq(status.broken_promises, N);
	lines = rig_logged(rig, "BROKEN PROMISE:");
	expect(lines > 0 && lines < N);
	mapseal_seal_free(seal);
	mapseal_close(m);
}

int main(void)
{
	direct_each(test);
	return 0;
}
