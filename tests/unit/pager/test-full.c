/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A full file system: a return is refused and takes nothing, a commit is refused and leaves pages
 * dirty, a revocation goes on and keeps the bytes. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "rig.h"

#define N 64ul
#define ROOM 16ul

/* A sparse file of N pages where ROOM pages have room. */
static int tight_file(void)
{
	char directory[] = "/tmp/pager-XXXXXX";
	int root, fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(directory) || mount("tmpfs", directory, "tmpfs", 0, "size=64k") < 0)
		rig_skip("can't mount a small tmpfs");
	root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	umount2(directory, MNT_DETACH);
	rmdir(directory);
	fd = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	check(fd >= 0);
	check_is(ftruncate(fd, N * PAGE), 0);
	close(root);
	return fd;
}

int main(void)
{
	struct window_of window;
	struct pager_event event;
	unsigned char byte, *kept;
	uint64_t object, there = 0;
	struct rig rig;
	int fd, mine;

	rig_start(&rig, &RIG_CONFIG);
	fd = tight_file();
	mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	object = rig_object(&rig, fd, N * PAGE, true);
	window = rig_window(&rig, object, 0, N * PAGE, RIG_WRITE);
	for (unsigned long page = 0; page < N; page++)
		window.at[page * PAGE] = (unsigned char)(page + 1);
	check_is(pager_dirty(rig.pager, window.id), N * PAGE);

	event = rig_commit(&rig, &window);
	check_is(event.error, -ENOSPC);
	check_is(pager_dirty(rig.pager, window.id), N * PAGE);

	event = rig_fence(&rig, &window, PAGER_HOW_RETURN);
	check_is(event.error, -ENOSPC);
	check_is(event.quarantine_fd, -1);
	for (unsigned long page = 0; page < N; page++) {
		check_is(window.at[page * PAGE], page + 1);
		window.at[page * PAGE + 1] = 3;
	}

	event = rig_fence(&rig, &window, PAGER_HOW_REVOKE);
	check_is(event.error, 0);
	check_is(event.fence, PAGER_FENCE_FENCED);
	check_is(event.quarantine_errno, ENOSPC);
	check(event.quarantine_fd >= 0);
	check(event.quarantined >= (N - ROOM) * PAGE);
	check_is(fcntl(event.quarantine_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	kept = mmap(NULL, event.quarantine_end - event.quarantine_start, PROT_READ, MAP_SHARED,
		    event.quarantine_fd, 0);
	check(kept != MAP_FAILED);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(mine, &byte, 1, (off_t)(page * PAGE)), 1);
		if (byte == page + 1) {
			there++;
			continue;
		}
		check(page * PAGE >= event.quarantine_start);
		check_is(kept[page * PAGE - event.quarantine_start], page + 1);
		check_is(kept[page * PAGE - event.quarantine_start + 1], 3);
	}
	check(there <= ROOM);
	check_is(pager_dirty(rig.pager, window.id), 0);
	check(!rig_read(window.at, &byte));
	rig_close(&rig, &window);
	rig_stop(&rig);
	return 0;
}
