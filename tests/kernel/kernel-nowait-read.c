/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The owner of a userfaultfd can make it blocking at any time: poll then says POLLERR, and a read
 * with RWF_NOWAIT returns all the same. */

#include <sys/uio.h>

#include "kernel.h"

int main(void)
{
	int uffd = uffd_of(UFFD_USER_MODE_ONLY, SHMEM_FEATURES);
	struct pollfd pollfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg message;
	struct iovec iov = { &message, sizeof(message) };

	check(fcntl(uffd, F_SETFL, 0) == 0);
	check(poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLERR);
	if (preadv2(uffd, &iov, 1, -1, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP)
		skip("userfaultfd does not know RWF_NOWAIT (Linux 6.10)");
	check(errno == EAGAIN);
	return 0;
}
