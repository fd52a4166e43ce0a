/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Operations on the layout by a descriptor: size, allocation, and extents that are shared, moved
 * or exchanged. In those between two files @a is 0 if the sealed one is the source.
 *
 * XFS's own ioctls are declared here as its kernel has them: their header is no part of the
 * kernel's.
 */

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/matrix/functions.h"

#define FEW_PAGES (4 * MATRIX_PAGE)

/* @a: the size */
int op_ftruncate(const struct doing *doing)
{
	return negative(ftruncate(doing->fd, (off_t)doing->a));
}

/* @a: mode, @b: offset */
int op_fallocate(const struct doing *doing)
{
	return negative(fallocate(doing->fd, (int)doing->a, (off_t)doing->b, FEW_PAGES));
}

/* ---- two files --------------------------------------------------------------------------- */

struct two {
	int other, source, target;
};

static int two_files(const struct doing *doing, bool onto, struct two *ret)
{
	ret->other = open(doing->other, O_RDWR | O_CLOEXEC);
	ret->source = onto ? ret->other : doing->fd;
	ret->target = onto ? doing->fd : ret->other;
	return negative(ret->other);
}

/* What came from the sealed file is what the operation saw of it. */
static int done(const struct doing *doing, const struct two *two, bool onto, size_t at, int r)
{
	close(two->other);
	return r < 0 || onto ? r : see_other(doing, at, SEAL_START);
}

int op_clone(const struct doing *doing)
{
	struct two two;
	int r = two_files(doing, doing->a, &two);

	if (r == 0)
		r = done(doing, &two, doing->a, SEAL_START,
			 negative(ioctl(two.target, FICLONE, two.source)));
	return r;
}

int op_clone_range(const struct doing *doing)
{
	struct two two;
	int r = two_files(doing, doing->a, &two);
	struct file_clone_range range = {
		.src_fd = two.source,
		.src_offset = doing->a ? 0 : SEAL_START,
		.src_length = FEW_PAGES,
		.dest_offset = doing->a ? INSIDE : 0,
	};

	if (r == 0)
		r = done(doing, &two, doing->a, 0,
			 negative(ioctl(two.target, FICLONERANGE, &range)));
	return r;
}

int op_dedupe(const struct doing *doing)
{
	_Alignas(struct file_dedupe_range) char room[sizeof(struct file_dedupe_range) +
						     sizeof(struct file_dedupe_range_info)] = { 0 };
	struct file_dedupe_range *range = (struct file_dedupe_range *)room;
	struct two two;
	int r = two_files(doing, doing->a, &two);

	if (r < 0)
		return r;
	range->src_offset = range->info[0].dest_offset = INSIDE;
	range->src_length = FEW_PAGES;
	range->dest_count = 1;
	range->info[0].dest_fd = two.target;
	r = negative(ioctl(two.source, FIDEDUPERANGE, range));
	if (r == 0 && range->info[0].status != FILE_DEDUPE_RANGE_SAME)
		r = range->info[0].status < 0 ? range->info[0].status : -EILSEQ;
	close(two.other);
	return r;
}

int op_copy(const struct doing *doing)
{
	loff_t from = doing->a ? 0 : SEAL_START, to = doing->a ? INSIDE : 0;
	struct two two;
	int r = two_files(doing, doing->a, &two);

	if (r == 0)
		r = done(doing, &two, doing->a, 0,
			 whole(copy_file_range(two.source, &from, two.target, &to, FEW_PAGES, 0),
			       FEW_PAGES));
	return r;
}

/* ---- a file system's own ----------------------------------------------------------------- */

struct ext4_move_extent {
	uint32_t reserved, donor_fd;
	uint64_t orig_start, donor_start, len, moved_len; /* blocks */
};

#define EXT4_IOC_MOVE_EXT _IOWR('f', 15, struct ext4_move_extent)

int op_ext4_move(const struct doing *doing)
{
	struct two two;
	int r = two_files(doing, true, &two);
	struct ext4_move_extent move = { .donor_fd = (uint32_t)two.other };
	struct statfs fs;

	if (r < 0)
		return r;
	r = negative(fstatfs(doing->fd, &fs));
	move.orig_start = move.donor_start = INSIDE / (uint64_t)fs.f_bsize;
	move.len = FEW_PAGES / (uint64_t)fs.f_bsize;
	if (r == 0)
		r = negative(ioctl(doing->fd, EXT4_IOC_MOVE_EXT, &move));
	if (r == 0 && move.moved_len != move.len)
		r = -EIO;
	close(two.other);
	return r;
}

struct xfs_time {
	long sec;
	int32_t nsec;
};

struct xfs_swapext {
	int64_t version, target, other, offset, length;
	char pad[16];
	struct {
		uint64_t ino;
		uint16_t mode, nlink;
		uint32_t uid, gid, rdev;
		int32_t blksize;
		int64_t size;
		struct xfs_time atime, mtime, ctime;
		char rest[48];
	} stat;
};

#define XFS_IOC_SWAPEXT _IOWR('X', 109, struct xfs_swapext)

int op_xfs_swap(const struct doing *doing)
{
	struct xfs_swapext swap = { .target = doing->fd, .length = FILE_SIZE };
	struct stat st;
	struct two two;
	int r = two_files(doing, true, &two);

	_Static_assert(sizeof(swap) == 192, "as the kernel has it");
	if (r < 0)
		return r;
	r = negative(fstat(doing->fd, &st));
	swap.other = two.other;
	swap.stat.mtime = (struct xfs_time){ st.st_mtim.tv_sec, (int32_t)st.st_mtim.tv_nsec };
	swap.stat.ctime = (struct xfs_time){ st.st_ctim.tv_sec, (int32_t)st.st_ctim.tv_nsec };
	if (r == 0)
		r = negative(ioctl(doing->fd, XFS_IOC_SWAPEXT, &swap));
	close(two.other);
	return r;
}

struct xfs_exchange_range {
	int32_t fd, pad;
	uint64_t offset1, offset2, length, flags;
};

#define XFS_IOC_EXCHANGE_RANGE _IOW('X', 129, struct xfs_exchange_range)

int op_xfs_exchange(const struct doing *doing)
{
	struct two two;
	int r = two_files(doing, true, &two);
	struct xfs_exchange_range range = {
		.fd = two.other,
		.offset1 = INSIDE,
		.offset2 = INSIDE,
		.length = FEW_PAGES,
	};

	if (r < 0)
		return r;
	r = negative(ioctl(doing->fd, XFS_IOC_EXCHANGE_RANGE, &range));
	close(two.other);
	return r;
}

int op_btrfs_defrag(const struct doing *doing)
{
	return negative(ioctl(doing->fd, BTRFS_IOC_DEFRAG, NULL));
}

/* ---- attributes -------------------------------------------------------------------------- */

static int change_flags(int fd, unsigned int on, unsigned int off)
{
	unsigned int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -errno;
	flags = (flags | on) & ~off;
	return negative(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* @a: on, and off again */
int op_chattr(const struct doing *doing)
{
	int r = change_flags(doing->fd, (unsigned int)doing->a, 0);

	return r < 0 ? r : change_flags(doing->fd, 0, (unsigned int)doing->a);
}
