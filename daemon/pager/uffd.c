/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Wrappers of the userfaultfd ioctls, and what this kernel offers.
 *
 * An ioctl that stopped half-way fails with EAGAIN and has a positive count in its result field;
 * one that did nothing has a negative errno or zero there. Both forms are folded into "so far, and
 * why no further", by going on after each partial success until there is an answer or nothing is
 * left.
 *
 * Nothing here remembers anything but what the kernel was found to offer, once.
 */

#include "daemon/pager/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/pager/pager.h"
#include "daemon/pager/procmap.h"
#include "util/cleanup.h"

#define STACK_TOP 0x7fffffffe000ull

static int answer_of(int error)
{
	switch (error) {
	case EAGAIN:
		return UFFD_AGAIN;
	case EEXIST:
		return UFFD_EXISTS;
	case ENOENT:
		return UFFD_MOVED;
	case EFAULT:
		return UFFD_NO_PAGE;
	case ESRCH:
		return UFFD_LOST;
	default:
		return -error;
	}
}

int uffd_configure(int uffd, uint64_t features, uint64_t *ret_features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	if (ioctl(uffd, UFFDIO_API, &api) < 0)
		/* every feature asked for was seen to be offered: what is left is a second time */
		return errno == EINVAL ? -EBUSY : -errno;
	*ret_features = api.features;
	return 0;
}

int uffd_register(int uffd, uint64_t start, uint64_t length, uint64_t mode)
{
	struct uffdio_register reg = { .range = { start, length }, .mode = mode };

	return ioctl(uffd, UFFDIO_REGISTER, &reg) < 0 ? -errno : 0;
}

int uffd_unregister(int uffd, uint64_t start, uint64_t length)
{
	struct uffdio_range range = { start, length };

	return ioctl(uffd, UFFDIO_UNREGISTER, &range) < 0 ? -errno : 0;
}

int uffd_wake(int uffd, uint64_t start, uint64_t length)
{
	struct uffdio_range range = { start, length };

	return ioctl(uffd, UFFDIO_WAKE, &range) < 0 ? answer_of(errno) : 0;
}

/* What a call that returned @r with @result in its field means; adds progress to *done. 0: go
 * on. */
static int settle(int r, int64_t result, uint64_t *done)
{
	int error = errno;

	if (result > 0)
		*done += (uint64_t)result;
	if (r == 0)
		return 0;
	if (error == EAGAIN && result > 0)
		return 0;
	if (error == EAGAIN && result < 0 && result != -EAGAIN)
		return answer_of((int)-result);
	return answer_of(error);
}

/* A range that is in two mappings (somebody protected or locked a part of it) is refused as a whole, as is
 * one with a hole. Then less of it is tried, down to a page; after that, all that is left. */
struct walk {
	uint64_t length, done, size;
};

static struct walk walk_begin(uint64_t length)
{
	return (struct walk){ .length = length, .size = length };
}

/* What a call on walk->size bytes that returned @r with @result in its field means. 0: go on if there is
 * anything left. */
static int walk_on(struct walk *walk, int r, int64_t result)
{
	r = settle(r, result, &walk->done);
	if (r == UFFD_MOVED && walk->size > PAGE_BYTES) {
		walk->size = walk->size / PAGE_BYTES / 2 * PAGE_BYTES;
		return 0;
	}
	walk->size = walk->length - walk->done;
	return r;
}

int uffd_continue(int uffd, uint64_t start, uint64_t length, uint64_t mode, uint64_t *ret_done)
{
	struct walk walk = walk_begin(length);
	int r = 0;

	while (r == 0 && walk.done < length) {
		struct uffdio_continue arg = {
			.range = { start + walk.done, walk.size },
			.mode = mode,
		};

		r = ioctl(uffd, UFFDIO_CONTINUE, &arg);
		r = walk_on(&walk, r, arg.mapped);
	}
	*ret_done = walk.done;
	return r;
}

int uffd_copy(int uffd, uint64_t start, const void *from, uint64_t length, uint64_t mode,
	      uint64_t *ret_done)
{
	struct walk walk = walk_begin(length);
	int r = 0;

	while (r == 0 && walk.done < length) {
		struct uffdio_copy arg = {
			.dst = start + walk.done,
			.src = (uint64_t)(uintptr_t)from + walk.done,
			.len = walk.size,
			.mode = mode,
		};

		r = ioctl(uffd, UFFDIO_COPY, &arg);
		r = walk_on(&walk, r, arg.copy);
	}
	*ret_done = walk.done;
	return r;
}

int uffd_poison(int uffd, uint64_t start, uint64_t length, uint64_t *ret_done)
{
	struct walk walk = walk_begin(length);
	int r = 0;

	while (r == 0 && walk.done < length) {
		struct uffdio_poison arg = { .range = { start + walk.done, walk.size } };

		r = ioctl(uffd, UFFDIO_POISON, &arg);
		r = walk_on(&walk, r, arg.updated);
	}
	*ret_done = walk.done;
	return r;
}

int uffd_protect(int uffd, uint64_t start, uint64_t length, uint64_t mode)
{
	struct uffdio_writeprotect arg = { .range = { start, length }, .mode = mode };

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &arg) < 0 ? answer_of(errno) : 0;
}

int uffd_read(int uffd, struct uffd_msg *messages, size_t n)
{
	struct iovec iov = { messages, n * sizeof(*messages) };
	ssize_t size = preadv2(uffd, &iov, 1, -1, RWF_NOWAIT);

	if (size < 0 && errno == EOPNOTSUPP) {
		int flags = fcntl(uffd, F_GETFL);

		/* A window of a moment stays, for a holder that clears the flag just now. */
		if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(uffd, F_SETFL, O_NONBLOCK) < 0))
			return -errno;
		size = read(uffd, messages, n * sizeof(*messages));
	}
	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return (int)((size_t)size / sizeof(*messages));
}

int uffd_alive(int uffd)
{
	/* Nothing of ours is at the top of the stack; protecting more than is needed would be
	 * harmless. */
	int r = uffd_protect(uffd, STACK_TOP, PAGE_BYTES, UFFDIO_WRITEPROTECT_MODE_WP);

	return r == UFFD_LOST ? r : 0;
}

/* ---- what the kernel offers -------------------------------------------------------------- */

static int new_uffd(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	return fd < 0 ? -errno : fd;
}

/* CONTINUE with write-protection has no feature bit: map a page of memory with it. */
static int try_wp_continue(bool *ret)
{
	_cleanup_fd_ int uffd = new_uffd(), memory = memfd_create("mapseal-probe", MFD_CLOEXEC);
	uint64_t features, done;
	void *at;
	int r;

	if (uffd < 0)
		return uffd;
	if (memory < 0 || ftruncate(memory, PAGE_BYTES) < 0 || pwrite(memory, "", 1, 0) != 1)
		return -errno;
	r = uffd_configure(uffd,
			   UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |
				   UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
			   &features);
	if (r < 0)
		return r;
	at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (at == MAP_FAILED)
		return -errno;
	r = uffd_register(uffd, (uintptr_t)at, PAGE_BYTES,
			  UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR |
				  UFFDIO_REGISTER_MODE_WP);
	if (r == 0)
		*ret = uffd_continue(uffd, (uintptr_t)at, PAGE_BYTES, UFFDIO_CONTINUE_MODE_WP,
				     &done) == 0;
	munmap(at, PAGE_BYTES);
	return r;
}

static struct pager_kernel kernel;
static int kernel_result;

static void find_out(void)
{
	_cleanup_fd_ int uffd = new_uffd();
	struct uffdio_api api = { .api = UFFD_API };

	if (uffd < 0) {
		kernel_result = uffd;
		return;
	}
	if (ioctl(uffd, UFFDIO_API, &api) < 0) {
		kernel_result = -errno;
		return;
	}
	kernel.features = api.features;
	kernel.poison = api.features & UFFD_FEATURE_POISON;
	kernel.procmap_query = procmap_has_query();
	if ((api.features & UFFD_FEATURES_NEEDED) != UFFD_FEATURES_NEEDED) {
		kernel_result = -EOPNOTSUPP;
		return;
	}
	kernel_result = try_wp_continue(&kernel.wp_continue);
}

int pager_probe(struct pager_kernel *ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_out);
	if (kernel_result < 0)
		return kernel_result;
	*ret = kernel;
	return 0;
}
