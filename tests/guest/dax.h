/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * For tests of what the kernel does with files on DAX; no code of ours. They work in the directory
 * that $GUEST_DIRECTORY names, which has to be on a file system mounted so, and leave nothing there.
 */

#include <linux/fiemap.h>
#include <linux/fs.h>

#include "tests/kernel/kernel.h"

#define FILE_PAGES 512ul
#define FILE_SIZE (FILE_PAGES * PAGE)

/* A new file of FILE_SIZE bytes of @fill, on disk, and still under its name. */
static inline int dax_file(const char *name, int fill)
{
	const char *directory = getenv("GUEST_DIRECTORY");
	unsigned char *bytes = malloc(FILE_SIZE);
	int fd;

	check(directory && chdir(directory) == 0 && bytes);
	unlink(name);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	check(fd >= 0);
	memset(bytes, fill, FILE_SIZE);
	check(write(fd, bytes, FILE_SIZE) == (ssize_t)FILE_SIZE && fsync(fd) == 0);
	free(bytes);
	return fd;
}

/* A file on DAX has to be mapped so, or it is none. */
static inline unsigned char *dax_map(int fd)
{
	return map_of(fd, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC);
}

/* The flags of all extents of @fd, or-ed; how many there are. */
static inline unsigned int dax_extents(int fd, unsigned int *ret_flags)
{
	enum { N = 64 };
	struct fiemap *map = calloc(1, sizeof(*map) + N * sizeof(struct fiemap_extent));
	unsigned int n;

	check(map);
	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = N;
	check(ioctl(fd, FS_IOC_FIEMAP, map) == 0);
	n = map->fm_mapped_extents;
	*ret_flags = 0;
	for (unsigned int i = 0; i < n; i++)
		*ret_flags |= map->fm_extents[i].fe_flags;
	free(map);
	return n;
}
