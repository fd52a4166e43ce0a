/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Without kernel-faults a system call on a window page that is not there, or is write-protected, gets EFAULT;
 * populate brings pages in, for reading or for writing, and then system calls work. The device is lent to nobody.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 4 * 1024 * 1024 };

static unsigned long locked_kib(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long kib = 0;
	char line[256];

	expect(status);
	while (fgets(line, sizeof(line), status) && sscanf(line, "VmLck: %lu", &kib) != 1)
		;
	fclose(status);
	return kib;
}

static int caller(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_request transparent = {
		.size = sizeof(transparent),
		.object = "file",
		.fd = -1,
		.mode = MAPSEAL_READ,
		.flags = MAPSEAL_TRANSPARENT,
	};
	struct mapseal_status status;
	struct mapseal_seal *seal;
	unsigned char *bytes, copy[4096];
	int pipe_fds[2], file = *(int *)data;

	(void)channel;
	must_refuse(mapseal_acquire(m, &transparent, &seal), EPERM);

	expect(pipe(pipe_fds) == 0);
	seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	bytes = mapseal_address(seal);
	expect_eq(mapseal_enter(seal), 0);
	expect(write(pipe_fds[1], bytes + MiB, 4096) < 0 && errno == EFAULT);
	must(mapseal_populate(seal, MiB, 4096, MAPSEAL_READ));
	expect_eq(locked_kib(), 4); /* or reclaim could take it out of the page table */
	expect_eq(write(pipe_fds[1], bytes + MiB, 4096), 4096);
	expect_eq(read(pipe_fds[0], copy, 4096), 4096);
	expect(rig_same(copy, MiB, 4096, 1));

	/* there, but write-protected; before Linux 6.4 what is populated counts as written instead */
	must(mapseal_get_status(m, &status));
	if (status.wp_continue)
		expect(pread(file, bytes + MiB, 4096, 0) < 0 && errno == EFAULT);
	must(mapseal_populate(seal, MiB, 4096, MAPSEAL_WRITE));
	expect_eq(pread(file, bytes + MiB, 4096, 0), 4096);
	/* writable until the return, also after a commit */
	must(mapseal_commit(seal, 0, SIZE));
	expect_eq(pread(file, bytes + MiB, 4096, 4096), 4096);
	must(mapseal_commit(seal, 0, SIZE));
	mapseal_exit(seal);

	must_refuse(mapseal_populate(seal, SIZE, 4096, MAPSEAL_READ), EINVAL);
	must_refuse(mapseal_populate(seal, UINT64_MAX - 100, 4096, MAPSEAL_READ), EINVAL);
	must_refuse(mapseal_populate(seal, 0, 0, MAPSEAL_READ), EINVAL);
	mapseal_seal_free(seal);

	seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	must_refuse(mapseal_populate(seal, 0, 4096, MAPSEAL_WRITE), EACCES);
	must_refuse(mapseal_commit(seal, 0, 4096), EACCES);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const char *other = rig_file(rig, "other", 8192, 2);
	int file = open(other, O_RDONLY);
	unsigned char bytes[4096];
	struct actor actor;
	int fd;

	rig_start_file(rig, path, NULL);
	actor = actor_start(caller, &file);
	actor_join(&actor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect_eq(pread(fd, bytes, 4096, MiB), 4096);
	expect(rig_same(bytes, 4096, 4096, 2));
	close(fd);
	rig_free(rig);
	return 0;
}
