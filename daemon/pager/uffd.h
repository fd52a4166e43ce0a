/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * userfaultfd(2), with the errno and the result field of each ioctl read as one answer.
 *
 * Every function that changes a range goes as far as it can and says how far: 0 with *ret_done ==
 * the length, or an answer about the page at start + *ret_done.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <linux/userfaultfd.h>

#define PAGE_SHIFT 12
#define PAGE_BYTES 4096ull

/* Newer than the oldest headers we build with; whether the kernel has them is found out by
 * trying. */
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
#endif
#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((__u64)1 << 1)
#endif
#ifndef UFFDIO_POISON
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define _UFFDIO_POISON 0x08
#define UFFDIO_POISON _IOWR(UFFDIO, _UFFDIO_POISON, struct uffdio_poison)
#endif

/* Answers; negative numbers are errnos that have no meaning of their own here. */
enum uffd_answer {
	UFFD_AGAIN = 1, /* the address space is changing: read all events, then try again */
	UFFD_EXISTS,	/* something is in this entry already */
	UFFD_MOVED,	/* no such registered mapping any more */
	UFFD_NO_PAGE,	/* CONTINUE: the memory has no such page */
	UFFD_LOST,	/* the address space is gone */
};

#define UFFD_FEATURES_NEEDED                                                                       \
	((uint64_t)(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |                           \
		    UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP |                         \
		    UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |                        \
		    UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |             \
		    UFFD_FEATURE_THREAD_ID))

/* Does UFFDIO_API. -EBUSY: somebody did that already. */
int uffd_configure(int uffd, uint64_t features, uint64_t *ret_features);

int uffd_register(int uffd, uint64_t start, uint64_t length, uint64_t mode);
int uffd_unregister(int uffd, uint64_t start, uint64_t length);
int uffd_wake(int uffd, uint64_t start, uint64_t length);

int uffd_continue(int uffd, uint64_t start, uint64_t length, uint64_t mode, uint64_t *ret_done);
int uffd_copy(int uffd, uint64_t start, const void *from, uint64_t length, uint64_t mode,
	      uint64_t *ret_done);
int uffd_poison(int uffd, uint64_t start, uint64_t length, uint64_t *ret_done);

/* All of it or nothing. @mode: UFFDIO_WRITEPROTECT_MODE_*. */
int uffd_protect(int uffd, uint64_t start, uint64_t length, uint64_t mode);

/* Takes up to @n messages. How many, 0 if there are none, -errno. Never blocks, whatever the other
 * owners of the description do to its flags, where the kernel has RWF_NOWAIT for it (6.10). */
int uffd_read(int uffd, struct uffd_msg *messages, size_t n);

/* 0, or UFFD_LOST. */
int uffd_alive(int uffd);
