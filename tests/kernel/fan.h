/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * fanotify and leases, for tests of what the kernel does with them: no code of ours but the
 * constants.
 *
 * The file is beside the test. Where its file system has no accesses to hold, the test is skipped.
 */

#include <sys/fanotify.h>

#include "kernel.h"

#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x00100000
#endif

#define HELD (FAN_OPEN_PERM | FAN_PRE_ACCESS)

static char fan_path[64];

static void fan_remove(void)
{
	unlink(fan_path);
}

/* A file of @pages, and its only open description. */
static inline int fan_file(size_t pages)
{
	static char bytes[PAGE];
	int fd;

	snprintf(fan_path, sizeof(fan_path), "kernel-fan-XXXXXX");
	fd = mkostemp(fan_path, O_CLOEXEC);
	check(fd >= 0);
	atexit(fan_remove);
	memset(bytes, 'a', sizeof(bytes));
	for (size_t i = 0; i < pages; i++)
		check(write(fd, bytes, PAGE) == (ssize_t)PAGE);
	return fd;
}

static inline int fan_group(unsigned int event_flags)
{
	int group = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_REPORT_TID |
					  FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
				  O_RDONLY | O_LARGEFILE | O_CLOEXEC | event_flags);

	if (group < 0)
		skip("this kernel's fanotify does not hold accesses, or not for this user");
	return group;
}

static inline void fan_mark_file(int group, int fd, uint64_t mask)
{
	if (fanotify_mark(group, FAN_MARK_ADD, mask, fd, NULL) < 0)
		skip("this kernel, or this file system, does not hold accesses");
}

struct fan {
	uint64_t mask, offset, count;
	int fd;
	pid_t tid;
};

static inline struct fan fan_parse(const char *buffer)
{
	struct fanotify_event_metadata event;
	struct fan fan;

	memcpy(&event, buffer, sizeof(event));
	fan = (struct fan){ event.mask, UINT64_MAX, UINT64_MAX, event.fd, event.pid };
	if (event.event_len >= event.metadata_len + 24u && buffer[event.metadata_len] == 6) {
		memcpy(&fan.offset, buffer + event.metadata_len + 8, 8);
		memcpy(&fan.count, buffer + event.metadata_len + 16, 8);
	}
	return fan;
}

/* The next event; one at a time. */
static inline struct fan fan_read(int group)
{
	char buffer[sizeof(struct fanotify_event_metadata) + 24];

	check(read(group, buffer, sizeof(buffer)) > 0);
	return fan_parse(buffer);
}

static inline bool fan_quiet(int group)
{
	struct pollfd pollfd = { .fd = group, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 0;
}

static inline int fan_say(int group, int number, int denial)
{
	struct fanotify_response response = { number, denial ? FAN_DENY | (uint32_t)denial << 24
							     : FAN_ALLOW };

	return write(group, &response, sizeof(response)) < 0 ? -errno : 0;
}

static inline void fan_allow(int group, const struct fan *fan)
{
	check(fan_say(group, fan->fd, 0) == 0);
	close(fan->fd);
}

/* A process that does something; its result is 0 or an errno. */
static inline pid_t fan_stranger(int (*deed)(void))
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0)
		_exit(deed());
	return pid;
}

static inline int fan_result(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}
