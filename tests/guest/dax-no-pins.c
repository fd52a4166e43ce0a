/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Long-term pins of a file's mapping are refused, on DAX too; those of a memfd are not. */

#include <liburing.h>

#include "dax.h"

static int pin(unsigned char *at)
{
	struct iovec iov = { at, FILE_SIZE };
	struct io_uring ring;
	int r;

	check(io_uring_queue_init(4, &ring, 0) == 0);
	r = io_uring_register_buffers(&ring, &iov, 1);
	io_uring_queue_exit(&ring);
	return r;
}

int main(void)
{
	int fd = dax_file("no-pins", 'a'), memory = memory_of(FILE_SIZE), r;

	need_root(); /* for the limit on locked memory */
	check(pin(map_of(memory, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED)) == 0);
	r = pin(dax_map(fd));
	check(r == -EOPNOTSUPP || r == -EFAULT);
	r = pin(map_of(fd, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED));
	check(r == -EOPNOTSUPP || r == -EFAULT);
	unlink("no-pins");
	return 0;
}
