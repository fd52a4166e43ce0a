/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * /proc/PID/maps, by question (PROCMAP_QUERY, Linux 6.11) where there is such a thing, else by
 * reading all of it. An open descriptor stays with the address space it was opened for: after an
 * exec or with a new process of that number it says -ESRCH, never something about a stranger.
 *
 * The answer is true at the time of asking only. Nothing that must hold afterwards is built on it.
 */

#include "daemon/pager/procmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/cleanup.h"

struct query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};

#define QUERY _IOWR('f', 17, struct query) /* PROCMAP_QUERY of linux/fs.h */

enum { VMA_READABLE = 1, VMA_WRITABLE = 2, VMA_EXECUTABLE = 4, VMA_SHARED = 8 };

int procmap_open(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int ask(int fd, uint64_t address, struct procmap *ret)
{
	struct query query = { .size = sizeof(query), .query_addr = address };

	if (ioctl(fd, QUERY, &query) < 0)
		return -errno;
	*ret = (struct procmap){
		.start = query.vma_start,
		.end = query.vma_end,
		.offset = query.vma_offset,
		.inode = query.inode,
		.device = makedev(query.dev_major, query.dev_minor),
		.readable = query.vma_flags & VMA_READABLE,
		.writable = query.vma_flags & VMA_WRITABLE,
		.executable = query.vma_flags & VMA_EXECUTABLE,
		.shared = query.vma_flags & VMA_SHARED,
	};
	return 0;
}

bool procmap_has_query(void)
{
	_cleanup_fd_ int fd = procmap_open(getpid());
	struct procmap map;

	return fd >= 0 && ask(fd, (uintptr_t)&procmap_has_query, &map) == 0;
}

static bool parse(const char *line, struct procmap *ret)
{
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char bits[5];

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu", &start, &end, bits, &offset, &major,
		   &minor, &inode) != 7)
		return false;
	*ret = (struct procmap){
		.start = start,
		.end = end,
		.offset = offset,
		.inode = inode,
		.device = makedev(major, minor),
		.readable = bits[0] == 'r',
		.writable = bits[1] == 'w',
		.executable = bits[2] == 'x',
		.shared = bits[3] == 's',
	};
	return true;
}

/* Lines are read whole; the kernel never cuts one, but a buffer's end may. */
static int scan(int fd, uint64_t address, struct procmap *ret)
{
	char buffer[8192];
	size_t have = 0;
	bool any = false;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	for (;;) {
		ssize_t size = read(fd, buffer + have, sizeof(buffer) - 1 - have);
		char *line = buffer, *end;

		if (size < 0)
			return -errno;
		if (size == 0)
			/* an address space that is gone reads as empty */
			return any ? -ENOENT : -ESRCH;
		any = true;
		have += (size_t)size;
		buffer[have] = '\0';
		while ((end = strchr(line, '\n'))) {
			struct procmap map;

			*end = '\0';
			if (parse(line, &map) && address < map.end) {
				if (address < map.start)
					return -ENOENT;
				*ret = map;
				return 0;
			}
			line = end + 1;
		}
		have -= (size_t)(line - buffer);
		memmove(buffer, line, have);
		if (have == sizeof(buffer) - 1)
			have = 0; /* a name longer than any address line can be */
	}
}

int procmap_find(int fd, uint64_t address, struct procmap *ret)
{
	int r = ask(fd, address, ret);

	if (r == -ENOTTY || r == -EINVAL)
		return scan(fd, address, ret);
	return r;
}
