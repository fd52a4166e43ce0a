/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is written through a WRITE window and committed is in the file, byte for byte; what was not
 * touched is as it was; the file keeps its size though it ends within a page.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 3 * 1024 * 1024 + 123, SEED = 7, NEW_SEED = 8 };

/* Every third 10,000 bytes are written anew, and the very last byte. */
static bool is_rewritten(uint64_t n)
{
	return n / 10000 % 3 == 1 || n == SIZE - 1;
}

static int writer(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	unsigned char *bytes = mapseal_address(seal);

	(void)channel, (void)data;
	expect_eq(mapseal_length(seal), SIZE);
	expect(rig_same(bytes, 0, SIZE, SEED));
	for (uint64_t n = 0; n < SIZE; n++)
		if (is_rewritten(n))
			bytes[n] = rig_byte(NEW_SEED, n);
	/* Past the end there is nothing to keep. */
	expect_eq(bytes[SIZE], 0);
	bytes[SIZE] = 0x55;
	must(mapseal_commit(seal, 0, SIZE));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, SEED);
	unsigned char *bytes = malloc(SIZE);
	struct actor actor;
	struct stat st;
	int fd;

	rig_start_file(rig, path, NULL);
	actor = actor_start(writer, NULL);
	actor_join(&actor);

	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect(fd >= 0 && fstat(fd, &st) == 0);
	expect_eq(st.st_size, SIZE);
	expect_eq(pread(fd, bytes, SIZE, 0), SIZE);
	for (uint64_t n = 0; n < SIZE; n++)
		expect(bytes[n] == rig_byte(is_rewritten(n) ? NEW_SEED : SEED, n));
	close(fd);
	free(bytes);
	rig_free(rig);
	return 0;
}
