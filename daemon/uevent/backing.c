/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Asks loop devices. The device is opened for a moment, and never for writing: closing that would
 * be another uevent.
 */

#include "daemon/uevent/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/cleanup.h"

bool backing_is_loop(const char *devname)
{
	const size_t n = strlen(BACKING_LOOP), length = strlen(devname);

	return strncmp(devname, BACKING_LOOP, n) == 0 && length > n && length < 16 &&
	       strspn(devname + n, "0123456789") == length - n;
}

/* As the kernel gives a device number to programs: huge_encode_dev() in its kdev_t.h. */
static dev_t decode_dev(uint64_t encoded)
{
	return makedev((unsigned int)(encoded >> 8 & 0xfff),
		       (unsigned int)((encoded & 0xff) | (encoded >> 12 & 0xfff00)));
}

int backing_look(const char *devname, struct backing *ret)
{
	struct loop_info64 info = { 0 };
	uint64_t before, sequence = 0;
	_cleanup_fd_ int fd = -1;
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/%s", devname);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode) || major(st.st_rdev) != LOOP_MAJOR)
		return -ENOTBLK;
	do {
		before = sequence;
		if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0 ||
		    ioctl(fd, BLKGETDISKSEQ, &sequence) < 0)
			return -errno;
	} while (sequence != before);
	*ret = (struct backing){
		.dev = decode_dev(info.lo_device),
		.ino = (ino_t)info.lo_inode,
		.writes = !(info.lo_flags & LO_FLAGS_READ_ONLY),
		.sequence = sequence,
	};
	return 0;
}
