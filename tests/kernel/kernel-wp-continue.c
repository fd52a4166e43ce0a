/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A page mapped by CONTINUE with write-protection faults once, on its first write; CONTINUE over a
 * range that is mapped in part stops there, says how far it got, then says EEXIST. */

#include "kernel.h"

static void *write_it(void *at)
{
	*(volatile unsigned char *)at = 'w';
	return NULL;
}

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES), memory = memory_of(8 * PAGE);
	unsigned char *at = map_of(memory, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct uffdio_continue arg = {
		.range = { (uintptr_t)at, 8 * PAGE },
		.mode = UFFDIO_CONTINUE_MODE_WP,
	};
	struct uffd_msg message;
	pthread_t thread;

	check(register_at(uffd, at, 8 * PAGE, ALL_MODES) == 0);
	for (unsigned int i = 0; i < 8; i++)
		check(pwrite(memory, "a", 1, (off_t)(i * PAGE)) == 1);
	if (continue_at(uffd, at + 4 * PAGE, PAGE, UFFDIO_CONTINUE_MODE_WP) < 0 && errno == EINVAL)
		skip("no CONTINUE with write-protection (Linux 6.4)");
	check(ioctl(uffd, UFFDIO_CONTINUE, &arg) < 0 && errno == EAGAIN && arg.mapped == 4 * PAGE);
	arg.range.start += 4 * PAGE;
	arg.range.len -= 4 * PAGE;
	check(ioctl(uffd, UFFDIO_CONTINUE, &arg) < 0 && errno == EEXIST && arg.mapped == -EEXIST);
	check(at[0] == 'a');
	check(pthread_create(&thread, NULL, write_it, at) == 0);
	message = next_message(uffd);
	check(message.event == UFFD_EVENT_PAGEFAULT &&
	      message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	check(protect_at(uffd, at, PAGE, false) == 0);
	pthread_join(thread, NULL);
	check(at[0] == 'w');
	/* a page that the memory has not is EFAULT */
	check(punch(memory, 7 * PAGE, PAGE) == 0);
	check(continue_at(uffd, at + 7 * PAGE, PAGE, 0) < 0 && errno == EFAULT);
	return 0;
}
