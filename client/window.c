/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Windows: mappings of memory that the supervisor fills.
 *
 * A window is mapped without any access, so that nothing populates it (mlockall(2) would) before
 * the supervisor has registered it, and it is no child's: a child that touched it would find no one
 * to serve its faults.
 *
 * Unmapping a registered range waits until the supervisor has read of it. That may be never, if it
 * is gone or going. So the range is made inaccessible first, then unregistered through our own copy
 * of the userfaultfd (which wakes threads that are parked there: they get SIGSEGV, and never a page
 * of zeros), and then there is no event left to wait for. None of this may be done while the
 * supervisor still serves the range: it would not hear that another window may be at that address
 * next.
 */

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "client/connection.h"
#include "client/error.h"
#include "client/space.h"

int window_map(struct window *window, int memory, uint64_t offset, uint64_t length, bool write)
{
	uint64_t page = connection_page(), rounded = (length + page - 1) / page * page;
	void *address;

	if (length == 0 || rounded < length || rounded > SIZE_MAX)
		return error_set(ENOMEM, "A window of %llu bytes does not fit an address space",
				 (unsigned long long)length);
	address = mmap(NULL, (size_t)rounded, PROT_NONE, write ? MAP_SHARED : MAP_PRIVATE, memory,
		       (off_t)offset);
	if (address == MAP_FAILED)
		return error_set(errno, "Mapping a window of %llu bytes: %m",
				 (unsigned long long)rounded);
	munlock(address, (size_t)rounded);
	if (madvise(address, (size_t)rounded, MADV_DONTFORK) < 0) {
		munmap(address, (size_t)rounded);
		return error_set(errno, "The window cannot be kept from children: %m");
	}
	window->address = address;
	window->length = (size_t)rounded;
	return 0;
}

int window_open(struct window *window, bool write)
{
	int access = write ? PROT_READ | PROT_WRITE : PROT_READ;

	if (mprotect(window->address, window->length, access) < 0)
		return error_set(errno, "Opening a window of %zu bytes: %m", window->length);
	return 0;
}

void window_unmap(struct window *window, int uffd)
{
	struct uffdio_range range = {
		.start = (uintptr_t)window->address,
		.len = window->length,
	};

	if (!window->address)
		return;
	mprotect(window->address, window->length, PROT_NONE);
	if (uffd >= 0)
		ioctl(uffd, UFFDIO_UNREGISTER, &range);
	munmap(window->address, window->length);
	window->address = NULL;
}
