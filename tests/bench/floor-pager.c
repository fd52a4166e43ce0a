/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The barest pager in another process: it reads a userfaultfd, brings pages from a file into a
 * memfd as the real one does (pread into a buffer, pwrite into the memory), and lets them appear
 * with one CONTINUE. It knows one window, no events, no dirty pages, and nobody else. The batch is
 * the aligned block around the page.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/pager/uffd.h"
#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/system/rig.h"
#include "util/cleanup.h"

enum { OPEN = 1, MAPPED, POPULATE, FENCE };

struct server {
	const struct bare_pager *pager;
	int channel, uffd, memory;
	uint64_t address, length;
	bool write, open;
	unsigned char *buffer;
};

/* ---- the server -------------------------------------------------------------------------- */

static uint64_t fill(struct server *s, uint64_t offset, uint64_t most)
{
	uint64_t size = s->length - offset < most ? s->length - offset : most;

	expect_eq(pread(s->pager->file, s->buffer, size, (off_t)offset), size);
	expect_eq(pwrite(s->memory, s->buffer, size, (off_t)offset), size);
	return size;
}

static void appear(struct server *s, uint64_t offset, uint64_t size)
{
	struct uffdio_continue arg = {
		.range = { s->address + offset, size },
		.mode = s->write ? UFFDIO_CONTINUE_MODE_WP : 0,
	};

	expect(ioctl(s->uffd, UFFDIO_CONTINUE, &arg) == 0);
}

static bool serve_fault(struct server *s)
{
	uint64_t block = s->pager->batch * PAGE_BYTES, offset;
	struct uffd_msg message;
	ssize_t n = read(s->uffd, &message, sizeof(message));

	if (n < 0) {
		expect_eq(errno, EAGAIN);
		return false;
	}
	expect_eq(message.event, UFFD_EVENT_PAGEFAULT);
	offset = (message.arg.pagefault.address - s->address) / block * block;
	appear(s, offset, fill(s, offset, block));
	return true;
}

static void serve_faults(struct server *s)
{
	uint64_t until = bench_now() + s->pager->spin_us * 1000ull;

	do {
		if (serve_fault(s))
			until = bench_now() + s->pager->spin_us * 1000ull;
	} while (bench_now() < until);
}

static int open_memory(struct server *s)
{
	char path[64];
	int fd;

	s->memory = memfd_create("bare", MFD_CLOEXEC);
	expect(s->memory >= 0 && ftruncate(s->memory, (off_t)s->length) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->memory);
	fd = open(path, (s->write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	expect(fd >= 0);
	return fd;
}

static void configure(struct server *s)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |
			    UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};

	expect(ioctl(s->uffd, UFFDIO_API, &api) == 0);
}

static void enrol(struct server *s)
{
	struct uffdio_register reg = {
		.range = { s->address, s->length },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR |
			(s->write ? UFFDIO_REGISTER_MODE_WP : 0),
	};

	expect(ioctl(s->uffd, UFFDIO_REGISTER, &reg) == 0);
}

static uint64_t fence(struct server *s)
{
	struct uffdio_writeprotect arg = {
		.range = { s->address, s->length },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	uint64_t t = bench_now();

	expect(ioctl(s->uffd, UFFDIO_WRITEPROTECT, &arg) == 0);
	expect(fallocate(s->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 (off_t)s->length) == 0);
	return bench_now() - t;
}

static bool serve_client(struct server *s)
{
	struct bare_message message;
	int fd, reply = -1;

	if (!bare_receive(s->channel, &message, &fd))
		return false;
	switch (message.what) {
	case OPEN:
		s->uffd = fd_close(s->uffd);
		s->memory = fd_close(s->memory);
		s->uffd = fd;
		s->length = message.length;
		s->write = message.value;
		configure(s);
		reply = open_memory(s);
		break;
	case MAPPED:
		s->address = message.address;
		enrol(s);
		break;
	case POPULATE:
		for (uint64_t at = 0; at < s->length;) {
			uint64_t size = fill(s, at, MiB);

			appear(s, at, size);
			at += size;
		}
		break;
	case FENCE:
		message.value = fence(s);
		break;
	}
	bare_send(s->channel, &message, reply);
	fd_close(reply);
	return true;
}

int bare_pager_serve(int channel, void *data)
{
	const struct bare_pager *pager = data;
	struct server s = { .pager = pager, .channel = channel, .uffd = -1, .memory = -1 };

	s.buffer = malloc(MiB);
	expect(s.buffer);
	for (;;) {
		struct pollfd polled[] = {
			{ .fd = channel, .events = POLLIN },
			{ .fd = s.uffd, .events = POLLIN },
		};

		expect(poll(polled, 2, -1) > 0);
		if (polled[1].revents)
			serve_faults(&s);
		if (polled[0].revents && !serve_client(&s))
			break;
	}
	free(s.buffer);
	return 0;
}

/* ---- the client -------------------------------------------------------------------------- */

void bare_window_open(struct bare_window *window, int channel, uint64_t length, bool write)
{
	struct bare_message message = { .what = OPEN, .length = length, .value = write };
	int memory;

	window->channel = channel;
	window->length = length;
	window->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	expect(window->uffd >= 0);
	bare_send(channel, &message, window->uffd);
	expect(bare_receive(channel, &message, &memory) && memory >= 0);
	window->bytes = mmap(NULL, length, PROT_READ | (write ? PROT_WRITE : 0),
			     write ? MAP_SHARED : MAP_PRIVATE, memory, 0);
	expect(window->bytes != MAP_FAILED);
	close(memory);
	bare_ask(channel, MAPPED, (uintptr_t)window->bytes, length);
}

void bare_window_close(struct bare_window *window)
{
	munmap(window->bytes, window->length);
	close(window->uffd);
}

void bare_window_populate(int channel)
{
	bare_ask(channel, POPULATE, 0, 0);
}

uint64_t bare_window_fence(int channel)
{
	return bare_ask(channel, FENCE, 0, 0).value;
}
