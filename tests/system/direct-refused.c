/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What no block map can be promised of is refused, with the reason and before anything is done to
 * it: other file systems, memory, shared extents (unless they are to be unshared), inline data;
 * and who may not write the whole file gets no DIRECT seal on it, not even for reading.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/system/direct.h"

enum { SIZE = 1024 * 1024 };

static void refused(struct mapseal *m, const struct mapseal_request *request, int error,
		    const char *why)
{
	struct mapseal_seal *seal = NULL;

	must_refuse(mapseal_acquire(m, request, &seal), error);
	expect(seal == NULL);
	if (!strstr(mapseal_last_error()->text, why))
		expect_failed(__FILE__, __LINE__, "\"%s\" does not say \"%s\"",
			      mapseal_last_error()->text, why);
}

static void refused_by_name(struct mapseal *m, const char *name, int error, const char *why)
{
	struct mapseal_request request = direct_request(name, MAPSEAL_READ);

	refused(m, &request, error, why);
	request.mode = MAPSEAL_WRITE;
	refused(m, &request, error, why);
}

static int holder(int channel, void *data)
{
	struct mapseal_request request = direct_request("shared", MAPSEAL_WRITE);
	struct mapseal *m = client(0);
	struct mapseal_seal *seal;
	char name[64];

	(void)data;
	refused_by_name(m, "tmpfs", EOPNOTSUPP, "tmpfs");
	refused_by_name(m, "btrfs", EOPNOTSUPP, "btrfs");
	refused_by_name(m, "inline", EOPNOTSUPP, "inline");
	refused_by_name(m, "shared", EOPNOTSUPP, "shared with another file");
	refused_by_name(m, "readers", EACCES, "may write");
	refused_by_name(m, "part", EACCES, "whole file");
	must(mapseal_create(m, SIZE, name));
	refused_by_name(m, name, EOPNOTSUPP, "memory without a file");

	/* a private mapping is not made a shared one, nor MAP_SYNC left out, without a word */
	request = direct_request("plain", MAPSEAL_WRITE);
	request.map_flags = MAP_PRIVATE;
	refused(m, &request, EINVAL, "MAP_PRIVATE");
	request.map_flags = MAP_SHARED | MAP_SYNC;
	refused(m, &request, EOPNOTSUPP, "MAP_SYNC");
	request.map_flags = 0;
	request.flags = MAPSEAL_PINNABLE;
	refused(m, &request, EOPNOTSUPP, "pinnable");
	request.flags = MAPSEAL_TRANSPARENT;
	refused(m, &request, EOPNOTSUPP, "transparent");

	/* nothing of all that has left a seal behind */
	seal = hold_direct(m, "plain", MAPSEAL_WRITE, 0, NULL, NULL);
	mapseal_seal_free(seal);
	seal = hold_direct(m, "shared", MAPSEAL_WRITE, MAPSEAL_UNSHARE, NULL, NULL);
	expect(rig_same(mapseal_address(seal), 0, SIZE, 7));
	memset(mapseal_address(seal), 's', SIZE);
	must(mapseal_commit(seal, 0, SIZE));
	cue(channel, "unshared");
	cue_wait(channel, "compared");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int by_descriptor(int channel, void *data)
{
	struct mapseal_request request = direct_request(NULL, MAPSEAL_READ);
	const char *path = data;
	struct mapseal *m = client(0);
	struct mapseal_seal *seal;

	(void)channel;
	request.fd = open(path, O_RDONLY | O_CLOEXEC);
	expect(request.fd >= 0);
	refused(m, &request, EACCES, "O_RDONLY");
	close(request.fd);
	request.fd = open(path, O_RDWR | O_CLOEXEC);
	expect(request.fd >= 0);
	must(mapseal_acquire(m, &request, &seal));
	close(request.fd);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static const char *below(const char *disk, const char *name)
{
	static char paths[8][160];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", disk, name);
	return path;
}

static void clone_file(const char *from, const char *to)
{
	int source = open(from, O_RDONLY | O_CLOEXEC);
	int target = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	expect(source >= 0 && target >= 0);
	expect(ioctl(target, FICLONE, source) == 0);
	expect(fsync(target) == 0);
	close(source);
	close(target);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *xfs = rig_mount(rig, "xfs", "xfs", 400 * MiB);
	const char *tmpfs = rig_mount(rig, "tmpfs", "tmpfs", 4 * MiB);
	const char *btrfs = rig_mount(rig, "btrfs", "btrfs", 200 * MiB);
	const char *ext4 = rig_mount(rig, "ext4", "ext4 -O inline_data -I 256", 64 * MiB);
	const char *shared = direct_file(rig, xfs, "shared", SIZE, 7), *copy = below(xfs, "copy");
	struct blocks before, after;
	struct actor actor;

	clone_file(shared, copy);
	direct_file(rig, xfs, "plain", SIZE, 1);
	direct_file(rig, tmpfs, "file", SIZE, 1);
	direct_file(rig, btrfs, "file", SIZE, 1);
	direct_file(rig, ext4, "file", 40, 1);
	direct_file(rig, xfs, "own", SIZE, 1);
	expect(chown(below(xfs, "own"), RIG_UID, RIG_UID) == 0);
	blocks_read(copy, &before);
	expect(before.v[0].flags & FIEMAP_EXTENT_SHARED);
	rig_start(rig,
		  "[export tmpfs]\npath = %s\nread = *\nwrite = *\n"
		  "[export btrfs]\npath = %s\nread = *\nwrite = *\n"
		  "[export inline]\npath = %s\nread = *\nwrite = *\n"
		  "[export shared]\npath = %s\nread = *\nwrite = *\n"
		  "[export plain]\npath = %s\nread = *\nwrite = *\n"
		  "[export readers]\npath = %s\nread = *\n"
		  "[export part]\npath = %s\nread = *\nwrite = *@0-1M\n",
		  below(tmpfs, "file"), below(btrfs, "file"), below(ext4, "file"), shared,
		  below(xfs, "plain"), below(xfs, "readers"), below(xfs, "part"));
	direct_file(rig, xfs, "readers", SIZE, 1);
	direct_file(rig, xfs, "part", SIZE, 1);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "unshared");
	blocks_read(copy, &after);
	for (unsigned int i = 0; i < after.n; i++)
		expect(!(after.v[i].flags & FIEMAP_EXTENT_SHARED));
	rig_file_is(copy, SIZE, 7, 0, 0, 0);
	cue(actor.channel, "compared");
	actor_join(&actor);
	actor = actor_start(by_descriptor, (void *)(uintptr_t)below(xfs, "own"));
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
