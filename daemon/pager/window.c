/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Windows: opening, registering where the client mapped them, closing.
 *
 * A window that is closed leaves its segments behind without an owner (a touch of them is SIGBUS),
 * and its struct goes when the last operation on it has ended.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/pager/procmap.h"
#include "daemon/pager/state.h"
#include "util/cleanup.h"

struct window *window_get(const struct pager *pager, uint64_t id)
{
	struct idmap_node *n = idmap_find(&pager->windows_by_id, id);

	return n ? container_of(n, struct window, node) : NULL;
}

static void window_destroy(struct window *window)
{
	free(window->blocked);
	free(window);
}

void window_unuse(struct window *window)
{
	if (--window->users > 0)
		return;
	view_unuse(window->view);
	space_unuse(window->space);
	window_destroy(window);
}

/* ---- opening ----------------------------------------------------------------------------- */

static int open_it(struct pager *pager, const struct pager_job *job, int *ret_fd)
{
	struct space *space = space_get(pager, job->space);
	struct object *object = object_get(pager, job->object);
	struct window *window;
	uint64_t end, words;
	int r;

	if (!space || !object || job->window == 0)
		return -EINVAL;
	if (space->lost)
		return -ESRCH;
	if (job->write && !object->writable)
		return -EACCES;
	end = job->end < object->size ? job->end : object->size;
	if (job->start % PAGE_BYTES || job->start >= end)
		return -EINVAL;
	if (window_get(pager, job->window))
		return -EEXIST;
	window = calloc(1, sizeof(*window));
	if (!window)
		return -ENOMEM;
	r = view_get(pager, object, job->start, end, job->write, job->right, &window->view);
	if (r < 0) {
		free(window);
		return r;
	}
	words = BITMAP_WORDS(window->view->pages);
	window->blocked = calloc(words * 6, sizeof(uint64_t));
	*ret_fd = window->blocked ? view_lend(window->view) : -ENOMEM;
	if (*ret_fd < 0) {
		r = *ret_fd;
		view_unuse(window->view);
		window_destroy(window);
		return r;
	}
	window->parked = window->blocked + words;
	window->dead = window->parked + words;
	window->kept = window->dead + words;
	window->held = window->kept + words;
	window->past = window->held + words;
	window->pager = pager;
	window->space = space;
	window->pinnable = job->pinnable && job->write;
	window->users = 1;
	window->next_page = UINT64_MAX;
	list_init(&window->segments);
	list_init(&window->line);
	list_init(&window->link);
	list_init(&window->view_link);
	list_init(&window->space_link);
	pthread_mutex_lock(&pager->tables);
	idmap_insert(&pager->windows_by_id, &window->node, job->window);
	pthread_mutex_unlock(&pager->tables);
	list_append(&pager->windows, &window->link);
	pthread_mutex_lock(&window->view->lock);
	bitmap_set(window->held, 0, window->view->pages);
	list_append(&window->view->windows, &window->view_link);
	pthread_mutex_unlock(&window->view->lock);
	window->view->n_windows++;
	list_append(&space->windows, &window->space_link);
	space->users++;
	COUNT(pager, window_bytes, window->view->pages << PAGE_SHIFT);
	return 0;
}

void window_open(struct pager *pager, struct job *job)
{
	int fd = -1, r = open_it(pager, &job->job, &fd);

	if (r == 0)
		job->done->event.fd = fd;
	job_done(pager, job, r, 0);
}

/* ---- mapping ----------------------------------------------------------------------------- */

/* Is [address, address + length) the window's memory from its start, mapped as it must be? */
static int check_mapping(const struct window *window, uint64_t address, uint64_t length)
{
	const struct view *view = window->view;
	struct procmap map;
	int r = procmap_find(window->space->maps, address, &map);

	if (r == -ENOENT)
		return -EFAULT;
	if (r < 0)
		return r;
	if (map.inode != view->inode || map.device != view->device || map.end - address < length ||
	    map.offset + (address - map.start) != 0)
		return -EFAULT;
	/* a shared mapping of a read-only descriptor can't be registered; a private one of a WRITE
	 * window would never show us what is written */
	if (map.shared != view->write)
		return -EFAULT;
	/* opened already: mlockall may have put zeros there before we could register */
	if (map.readable || map.writable || map.executable)
		return -EACCES;
	return 0;
}

static int map_it(struct pager *pager, const struct pager_job *job)
{
	struct window *window = window_get(pager, job->window);
	uint64_t mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR, length;
	struct space *space;
	int r;

	if (!window)
		return -EINVAL;
	space = window->space;
	length = window->view->pages << PAGE_SHIFT;
	if (job->end < job->start ||
	    (job->end - job->start + PAGE_BYTES - 1) / PAGE_BYTES != window->view->pages ||
	    job->address % PAGE_BYTES || job->address + length < job->address)
		return -EINVAL;
	if (space->lost)
		return -ESRCH;
	if (!list_empty(&window->segments))
		return -EBUSY;
	/* events about what was at this address before come first */
	space_turn(space, loop_now());
	r = check_mapping(window, job->address, length);
	if (r < 0)
		return r;
	if (window->view->write)
		mode |= UFFDIO_REGISTER_MODE_WP;
	r = uffd_register(space->uffd, job->address, length, mode);
	if (r == -EINVAL || r == -EPERM)
		return -EFAULT; /* it was replaced after we looked */
	if (r == -ENOMEM && uffd_alive(space->uffd) == UFFD_LOST)
		return -ESRCH;
	if (r < 0)
		return r;
	return segments_insert(&space->segments, job->address, job->address + length, 0, window,
			       &window->segments);
}

void window_map(struct pager *pager, struct job *job)
{
	job_done(pager, job, map_it(pager, &job->job), 0);
}

/* ---- closing ----------------------------------------------------------------------------- */

void window_close(struct window *window)
{
	struct pager *pager = window->pager;
	struct view *view = window->view;

	window->closed = true;
	pthread_mutex_lock(&pager->tables);
	idmap_remove(&pager->windows_by_id, &window->node);
	pthread_mutex_unlock(&pager->tables);
	bitmap_set(window->blocked, 0, view->pages);
	bitmap_set(window->dead, 0, view->pages);
	fill_forget(window);
	list_unlink(&window->link);
	list_unlink(&window->space_link);
	pthread_mutex_lock(&view->lock);
	list_unlink(&window->view_link);
	pthread_mutex_unlock(&view->lock);
	spare_want(pager, view->write);
	if (--view->n_windows > 0) {
		if (!pager->ending)
			view_release(view, 0, view->pages);
	} else {
		view->spent = true;
		fill_stale(view, 0, view->pages);
		if (pager->ending) {
			;
		} else if (view->write) {
			if (bitmap_next_set(view->filled, 0, view->pages) < view->pages &&
			    list_empty(&window->line))
				view_punch(view, 0, view->pages);
		} else if (ftruncate(view->memory, 0) == 0) {
			/* whoever maps it, wherever, gets SIGBUS */
			bitmap_clear(view->filled, 0, view->pages);
		}
	}
	/* threads that wait come back, and find nobody's memory */
	window_wake(window, 0, view->pages);
	segments_orphan(&window->segments);
	atomic_fetch_sub_explicit(&pager->counters.window_bytes, view->pages << PAGE_SHIFT,
				  memory_order_relaxed);
	window_unuse(window);
}

/* ---- ranges ------------------------------------------------------------------------------ */

bool window_pages(const struct window *window, uint64_t start, uint64_t end, uint64_t *ret_first,
		  uint64_t *ret_last)
{
	const struct view *view = window->view;

	if (start < view->start)
		start = view->start;
	if (end > view->end)
		end = view->end;
	if (start >= end)
		return false;
	*ret_first = (start - view->start) >> PAGE_SHIFT;
	*ret_last = (end - view->start + PAGE_BYTES - 1) >> PAGE_SHIFT;
	return true;
}

int window_each(struct window *window, uint64_t first, uint64_t last,
		int (*fn)(struct space *space, uint64_t start, uint64_t length))
{
	uint64_t from = first << PAGE_SHIFT, to = last << PAGE_SHIFT;

	if (window->space->lost)
		return 0;
	list_for_each (pos, &window->segments) {
		const struct segment *segment = list_entry(pos, struct segment, link);
		uint64_t start = segment->offset > from ? segment->offset : from;
		uint64_t end = segment->offset + (segment->end - segment->start);
		int r;

		if (end > to)
			end = to;
		if (start >= end)
			continue;
		r = fn(window->space, segment->start + (start - segment->offset), end - start);
		if (r)
			return r;
	}
	return 0;
}

/* What can't be protected because it is not mapped, or because there is no address space any more,
 * can't be written either. */
static int only_again(struct space *space, int r)
{
	if (r == UFFD_LOST)
		space_lost(space);
	return r == UFFD_AGAIN ? r : 0;
}

static int set_protection(struct space *space, uint64_t start, uint64_t length, uint64_t mode)
{
	int r = uffd_protect(space->uffd, start, length, mode);

	/* a hole in the range stops it early; page by page the rest is reached */
	for (uint64_t at = 0; r == UFFD_MOVED && length > PAGE_BYTES && at < length;
	     at += PAGE_BYTES)
		if (uffd_protect(space->uffd, start + at, PAGE_BYTES, mode) == UFFD_AGAIN)
			return UFFD_AGAIN;
	return only_again(space, r);
}

static int protect(struct space *space, uint64_t start, uint64_t length)
{
	return set_protection(space, start, length, UFFDIO_WRITEPROTECT_MODE_WP);
}

static int unprotect(struct space *space, uint64_t start, uint64_t length)
{
	return set_protection(space, start, length, 0);
}

static int wake(struct space *space, uint64_t start, uint64_t length)
{
	uffd_wake(space->uffd, start, length);
	return 0;
}

int window_protect(struct window *window, uint64_t first, uint64_t last)
{
	return window_each(window, first, last, protect);
}

int window_unprotect(struct window *window, uint64_t first, uint64_t last)
{
	return window_each(window, first, last, unprotect);
}

void window_wake(struct window *window, uint64_t first, uint64_t last)
{
	window_each(window, first, last, wake);
}
