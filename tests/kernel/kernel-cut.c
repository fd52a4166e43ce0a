/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Past the end of a memfd a touch is SIGBUS, of which a userfaultfd is not told; cutting takes pages and
 * marks of POISON out of every mapping, and when the memfd grows again a touch waits as for any page that
 * is not there. */

#include "kernel.h"

static void cut(int prot, int flags)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES);
	int memory = memory_of(4 * PAGE), mapped;
	struct uffd_msg message;
	struct reader reader;
	unsigned char *at;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	mapped = open(path, (prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	check(mapped >= 0);
	at = map_of(mapped, 4 * PAGE, prot, flags);
	check(register_at(uffd, at, 4 * PAGE,
			  UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR) == 0);
	check(pwrite(memory, "a", 1, 0) == 1 && pwrite(memory, "b", 1, 2 * PAGE) == 1);
	check(continue_at(uffd, at, PAGE, 0) == 0);
	check(continue_at(uffd, at + 2 * PAGE, PAGE, 0) == 0);
	poison_at(uffd, at + 3 * PAGE); /* where there is such a thing */
	check(ftruncate(memory, PAGE) == 0);
	check(at[0] == 'a');
	for (int page = 1; page < 4; page++)
		check(is_sigbus(at + (unsigned int)page * PAGE));
	check(read(uffd, &message, sizeof(message)) < 0 && errno == EAGAIN);
	check(ftruncate(memory, 4 * PAGE) == 0);
	for (unsigned int page = 2; page < 4; page++) {
		reader_start(&reader, at + page * PAGE);
		check(next_message(uffd).event == UFFD_EVENT_PAGEFAULT);
		check(pwrite(memory, "c", 1, (off_t)(page * PAGE)) == 1);
		check(continue_at(uffd, at + page * PAGE, PAGE, 0) == 0);
		check(reader_end(&reader) == 'c');
	}
}

int main(void)
{
	cut(PROT_READ, MAP_PRIVATE);
	cut(PROT_READ | PROT_WRITE, MAP_SHARED);
	return 0;
}
