/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A large page that a device holds survives a punch of a part of it: the punch succeeds, and the
 * memory still has data there. A punch of the whole takes it. */

#include <liburing.h>
#include <sys/mount.h>

#include "kernel.h"

#define HUGE (2ul << 20)

int main(void)
{
	char directory[] = "/tmp/kernel-XXXXXX", name[64];
	struct io_uring ring;
	struct iovec iov;
	unsigned char *at;
	int fd;

	need_root();
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(directory) ||
	    mount("tmpfs", directory, "tmpfs", 0, "huge=always,size=16m") < 0)
		skip("no tmpfs with large pages");
	snprintf(name, sizeof(name), "%s/memory", directory);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	umount2(directory, MNT_DETACH);
	rmdir(directory);
	check(fd >= 0 && ftruncate(fd, 2 * HUGE) == 0);
	check(pwrite(fd, "d", 1, 0) == 1);
	if (lseek(fd, 0, SEEK_HOLE) < (off_t)HUGE)
		skip("no large page to be had");
	at = map_of(fd, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	iov = (struct iovec){ at, HUGE };
	if (io_uring_queue_init(4, &ring, 0) < 0)
		skip("no io_uring");
	check(io_uring_register_buffers(&ring, &iov, 1) == 0);
	check(punch(fd, 0, HUGE / 2) == 0);
	check(lseek(fd, 0, SEEK_DATA) < (off_t)(HUGE / 2));
	check(punch(fd, 0, HUGE) == 0);
	check(lseek(fd, 0, SEEK_DATA) < 0);
	io_uring_queue_exit(&ring);
	return 0;
}
