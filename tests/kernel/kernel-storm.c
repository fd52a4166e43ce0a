/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Threads in madvise can keep WRITEPROTECT from completing for as long as they like; a punch needs
 * nothing of the address space, and takes the pages meanwhile. */

#include "kernel.h"

static void *storm(void *at)
{
	for (;;)
		madvise(at, PAGE, MADV_DONTNEED);
	return at;
}

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES | UFFD_FEATURE_EVENT_REMOVE);
	int memory = memory_of(64 * PAGE), again = 0;
	unsigned char *at = map_of(memory, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct uffd_msg message;
	pthread_t threads[4];

	check(register_at(uffd, at, 64 * PAGE, ALL_MODES) == 0);
	check(pwrite(memory, "a", 1, 0) == 1);
	for (unsigned int i = 0; i < 4; i++)
		check(pthread_create(&threads[i], NULL, storm, at + i * PAGE) == 0);
	for (int i = 0; i < 4; i++)
		check(next_message(uffd).event == UFFD_EVENT_REMOVE);
	for (int i = 0; i < 500; i++) {
		for (int n = 0; n < 16 && read(uffd, &message, sizeof(message)) > 0; n++)
			;
		if (protect_at(uffd, at, 64 * PAGE, true) < 0) {
			check(errno == EAGAIN);
			again++;
		}
	}
	check(again > 0);
	check(punch(memory, 0, 64 * PAGE) == 0);
	check(lseek(memory, 0, SEEK_DATA) < 0 && errno == ENXIO);
	printf("EAGAIN %d times of 500\n", again);
	fflush(stdout);
	_exit(0); /* without waiting for threads that wait for events */
}
