/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A read-only description of a memfd can be registered if it is mapped private, not if it is
 * shared; CONTINUE serves it, a punch takes its pages, a resize to nothing makes it SIGBUS. */

#include "kernel.h"

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES), memory = memory_of(4 * PAGE),
	    readonly;
	struct reader reader;
	unsigned char *at;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	readonly = open(path, O_RDONLY | O_CLOEXEC);
	check(readonly >= 0);
	at = map_of(readonly, 4 * PAGE, PROT_READ, MAP_SHARED);
	check(register_at(uffd, at, 4 * PAGE, UFFDIO_REGISTER_MODE_MISSING) < 0 && errno == EPERM);
	at = map_of(readonly, 4 * PAGE, PROT_READ, MAP_PRIVATE);
	check(register_at(uffd, at, 4 * PAGE,
			  UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR) == 0);
	check(pwrite(memory, "a", 1, 0) == 1);
	check(continue_at(uffd, at, PAGE, 0) == 0);
	check(at[0] == 'a');
	check(punch(memory, 0, 4 * PAGE) == 0);
	reader_start(&reader, at);
	check(next_message(uffd).event == UFFD_EVENT_PAGEFAULT);
	check(pwrite(memory, "b", 1, 0) == 1);
	check(continue_at(uffd, at, PAGE, 0) == 0);
	check(reader_end(&reader) == 'b');
	check(ftruncate(memory, 0) == 0);
	check(is_sigbus(at) && is_sigbus(at + PAGE));
	return 0;
}
