/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* UFFD_USER_MODE_ONLY needs no privilege; touches from user mode are served, system calls on an
 * absent page get EFAULT, and on a present one work. */

#include "kernel.h"

int main(void)
{
	int memory = memory_of(4 * PAGE), pipe_fds[2], uffd;
	struct reader reader;
	unsigned char *at;

	if (geteuid() == 0)
		check(setgid(65534) == 0 && setuid(65534) == 0);
	uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES);
	at = map_of(memory, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	check(register_at(uffd, at, 4 * PAGE, ALL_MODES) == 0);
	check(pipe(pipe_fds) == 0);
	reader_start(&reader, at + PAGE);
	check(next_message(uffd).event == UFFD_EVENT_PAGEFAULT);
	check(pwrite(memory, "a", 1, PAGE) == 1);
	check(continue_at(uffd, at + PAGE, PAGE, 0) == 0);
	check(reader_end(&reader) == 'a');
	check(write(pipe_fds[1], at + 2 * PAGE, 1) < 0 && errno == EFAULT);
	check(write(pipe_fds[1], at + PAGE, 1) == 1);
	return 0;
}
