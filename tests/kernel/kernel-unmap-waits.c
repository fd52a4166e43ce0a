/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* munmap returns when its event was read, not before, and until then nothing can be changed
 * there. */

#include <stdatomic.h>

#include "kernel.h"

static _Atomic bool returned;

static void *unmap(void *at)
{
	munmap(at, 4 * PAGE);
	returned = true;
	return NULL;
}

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES | UFFD_FEATURE_EVENT_UNMAP);
	int memory = memory_of(4 * PAGE);
	unsigned char *at = map_of(memory, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct pollfd pollfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg message;
	pthread_t thread;

	check(register_at(uffd, at, 4 * PAGE, ALL_MODES) == 0);
	check(pthread_create(&thread, NULL, unmap, at) == 0);
	check(poll(&pollfd, 1, -1) == 1);
	check(!returned);
	check(protect_at(uffd, at, PAGE, true) < 0 && errno == EAGAIN);
	message = next_message(uffd);
	check(message.event == UFFD_EVENT_UNMAP && message.arg.remove.start == (uintptr_t)at &&
	      message.arg.remove.end == (uintptr_t)at + 4 * PAGE);
	pthread_join(thread, NULL);
	check(returned);
	return 0;
}
