/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The kernel itself as a user of the file: swap space, and the file behind a loop device. Both are
 * really written to, or nothing would be shown. And the device that the file system is on.
 */

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
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
#include "tests/system/rig.h"

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

/* @a: offset */
int op_loop(const struct doing *doing)
{
	int device = rig_attach(doing->fd);
	int r;

	if (device < 0)
		return device;
	r = whole(pwrite(device, strange_page, MATRIX_PAGE, (off_t)doing->a), MATRIX_PAGE);
	if (r == 0)
		r = negative(fsync(device));
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
