/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * power-cut store: what a holder has persisted through a DIRECT seal, in a file that was a hole before, and committed
 * through a window; then, with both still held, the power fails. power-cut check, after the next start: it is all there.
 *
 * An emulated processor has no cache to lose. What this shows is that block maps, sizes and data of the page cache
 * were on the media, not that stores were flushed out of the processor.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/direct.h"

#define ON_DAX "/mnt/persisted"
#define ON_DISK "/var/tmp/committed"

enum { SIZE = 3 * 1024 * 1024 + 4096, PERSISTED = 7, COMMITTED = 8 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *direct = hold_direct(m, "dax", MAPSEAL_WRITE, 0, NULL, NULL);
	struct mapseal_seal *window = hold(m, "disk", 0, 0, MAPSEAL_WRITE, 0);
	unsigned char *bytes = mapseal_address(direct);

	(void)data;
	expect(mapseal_is_pmem(direct));
	rig_fill(bytes, 0, SIZE, PERSISTED);
	must(mapseal_persist(direct, bytes, SIZE));
	rig_fill(mapseal_address(window), 0, SIZE, COMMITTED);
	must(mapseal_commit(window, 0, SIZE));
	cue(channel, "durable");
	cue_wait(channel, "never");
	return 0;
}

static void hole(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	expect(fd >= 0 && ftruncate(fd, SIZE) == 0);
	close(fd);
}

static void store(void)
{
	int power = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	struct rig *rig = rig_new();
	struct actor actor;

	hole(ON_DAX);
	hole(ON_DISK);
	rig_start(rig, "[export dax]\npath = %s\nread = *\nwrite = *\n"
		       "[export disk]\npath = %s\nread = *\nwrite = *\n", ON_DAX, ON_DISK);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "durable");
	expect_eq(write(power, "b", 1), 1);
	pause();
}

static void check(const char *path, unsigned int seed)
{
	static unsigned char bytes[SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	expect_eq(read(fd, bytes, SIZE), SIZE);
	expect(rig_same(bytes, 0, SIZE, seed));
	close(fd);
}

int main(int argc, char **argv)
{
	expect(argc == 2);
	if (strcmp(argv[1], "store") == 0) {
		store();
		return 1;
	}
	check(ON_DAX, PERSISTED);
	check(ON_DISK, COMMITTED);
	return 0;
}
