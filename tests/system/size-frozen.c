/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The size of an object is frozen at the grant: what the file grows by meanwhile is outside the seal, and not
 * overwritten by the zeros that the last page shows past the end; a file that became shorter behind the
 * supervisor's back is not extended by a commit.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 5 * 4096 + 1000, GROWN = 9 * 4096, SHORT = 2 * 4096 + 500 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	unsigned char *bytes = mapseal_address(seal);

	(void)data;
	expect_eq(mapseal_length(seal), SIZE);
	memset(bytes, 'w', SIZE);
	cue(channel, "written");
	cue_wait(channel, "grown");
	expect_eq(mapseal_object_size(seal), SIZE);
	must(mapseal_commit(seal, 0, SIZE));
	memset(bytes, 'x', SIZE);
	cue(channel, "committed");
	cue_wait(channel, "shorter");
	/* whatever it says of what has no place any more */
	(void)mapseal_commit(seal, 0, SIZE);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

/* All @byte to @end, then all @after. */
static void check(const char *path, size_t size, char byte, size_t end, char after)
{
	static char bytes[GROWN];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	expect(fd >= 0 && fstat(fd, &st) == 0);
	expect_eq(st.st_size, size);
	expect_eq(pread(fd, bytes, size, 0), size);
	for (size_t n = 0; n < size; n++)
		expect_eq(bytes[n], n < end ? byte : after);
	close(fd);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	char more[GROWN - SIZE];
	struct actor actor;
	int fd;

	rig_start(rig, RIG_UNGUARDED "[export file]\npath = %s\nread = *\nwrite = *\n", path);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "written");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	memset(more, 'g', sizeof(more));
	expect_eq(pwrite(fd, more, sizeof(more), SIZE), sizeof(more));
	cue(actor.channel, "grown");
	cue_wait(actor.channel, "committed");
	check(path, GROWN, 'w', SIZE, 'g');
	expect(ftruncate(fd, SHORT) == 0);
	cue(actor.channel, "shorter");
	actor_join(&actor);
	check(path, SHORT, 'x', SHORT, 'x');
	close(fd);
	rig_free(rig);
	return 0;
}
