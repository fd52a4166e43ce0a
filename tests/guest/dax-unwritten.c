/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What fallocate allocates is unwritten until it is written: its extents can't be promised yet. */

#include "dax.h"

int main(void)
{
	int fd = dax_file("unwritten", 'a');
	unsigned int flags;

	check(dax_extents(fd, &flags) > 0 && !(flags & FIEMAP_EXTENT_UNWRITTEN));
	check(ftruncate(fd, 0) == 0 && fallocate(fd, 0, 0, FILE_SIZE) == 0);
	check(dax_extents(fd, &flags) > 0 && flags & FIEMAP_EXTENT_UNWRITTEN);
	for (unsigned long page = 0; page < FILE_PAGES; page++)
		check(pwrite(fd, "w", 1, (off_t)(page * PAGE)) == 1);
	check(fsync(fd) == 0);
	check(dax_extents(fd, &flags) > 0 && !(flags & FIEMAP_EXTENT_UNWRITTEN));
	unlink("unwritten");
	return 0;
}
