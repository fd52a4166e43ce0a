/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* MAP_SYNC works on DAX: what is stored is in the file at once; and is refused elsewhere. */

#include "dax.h"

#include <sys/statfs.h>

int main(void)
{
	int fd = dax_file("map-sync", 'a'), elsewhere = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
	unsigned char *at = dax_map(fd), byte;
	struct statx st;

	check(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == 0);
	check(st.stx_attributes_mask & st.stx_attributes & STATX_ATTR_DAX);
	at[PAGE] = 's';
	check(pread(fd, &byte, 1, PAGE) == 1 && byte == 's');
	check(elsewhere >= 0 && ftruncate(elsewhere, FILE_SIZE) == 0);
	check(mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, elsewhere, 0) ==
		      MAP_FAILED &&
	      errno == EOPNOTSUPP);
	unlink("map-sync");
	return 0;
}
