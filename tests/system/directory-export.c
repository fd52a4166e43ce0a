/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A directory export lends what is in it and nothing else: no way out by symbolic links, "..", absolute paths, other mounts
 * or hard links; FIFOs and directories in it are refused without blocking.
 */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/rig.h"

static int try(struct mapseal *m, const char *object)
{
	struct mapseal_request request = {
		.size = sizeof(request), .object = object, .fd = -1, .mode = MAPSEAL_READ
	};
	struct mapseal_seal *seal;
	int r = mapseal_acquire(m, &request, &seal);

	if (r == 0)
		mapseal_seal_free(seal);
	return r;
}

static int client_of_directory(int channel, void *data)
{
	static const char *const refused[] = {
		"dir/link",	   "dir/inlink", "dir/../secret", "dir/sub/../../secret", "dir//etc/passwd",
		"dir//proc/self/status", "dir/hard", "dir/fifo", "dir/sub", "dir/", "dir/.", "dir/mount/x",
		"dir/nothing",
	};
	struct mapseal *m = client(MAPSEAL_THREAD);

	(void)channel, (void)data;
	must(try(m, "dir/file"));
	must(try(m, "dir/sub/file"));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (try(m, refused[i]) == 0)
			expect_failed(__FILE__, __LINE__, "%s was lent", refused[i]);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *dir = rig_path(rig, "dir");
	struct actor actor;

	expect(mkdir(dir, 0700) == 0);
	expect(mkdir(rig_path(rig, "dir/sub"), 0700) == 0);
	(void)rig_file(rig, "dir/file", 4096, 1);
	(void)rig_file(rig, "dir/sub/file", 4096, 1);
	(void)rig_file(rig, "secret", 4096, 2);
	expect(symlink(rig_path(rig, "secret"), rig_path(rig, "dir/link")) == 0);
	expect(symlink("file", rig_path(rig, "dir/inlink")) == 0);
	expect(link(rig_path(rig, "secret"), rig_path(rig, "dir/hard")) == 0);
	expect(mkfifo(rig_path(rig, "dir/fifo"), 0600) == 0);
	(void)rig_mount(rig, "dir/mount", "tmpfs", MiB);
	(void)rig_file(rig, "dir/mount/x", 4096, 3);
	rig_start(rig, "[export dir]\ndirectory = %s\nread = *\n", dir);
	actor = actor_start(client_of_directory, NULL);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
