/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The kernel itself as a user of the file: swap space, and the file behind a loop device. Both are
 * really written to, or nothing would be shown. And the device that the file system is on.
 */

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/matrix/functions.h"

#define SWAPPED (FILE_SIZE - 2 * MATRIX_PAGE)

/* Pages of ours go out to it, and come in again when it is switched off. One at a time: where there
 * are two of a priority each gets some. */
int op_swap(const struct doing *doing)
{
	char *pages =
		mmap(NULL, SWAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int turn = open(doing->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (pages == MAP_FAILED || turn < 0 || flock(turn, LOCK_EX) < 0)
		return -errno;
	for (size_t i = 0; i < SWAPPED; i += MATRIX_PAGE)
		memcpy(pages + i, strange_page, MATRIX_PAGE);
	r = negative(swapon(doing->path, SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK));
	if (r == 0) {
		r = negative(madvise(pages, SWAPPED, MADV_PAGEOUT));
		if (swapoff(doing->path) < 0)
			r = -errno;
	}
	close(turn);
	munmap(pages, SWAPPED);
	return r;
}

/* The free one that is named may be another's by then, or on its way out. */
static int attach(int file)
{
	struct loop_config config = {
		.fd = (uint32_t)file,
		.block_size = MATRIX_PAGE,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int device, r;

	if (control < 0)
		return -errno;
	do {
		char name[32];

		snprintf(name, sizeof(name), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
		device = open(name, O_RDWR | O_CLOEXEC);
		r = device < 0 ? -errno : negative(ioctl(device, LOOP_CONFIGURE, &config));
		if (r < 0 && device >= 0)
			close(device);
	} while (r == -EBUSY || r == -ENXIO);
	close(control);
	return r < 0 ? r : device;
}

/* @a: offset */
int op_loop(const struct doing *doing)
{
	int device = attach(doing->fd);
	int r;

	if (device < 0)
		return device;
	r = whole(pwrite(device, strange_page, MATRIX_PAGE, (off_t)doing->a), MATRIX_PAGE);
	if (r == 0)
		r = negative(fsync(device));
	ioctl(device, LOOP_CLR_FD, 0);
	close(device);
	return r;
}

/* @a: offset. Where btrfs has a block on its device is in none of its answers. */
int op_raw(const struct doing *doing)
{
	_Alignas(struct fiemap) char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)] = {
		0
	};
	struct fiemap *map = (struct fiemap *)room;
	struct statfs fs;
	struct stat st;
	int device, r;

	map->fm_start = doing->a;
	map->fm_length = MATRIX_PAGE;
	map->fm_extent_count = 1;
	if (fstatfs(doing->fd, &fs) < 0 || fstat(doing->fd, &st) < 0 ||
	    ioctl(doing->fd, FS_IOC_FIEMAP, map) < 0)
		return -errno;
	if (fs.f_type == BTRFS_SUPER_MAGIC || map->fm_mapped_extents != 1)
		return -EOPNOTSUPP;
	if (mknod(doing->spare, S_IFBLK | 0600, st.st_dev) < 0)
		return -errno;
	device = open(doing->spare, O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (device < 0)
		return -errno;
	r = whole(pwrite(device, strange_page, MATRIX_PAGE,
			 (off_t)(map->fm_extents[0].fe_physical + doing->a -
				 map->fm_extents[0].fe_logical)),
		  MATRIX_PAGE);
	close(device);
	return r;
}
