/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reclaim takes a page of a memfd out of the page table before it finds that there is no other place for it:
 * what userfaultfd put there for system calls is gone. In a locked range it stays, though it was locked
 * before the page came. */

#include "kernel.h"

static int out(const unsigned char *at)
{
	int fds[2], r;

	check(pipe(fds) == 0);
	r = write(fds[1], at, 1) == 1 ? 0 : -errno;
	close(fds[0]);
	close(fds[1]);
	return r;
}

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES), memory = memory_of(2 * PAGE);
	unsigned char *at = map_of(memory, 2 * PAGE, PROT_READ, MAP_PRIVATE);

	need_root();
	check(register_at(uffd, at, 2 * PAGE,
			  UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR) == 0);
	check(mlock2(at + PAGE, PAGE, MLOCK_ONFAULT) == 0);
	check(pwrite(memory, "a", 1, 0) == 1 && pwrite(memory, "b", 1, PAGE) == 1);
	/* a range in two mappings is refused as a whole */
	check(continue_at(uffd, at, 2 * PAGE, 0) < 0 && errno == ENOENT);
	check(continue_at(uffd, at, PAGE, 0) == 0 && continue_at(uffd, at + PAGE, PAGE, 0) == 0);
	check(out(at) == 0 && out(at + PAGE) == 0);
	check(madvise(at, PAGE, MADV_PAGEOUT) == 0);
	printf("not locked: %s\n", out(at) == 0 ? "still there" : "gone");
	madvise(at + PAGE, PAGE, MADV_PAGEOUT);
	check(out(at + PAGE) == 0);
	return 0;
}
