/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Nobody gets to serve or to stop faults of a file's mapping by userfaultfd. */

#include "dax.h"

static void refused(const unsigned char *at)
{
	static const uint64_t modes[] = {
		UFFDIO_REGISTER_MODE_MISSING,
		UFFDIO_REGISTER_MODE_MINOR,
		UFFDIO_REGISTER_MODE_WP,
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES);

		check(register_at(uffd, at, FILE_SIZE, modes[i]) < 0 && errno == EINVAL);
		close(uffd);
	}
}

int main(void)
{
	int fd = dax_file("no-faults", 'a');

	refused(dax_map(fd));
	refused(map_of(fd, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED));
	unlink("no-faults");
	return 0;
}
