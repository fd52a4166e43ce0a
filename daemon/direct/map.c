/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The block map by FIEMAP (Documentation/filesystems/fiemap.rst), in batches.
 *
 * The kernel is asked to write out what is dirty before it answers, so that nothing is delayed
 * merely because it is new. A file that is changed meanwhile may be told inconsistently from one
 * batch to the next: what then is out of order is -EAGAIN.
 */

#include "daemon/direct/map.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/cleanup.h"

#define BATCH 256

static uint32_t flags_of(uint32_t fe)
{
	static const struct {
		uint32_t theirs, ours;
	} table[] = {
		{ FIEMAP_EXTENT_UNWRITTEN, EXTENT_UNWRITTEN },
		{ FIEMAP_EXTENT_SHARED, EXTENT_SHARED },
		{ FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_NOT_ALIGNED,
		  EXTENT_INLINE },
		{ FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED, EXTENT_ENCODED },
		{ FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN, EXTENT_DELAYED },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (fe & table[i].theirs)
			flags |= table[i].ours;
	return flags;
}

static int add(struct extents *extents, const struct fiemap_extent *fe, uint64_t start,
	       uint64_t end)
{
	struct extent one = {
		.logical = fe->fe_logical,
		.physical = fe->fe_physical,
		.length = fe->fe_length,
		.flags = flags_of(fe->fe_flags),
	};
	struct extents single = { .v = &one, .n = 1 };
	int r;

	/* a file that keeps no place for it yet says 0 for each */
	if (one.flags & EXTENT_DELAYED)
		one.physical = 0;
	if (one.length == 0)
		return 0;
	r = extents_copy(extents, &single, start, end);
	return r == -EINVAL ? -EAGAIN : r;
}

int map_read(int fd, uint64_t start, uint64_t end, struct extents *ret)
{
	_cleanup_free_ struct fiemap *map =
		calloc(1, sizeof(*map) + BATCH * sizeof(struct fiemap_extent));
	struct extents extents = { 0 };
	bool last = false;
	int r = map ? 0 : -ENOMEM;

	for (uint64_t at = start; r == 0 && !last && at < end;) {
		*map = (struct fiemap){
			.fm_start = at,
			.fm_length = end - at,
			.fm_flags = at == start ? FIEMAP_FLAG_SYNC : 0,
			.fm_extent_count = BATCH,
		};
		if (ioctl(fd, FS_IOC_FIEMAP, map) < 0) {
			r = -errno;
			break;
		}
		last = map->fm_mapped_extents == 0;
		for (uint32_t i = 0; r == 0 && i < map->fm_mapped_extents; i++) {
			const struct fiemap_extent *fe = &map->fm_extents[i];

			r = add(&extents, fe, at, end);
			at = fe->fe_logical + fe->fe_length;
			last = fe->fe_flags & FIEMAP_EXTENT_LAST;
		}
	}
	if (r < 0) {
		extents_deinit(&extents);
		return r;
	}
	*ret = extents;
	return 0;
}
