/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writes that hang in the kernel (a frozen file system): a revocation goes on at its limit and
 * keeps the bytes, the same when it is forced, and nothing of them lands when the file system goes
 * on. */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"

#define N 300ul

static int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The root of a small file system of its own, that may be frozen. */
static int own_filesystem(void)
{
	char directory[] = "/tmp/pager-XXXXXX", command[256];
	int root;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(directory))
		rig_skip("no mount namespace");
	snprintf(command, sizeof(command),
		 "mount -t tmpfs tmpfs %s && truncate -s 32M %s/image && "
		 "mkfs.ext4 -q -F %s/image && mount -o loop %s/image %s",
		 directory, directory, directory, directory, directory);
	if (run(command) != 0) {
		umount2(directory, MNT_DETACH);
		rmdir(directory);
		rig_skip("no ext4 on a loop device here");
	}
	root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	umount2(directory, MNT_DETACH);
	umount2(directory, MNT_DETACH);
	rmdir(directory);
	check(root >= 0);
	return root;
}

static uint64_t in_ms(uint64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec + ms * 1000000u;
}

static void hangs(struct rig *rig, int root, uint64_t limit, bool force, bool commit_first)
{
	int fd = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct pager_event event, committed = { .error = 0 };
	struct window_of window;
	uint64_t object, tag, commit_tag = 0;
	unsigned char byte = 0;

	check(fd >= 0);
	for (unsigned long page = 0; page < N; page++)
		check_is(pwrite(fd, "o", 1, (off_t)(page * PAGE)), 1);
	check_is(ftruncate(fd, N * PAGE), 0);
	check_is(fsync(fd), 0);
	object = rig_object(rig, fd, N * PAGE, true);
	window = rig_window(rig, object, 0, N * PAGE, RIG_WRITE);
	for (unsigned long page = 0; page < N; page++)
		window.at[page * PAGE] = 'n';
	check_is(ioctl(root, FIFREEZE, 0), 0);
	if (commit_first)
		commit_tag = rig_submit(rig, &(struct pager_job){
						     .type = PAGER_COMMIT,
						     .window = window.id,
						     .end = N * PAGE,
					     });
	tag = rig_submit(rig, &(struct pager_job){
				      .type = PAGER_FENCE,
				      .window = window.id,
				      .end = N * PAGE,
				      .how = PAGER_HOW_REVOKE,
				      .limit = limit,
			      });
	if (force)
		pager_force(rig->pager, tag);
	event = rig_wait(rig, tag);
	check_is(event.error, 0);
	check_is(event.quarantined, N * PAGE);
	check_is(event.quarantine_errno, ETIMEDOUT);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(event.quarantine_fd, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, 'n');
	}
	close(event.quarantine_fd);
	check_is(lseek(window.memory, 0, SEEK_DATA), -1);
	check_is(ioctl(root, FITHAW, 0), 0);
	if (commit_first) {
		committed = rig_wait(rig, commit_tag);
		check(committed.error < 0);
	}
	rig_close(rig, &window);
	check_is(rig_do(rig, (struct pager_job){ .type = PAGER_OBJECT_CLOSE, .object = object })
			 .error,
		 0);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(mine, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, 'o');
	}
	close(mine);
}

int main(void)
{
	struct rig rig;
	int root;

	rig_start(&rig, &RIG_CONFIG);
	root = own_filesystem();
	hangs(&rig, root, in_ms(100), false, false);
	hangs(&rig, root, 0, true, false);
	hangs(&rig, root, in_ms(100), false, true);
	hangs(&rig, root, 0, true, true);
	/* its end waits for every write that was under way */
	rig_stop(&rig);
	close(root);
	return 0;
}
