/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The quarantine of one fence: memory with exactly the pages that were dirty, holes elsewhere,
 * sealed against everything and handed out read-only. Byte n of it is the byte n after the first of
 * them.
 *
 * It is filled by copying through a small buffer, without allocating, because it runs when things
 * have gone wrong; and under the view's lock only for as long as it takes to find the next run. If
 * the memory itself can't be had the bytes are lost, and the result says how many there were.
 */

#include "daemon/pager/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "daemon/pager/state.h"
#include "util/cleanup.h"

#define COPY_BYTES 65536u

static int copy(int from, uint64_t from_at, int to, uint64_t to_at, uint64_t size)
{
	uint8_t buffer[COPY_BYTES];

	while (size > 0) {
		size_t part = size < sizeof(buffer) ? size : sizeof(buffer);
		ssize_t n = pread(from, buffer, part, (off_t)from_at);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		n = pwrite(to, buffer, (size_t)n, (off_t)to_at);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from_at += (uint64_t)n;
		to_at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}

/* The next page of [first, last) that is dirty or being written. */
static uint64_t next_unclean(const struct view *view, uint64_t first, uint64_t last)
{
	uint64_t dirty = bitmap_next_set(view->dirty, first, last);
	uint64_t writing = bitmap_next_set(view->writing, first, last);

	return dirty < writing ? dirty : writing;
}

static uint64_t end_of_run(const struct view *view, uint64_t first, uint64_t last)
{
	uint64_t dirty = bitmap_next_clear(view->dirty, first, last);
	uint64_t writing = bitmap_next_clear(view->writing, first, last);

	return dirty > writing ? dirty : writing;
}

static void clip(const struct view *view, uint64_t first, uint64_t last, uint64_t *ret_size)
{
	uint64_t start = view->start + (first << PAGE_SHIFT);
	uint64_t end = view->start + (last << PAGE_SHIFT);

	*ret_size = (end < view->end ? end : view->end) - start;
}

void quarantine(const struct pager *pager, struct view *view, uint64_t first, uint64_t last,
		struct pager_event *result)
{
	_cleanup_fd_ int memory = -1;
	uint64_t begin, size;

	pthread_mutex_lock(&view->lock);
	first = begin = next_unclean(view, first, last);
	pthread_mutex_unlock(&view->lock);
	if (first == last)
		return;
	clip(view, begin, last, &size);
	memory = memory_new(pager, "mapseal-quarantine", size, 0);
	result->quarantine_start = view->start + (begin << PAGE_SHIFT);
	while (first < last) {
		uint64_t end;

		pthread_mutex_lock(&view->lock);
		first = next_unclean(view, first, last);
		end = first < last ? end_of_run(view, first, last) : first;
		bitmap_clear(view->dirty, first, end);
		bitmap_clear(view->writing, first, end);
		pthread_mutex_unlock(&view->lock);
		if (first == end)
			break;
		clip(view, first, end, &size);
		result->quarantined += size;
		result->quarantine_end = view->start + (first << PAGE_SHIFT) + size;
		if (memory >= 0 && copy(view->memory, first << PAGE_SHIFT, memory,
					(first - begin) << PAGE_SHIFT, size) < 0)
			memory = fd_close(memory);
		first = end;
	}
	if (memory < 0)
		return;
	fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	result->quarantine_fd = memory_open(memory, false);
	if (result->quarantine_fd < 0)
		result->quarantine_fd = -1;
}
