/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table of operations, and what their functions share.
 *
 * A descriptor is opened exactly as the operation needs it, so that what is measured in a column
 * "opened before" is what can be done with a descriptor from before, and nothing else.
 */

#include "tests/matrix/operations.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <liburing.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/matrix/functions.h"

const struct operation operations[] = {
#define OPERATION(name, flags, fn, a, b) { name, flags, fn, a, b },
#include "tests/matrix/operations.def"
#undef OPERATION
};

const size_t n_operations = sizeof(operations) / sizeof(operations[0]);

unsigned char strange_page[4096] __attribute__((aligned(4096))) = { [0 ... 4095] = 's' };

int operation_open(const struct operation *operation, struct doing *doing)
{
	int flags = O_CLOEXEC;

	doing->fd = -1;
	if (!(operation->flags & (READS | WRITES)))
		return 0;
	flags |= operation->flags & WRITES ? O_RDWR : O_RDONLY;
	flags |= operation->flags & APPENDS ? O_APPEND : 0;
	flags |= operation->flags & UNCACHED ? O_DIRECT : 0;
	doing->fd = open(doing->path, flags);
	if (doing->fd < 0)
		return -errno;
	if (!(operation->flags & MAPPED))
		return 0;
	doing->map = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, doing->fd, 0);
	return doing->map == MAP_FAILED ? -errno : 0;
}

int see_other(const struct doing *doing, size_t at_there, size_t at_here)
{
	int fd = open(doing->other, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = whole(pread(fd, doing->seen->bytes, MATRIX_PAGE, (off_t)at_there), MATRIX_PAGE);
	if (r == 0) {
		doing->seen->at = at_here;
		doing->seen->n = MATRIX_PAGE;
	}
	close(fd);
	return r;
}
