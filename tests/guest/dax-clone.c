/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* On XFS a clone shares the extents under a mapping, and a store through it then moves the block, both without a word
 * to the mapper. ext4 has no clones, and does not move extents on DAX. */

#include "dax.h"

struct move_extent {
	uint32_t reserved, donor_fd;
	uint64_t orig_start, donor_start, len, moved_len;
};
#define EXT4_IOC_MOVE_EXT _IOWR('f', 15, struct move_extent)

static void no_clones(int fd, int clone)
{
	struct move_extent move = { .donor_fd = (uint32_t)clone, .len = FILE_PAGES };

	check(errno == EOPNOTSUPP);
	check(ioctl(fd, EXT4_IOC_MOVE_EXT, &move) < 0 && errno == EOPNOTSUPP);
}

int main(void)
{
	int fd = dax_file("cloned", 'a'), clone = dax_file("clone", 'b');
	unsigned char *at = dax_map(fd), byte;
	unsigned int flags;

	at[0] = 'm';
	check(dax_extents(fd, &flags) > 0 && !(flags & FIEMAP_EXTENT_SHARED));
	if (ioctl(clone, FICLONE, fd) < 0) {
		no_clones(fd, clone);
	} else {
		check(dax_extents(fd, &flags) > 0 && flags & FIEMAP_EXTENT_SHARED);
		at[0] = 'n';
		check(pread(fd, &byte, 1, 0) == 1 && byte == 'n');
		check(pread(clone, &byte, 1, 0) == 1 && byte == 'm');
	}
	unlink("cloned");
	unlink("clone");
	return 0;
}
