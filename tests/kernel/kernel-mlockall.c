/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* After mlockall(MCL_FUTURE) a mapping is populated with zeros before it can be registered, unless
 * it is PROT_NONE; opened after registering, its pages fault. */

#include "kernel.h"

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES);
	int open_memory = memory_of(4 * PAGE), memory = memory_of(4 * PAGE);
	struct reader reader;
	unsigned char *at;

	if (sanitized())
		skip("sanitizers make mlockall() do nothing");
	if (mlockall(MCL_FUTURE) < 0)
		skip("no mlockall for this user");
	at = map_of(open_memory, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	check(lseek(open_memory, 0, SEEK_DATA) == 0);
	munmap(at, 4 * PAGE);
	at = map_of(memory, 4 * PAGE, PROT_NONE, MAP_SHARED);
	check(lseek(memory, 0, SEEK_DATA) < 0);
	check(register_at(uffd, at, 4 * PAGE, ALL_MODES) == 0);
	munlockall();
	check(mprotect(at, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
	reader_start(&reader, at);
	check(next_message(uffd).event == UFFD_EVENT_PAGEFAULT);
	check(pwrite(memory, "a", 1, 0) == 1);
	check(continue_at(uffd, at, PAGE, 0) == 0);
	check(reader_end(&reader) == 'a');
	return 0;
}
