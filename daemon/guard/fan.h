/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * fanotify(7), with what is newer than the oldest headers we build with. Whether the kernel has it
 * is found out by trying.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/fanotify.h>

#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x00100000
#endif

#define FAN_INFO_RANGE 6

struct fan_info_range {
	struct fanotify_event_info_header header;
	uint32_t pad;
	uint64_t offset, count;
};

struct fan_event {
	int fd; /* of the file; afterwards the number that the answer goes by */
	pid_t tid;
	bool open, ranged;
	bool modified; /* somebody has written; nobody waits for an answer */
	uint64_t start, count;
};

/* A group that holds. -ENOSYS where the kernel can't, -EPERM where we may not. */
int fan_new(int *ret_fd);

/* -EOPNOTSUPP where the file system can't. */
int fan_mark(int group, int fd);
/* Also says when a write is over, as its thread returns from it; or no longer does. The end of a
 * truncation nobody tells. */
void fan_mark_ends(int group, int fd, bool on);
void fan_unmark(int group, int fd);

/* What the next record at *@at, before @end, says. False at the end, and for nothing else. */
bool fan_next(const char **at, const char *end, struct fan_event *ret);

/* @denial: 0, or the errno that the call gets. Whether anybody still waits is not told. */
void fan_answer(int group, int number, int denial);
