/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fanotify(7): a group that holds opens and accesses before they happen.
 *
 * The descriptors that come with events are blocking ones. To make one is an open, which waits for
 * a lease that somebody has on the file; as non-blocking ones they would fail instead, and the
 * stranger be denied without our being asked. No lease is waited for but our own, and ours are
 * given up within the call that took them: while the supervisor has a file open nobody else can
 * have a lease that an open for reading would break. A signal that comes while it waits denies the
 * stranger too, so the thread that reads events takes none.
 */

#include "daemon/guard/fan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cleanup.h"

/* The class is older than what it is good for: before Linux 6.14 no access is held. Memory is not a
 * file system that could be marked so, which kernels that know the event say otherwise. */
static bool holds_accesses(int group)
{
	_cleanup_fd_ int memory = memfd_create("mapseal-guard", MFD_CLOEXEC);

	return memory < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_PRE_ACCESS, memory, NULL) == 0 ||
	       errno != EINVAL;
}

int fan_new(int *ret_fd)
{
	_cleanup_fd_ int fd = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK |
						    FAN_REPORT_TID | FAN_UNLIMITED_QUEUE |
						    FAN_UNLIMITED_MARKS,
					    O_RDONLY | O_LARGEFILE | O_CLOEXEC);

	if (fd < 0)
		return errno == EPERM ? -EPERM : -ENOSYS;
	if (!holds_accesses(fd))
		return -ENOSYS;
	*ret_fd = take_fd(&fd);
	return 0;
}

int fan_mark(int group, int fd)
{
	if (fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_PRE_ACCESS, fd, NULL) == 0)
		return 0;
	return errno == ENOMEM || errno == ENOSPC ? -ENOMEM : -EOPNOTSUPP;
}

void fan_unmark(int group, int fd)
{
	fanotify_mark(group, FAN_MARK_REMOVE, FAN_OPEN_PERM | FAN_PRE_ACCESS | FAN_MODIFY, fd,
		      NULL);
}

void fan_mark_ends(int group, int fd, bool on)
{
	fanotify_mark(group, on ? FAN_MARK_ADD : FAN_MARK_REMOVE, FAN_MODIFY, fd, NULL);
}

bool fan_next(const char **at, const char *end, struct fan_event *ret)
{
	struct fanotify_event_metadata event;
	const char *info, *info_end;

	if (end - *at < (ptrdiff_t)sizeof(event))
		return false;
	memcpy(&event, *at, sizeof(event));
	if (event.event_len < sizeof(event) || event.event_len > end - *at)
		return false;
	*ret = (struct fan_event){
		.fd = event.fd,
		.tid = event.pid,
		.open = event.mask & FAN_OPEN_PERM,
		.modified = !(event.mask & (FAN_OPEN_PERM | FAN_PRE_ACCESS)),
	};
	info = *at + event.metadata_len;
	info_end = *at + event.event_len;
	*at = info_end;
	while (info_end - info >= (ptrdiff_t)sizeof(struct fanotify_event_info_header)) {
		struct fanotify_event_info_header header;
		struct fan_info_range range;

		memcpy(&header, info, sizeof(header));
		if (header.len < sizeof(header) || header.len > info_end - info)
			break;
		if (header.info_type == FAN_INFO_RANGE && header.len >= sizeof(range)) {
			memcpy(&range, info, sizeof(range));
			ret->ranged = true;
			ret->start = range.offset;
			ret->count = range.count;
		}
		info += header.len;
	}
	return true;
}

void fan_answer(int group, int number, int denial)
{
	struct fanotify_response response = {
		.fd = number,
		.response = denial ? FAN_DENY | (uint32_t)denial << 24 : FAN_ALLOW,
	};
	ssize_t r;

	do
		r = write(group, &response, sizeof(response));
	while (r < 0 && errno == EINTR);
}
