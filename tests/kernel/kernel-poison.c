/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* POISON wants an empty entry: the marker that write-protecting an absent page leaves is in its
 * way, survives a punch, and goes when the protection is taken off. POISON survives a punch too, and CONTINUE
 * puts a page in its place. */

#include "kernel.h"

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES | UFFD_FEATURE_POISON);
	int memory = memory_of(4 * PAGE);
	unsigned char *at = map_of(memory, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	check(register_at(uffd, at, 4 * PAGE, ALL_MODES) == 0);
	check(protect_at(uffd, at, 4 * PAGE, true) == 0);
	check(poison_at(uffd, at) < 0 && errno == EEXIST);
	check(punch(memory, 0, 4 * PAGE) == 0);
	check(poison_at(uffd, at) < 0 && errno == EEXIST);
	check(protect_at(uffd, at, PAGE, false) == 0);
	check(poison_at(uffd, at) == 0);
	check(is_sigbus(at));
	check(punch(memory, 0, 4 * PAGE) == 0);
	check(is_sigbus(at));
	check(pwrite(memory, "a", 1, 0) == 1);
	check(continue_at(uffd, at, PAGE, 0) == 0);
	check(at[0] == 'a');
	return 0;
}
