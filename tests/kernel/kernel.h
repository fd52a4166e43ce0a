/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * For tests of what the kernel does: no code of ours but the constants.
 *
 * Each program pins one assumption that the pager is built on, so that a new kernel tells on
 * itself. 77: this kernel lacks the thing, or this user the right.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/pager/uffd.h"

#define PAGE 4096ul
#define SHMEM_FEATURES                                                                             \
	(UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_PAGEFAULT_FLAG_WP |  \
	 UFFD_FEATURE_WP_HUGETLBFS_SHMEM)
#define ALL_MODES                                                                                  \
	(UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP)

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__,            \
				#condition, strerror(errno));                                      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Sanitizers put functions of their own before the C library's. */
static inline bool sanitized(void)
{
	const char *sanitizer = getenv("SANITIZER");

	return sanitizer && strcmp(sanitizer, "no") != 0;
}

static inline void skip(const char *why)
{
	printf("skipped: %s\n", why);
	exit(77);
}

static inline void need_root(void)
{
	if (geteuid() != 0)
		skip("needs root");
}

/* A configured userfaultfd. */
static inline int uffd_of(int flags, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);

	if (uffd < 0)
		skip("no userfaultfd for this user");
	if (ioctl(uffd, UFFDIO_API, &api) < 0)
		skip("this kernel's userfaultfd lacks a feature");
	return uffd;
}

static inline int memory_of(size_t size)
{
	int fd = memfd_create("kernel-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	check(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static inline unsigned char *map_of(int fd, size_t size, int prot, int flags)
{
	unsigned char *at = mmap(NULL, size, prot, flags, fd, 0);

	check(at != MAP_FAILED);
	return at;
}

static inline int register_at(int uffd, const void *at, size_t size, uint64_t mode)
{
	struct uffdio_register reg = { .range = { (uintptr_t)at, size }, .mode = mode };

	return ioctl(uffd, UFFDIO_REGISTER, &reg);
}

static inline int continue_at(int uffd, const void *at, size_t size, uint64_t mode)
{
	struct uffdio_continue arg = { .range = { (uintptr_t)at, size }, .mode = mode };

	return ioctl(uffd, UFFDIO_CONTINUE, &arg);
}

static inline int protect_at(int uffd, const void *at, size_t size, bool on)
{
	struct uffdio_writeprotect arg = {
		.range = { (uintptr_t)at, size },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &arg);
}

static inline int poison_at(int uffd, const void *at)
{
	struct uffdio_poison arg = { .range = { (uintptr_t)at, PAGE } };

	return ioctl(uffd, UFFDIO_POISON, &arg);
}

static inline int punch(int fd, off_t offset, off_t size)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

/* Waits for a message. */
static inline struct uffd_msg next_message(int uffd)
{
	struct pollfd pollfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg message;

	while (read(uffd, &message, sizeof(message)) != sizeof(message)) {
		check(errno == EAGAIN);
		check(poll(&pollfd, 1, -1) == 1);
		check(!(pollfd.revents & POLLERR));
	}
	return message;
}

/* A thread that reads a byte. */
struct reader {
	const unsigned char *at;
	pthread_t thread;
	unsigned char seen;
};

static void *reader_run(void *data)
{
	struct reader *reader = data;

	reader->seen = *(const volatile unsigned char *)reader->at;
	return NULL;
}

static inline void reader_start(struct reader *reader, const unsigned char *at)
{
	reader->at = at;
	check(pthread_create(&reader->thread, NULL, reader_run, reader) == 0);
}

static inline unsigned char reader_end(struct reader *reader)
{
	pthread_join(reader->thread, NULL);
	return reader->seen;
}

static sigjmp_buf sigbus_jump;

static void on_sigbus(int signal)
{
	siglongjmp(sigbus_jump, signal);
}

/* Is reading there a SIGBUS? */
static inline bool is_sigbus(const unsigned char *at)
{
	struct sigaction action = { .sa_handler = on_sigbus }, before;
	volatile bool bus = true;

	sigaction(SIGBUS, &action, &before);
	if (sigsetjmp(sigbus_jump, 1) == 0) {
		(void)*(const volatile unsigned char *)at;
		bus = false;
	}
	sigaction(SIGBUS, &before, NULL);
	return bus;
}
