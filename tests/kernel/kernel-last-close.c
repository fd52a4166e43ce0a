/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* When the last descriptor of a userfaultfd is closed, threads that wait go on with zero pages, and
 * leave them in the memory. While a copy is open they wait. */

#include "kernel.h"

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES), memory = memory_of(4 * PAGE);
	unsigned char *at = map_of(memory, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct reader reader;
	int copy = dup(uffd);

	check(register_at(uffd, at, 4 * PAGE, ALL_MODES) == 0);
	reader_start(&reader, at);
	check(next_message(uffd).event == UFFD_EVENT_PAGEFAULT);
	close(uffd);
	/* served through the copy */
	check(pwrite(memory, "a", 1, 0) == 1);
	check(continue_at(copy, at, PAGE, 0) == 0);
	check(reader_end(&reader) == 'a');
	reader_start(&reader, at + PAGE);
	check(next_message(copy).event == UFFD_EVENT_PAGEFAULT);
	check(lseek(memory, PAGE, SEEK_DATA) < 0);
	close(copy);
	check(reader_end(&reader) == 0);
	check(lseek(memory, PAGE, SEEK_DATA) == PAGE);
	return 0;
}
