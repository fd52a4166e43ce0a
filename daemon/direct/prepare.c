/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every block of a range allocated, written and nobody else's, and all of that on stable storage.
 *
 * Round after round the file is synced and its map is read; what is missing is supplied, and it is
 * looked at again, until a map has nothing to object to. Somebody who changes the file meanwhile
 * costs further rounds, of which there are few.
 *
 * No byte of the file is ever stored here, for a stranger may be writing it at this moment. Holes
 * are allocated (fallocate(2) leaves what is there alone), and what was never written is touched
 * for writing in a mapping (MADV_POPULATE_WRITE): the kernel makes the page dirty with what it
 * has, zeros or a stranger's bytes, and writing it back makes the block a written one. A file that
 * is truncated meanwhile gives EFAULT there, where a store would be the end of the process.
 *
 * Refused are file systems that move blocks when they are overwritten, and extents whose place
 * says nothing about the file's bytes.
 */

#include "daemon/direct/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/direct/map.h"
#include "util/cleanup.h"

#define ROUNDS 4
#define CHUNK (UINT64_C(16) << 20)

/* XFS_IOC_FSGEOMETRY as far as it is of interest: fs/xfs/libxfs/xfs_fs.h, whose header is not
 * everywhere. */
struct xfs_geometry {
	uint8_t before[92];
	uint32_t flags;
	uint8_t after[160];
};
#define XFS_GEOMETRY _IOR('X', 126, struct xfs_geometry)
#define XFS_GEOMETRY_ZONED (UINT32_C(1) << 27)
_Static_assert(sizeof(struct xfs_geometry) == 256, "the kernel's struct xfs_fsop_geom");

#define ALWAYS_COW "/sys/fs/xfs/debug/always_cow"

static int refuse(char why[DIRECT_WHY_MAX], enum direct_error error, const char *text)
{
	snprintf(why, DIRECT_WHY_MAX, "%s", text);
	return (int)error;
}

static int failed(char why[DIRECT_WHY_MAX], int error, const char *what)
{
	snprintf(why, DIRECT_WHY_MAX, "%s: %s", what, strerrordesc_np(error));
	return -error;
}

/* ---- the file system -------------------------------------------------------------------- */

static bool debug_always_cow(void)
{
	_cleanup_fd_ int fd = open(ALWAYS_COW, O_RDONLY | O_CLOEXEC);
	char c;

	return fd >= 0 && read(fd, &c, 1) == 1 && c == '1';
}

static int check_xfs(int fd, char why[DIRECT_WHY_MAX])
{
	struct xfs_geometry geometry = { .flags = 0 };
	struct fsxattr attributes;

	if (debug_always_cow() ||
	    (ioctl(fd, XFS_GEOMETRY, &geometry) == 0 && geometry.flags & XFS_GEOMETRY_ZONED))
		return refuse(why, DIRECT_E_FILE_SYSTEM,
			      "this XFS moves blocks when they are overwritten (always_cow or "
			      "zoned), so no block map can be promised; ask for a WINDOW seal");
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0 &&
	    attributes.fsx_xflags & FS_XFLAG_REALTIME)
		return refuse(why, DIRECT_E_FILE_SYSTEM,
			      "the file's blocks are on the realtime device of XFS, which a block "
			      "map does not tell; ask for a WINDOW seal");
	return 0;
}

static int check_file_system(int fd, char why[DIRECT_WHY_MAX])
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return failed(why, errno, "the file system can't be told");
	if (fs.f_type == EXT4_SUPER_MAGIC)
		return 0;
	if (fs.f_type == XFS_SUPER_MAGIC)
		return check_xfs(fd, why);
	return refuse(why, DIRECT_E_FILE_SYSTEM,
		      "DIRECT seals are for files on ext4 and XFS, where blocks stay in place when "
		      "they are overwritten; ask for a WINDOW seal");
}

/* ---- what is missing -------------------------------------------------------------------- */

/* What a truncated file answers with says less than its size does. */
static int explain(const struct prepare *p, int error, const char *what, char why[DIRECT_WHY_MAX])
{
	struct stat st;

	if (fstat(p->fd, &st) == 0 && (uint64_t)st.st_size < p->end) {
		snprintf(why, DIRECT_WHY_MAX,
			 "the file ends at %" PRIu64 " now, and the range at %" PRIu64,
			 (uint64_t)st.st_size, p->end);
		return DIRECT_E_SHRUNK;
	}
	return failed(why, error, what);
}

static int in_chunks(const struct prepare *p, uint64_t start, uint64_t end,
		     int (*fn)(const struct prepare *p, uint64_t start, uint64_t length))
{
	for (uint64_t at = start; at < end; at += CHUNK) {
		uint64_t length = end - at < CHUNK ? end - at : CHUNK;
		int r;

		if (atomic_load_explicit(p->cancelled, memory_order_relaxed))
			return -ECANCELED;
		r = fn(p, at, length);
		if (r < 0)
			return r;
	}
	return 0;
}

static int unshare(const struct prepare *p, uint64_t start, uint64_t length)
{
	return fallocate(p->fd, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)start,
			 (off_t)length) < 0
		       ? -errno
		       : 0;
}

static int allocate(const struct prepare *p, uint64_t start, uint64_t length)
{
	/* one that is truncated meanwhile must not grow again */
	return fallocate(p->fd, FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)length) < 0 ? -errno : 0;
}

static int touch(const struct prepare *p, uint64_t start, uint64_t length)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = start & ~(page - 1);
	size_t size = (size_t)(start + length - from);
	void *address;
	int r;

	address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, (off_t)from);
	if (address == MAP_FAILED)
		return -errno;
	r = madvise(address, size, MADV_POPULATE_WRITE) < 0 ? -errno : 0;
	munmap(address, size);
	return r;
}

static int touch_unwritten(const struct prepare *p, const struct extents *map)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < map->n; i++)
		if (map->v[i].flags & (EXTENT_UNWRITTEN | EXTENT_DELAYED))
			r = in_chunks(p, map->v[i].logical,
				      map->v[i].logical + map->v[i].length, touch);
	return r;
}

static int fill_gaps(const struct prepare *p, const struct extents *map)
{
	uint64_t start = p->start, end;
	int r = 0;

	while (r == 0 && extents_gap(map, start, p->end, &start, &end)) {
		r = in_chunks(p, start, end, allocate);
		start = end;
	}
	return r;
}

static int supply(const struct prepare *p, const struct extents *map, uint32_t flags,
		  char why[DIRECT_WHY_MAX])
{
	int r;

	if (flags & (EXTENT_INLINE | EXTENT_ENCODED)) {
		char names[64];

		snprintf(why, DIRECT_WHY_MAX,
			 "extents of the range are %s: where they are says nothing about the "
			 "file's bytes; ask for a WINDOW seal",
			 extents_flag_names(flags & (EXTENT_INLINE | EXTENT_ENCODED), names,
					    sizeof(names)));
		return DIRECT_E_LAYOUT;
	}
	if (flags & EXTENT_SHARED && !p->unshare)
		return refuse(why, DIRECT_E_LAYOUT,
			      "extents of the range are shared with another file (reflink), and "
			      "the first write would move them; ask for them to be unshared");
	if (flags & EXTENT_SHARED) {
		r = in_chunks(p, p->start, p->end, unshare);
		return r ? explain(p, -r, "shared extents can't be unshared", why) : 0;
	}
	r = fill_gaps(p, map);
	if (r)
		return explain(p, -r, "blocks can't be allocated", why);
	r = touch_unwritten(p, map);
	return r ? explain(p, -r, "unwritten blocks can't be written", why) : 0;
}

/* *done: *ret is a map to promise. Else something was supplied, and has to be looked at again. */
static int look(const struct prepare *p, struct extents *ret, char why[DIRECT_WHY_MAX], bool *done)
{
	struct extents map = { 0 };
	uint64_t start, end;
	struct stat st;
	uint32_t flags;
	int r;

	if (atomic_load_explicit(p->cancelled, memory_order_relaxed))
		return failed(why, ECANCELED, "nobody waits for it any more");
	if (fstat(p->fd, &st) < 0)
		return failed(why, errno, "the file can't be looked at");
	if ((uint64_t)st.st_size < p->end)
		return explain(p, EIO, "", why);
	if (fsync(p->fd) < 0)
		return failed(why, errno, "the file can't be synced");
	r = map_read(p->fd, p->start, p->end, &map);
	if (r == -EAGAIN)
		return 0;
	if (r < 0)
		return failed(why, -r, "the block map can't be read");
	flags = extents_flags(&map, p->start, p->end);
	if (!flags && !extents_gap(&map, p->start, p->end, &start, &end)) {
		*ret = map;
		*done = true;
		return 0;
	}
	r = supply(p, &map, flags, why);
	extents_deinit(&map);
	return r;
}

int prepare_range(const struct prepare *p, struct extents *ret, char why[DIRECT_WHY_MAX])
{
	bool done = false;
	int r = check_file_system(p->fd, why);

	for (int i = 0; r == 0 && !done && i < ROUNDS; i++)
		r = look(p, ret, why, &done);
	if (r == 0 && !done)
		r = refuse(why, DIRECT_E_BUSY,
			   "somebody goes on changing the blocks of the range; try again");
	return r;
}
