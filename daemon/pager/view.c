/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Views: memfds, who owns them, and what is known about their pages.
 *
 * A memfd is born 0400 and given to a uid that no client has, or its holder could open it anew, for
 * writing, through /proc. A WRITE view is its one holder's alone (a punch needs a writable
 * descriptor, so two of them could empty each other's pages) and can't be resized. A READ view is
 * shared by windows of the same range and right, each of which has a read-only description of its
 * own; what of it is whose is told in share.c. It is as long as the object goes on, within the range, so
 * that the kernel itself gives SIGBUS past the end and stops doing so when the object has grown again.
 * It is cut to nothing when its last window is gone, and every mapping of it anywhere gives SIGBUS.
 *
 * `users` counts what needs the view and its object on the pager's thread; `references` keeps the
 * memory for the thread that forces fences, and may be dropped by it last.
 */

#include "daemon/pager/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/pager/state.h"
#include "util/cleanup.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int memory_new(const struct pager *pager, const char *name, uint64_t size, unsigned int seals)
{
	_cleanup_fd_ int fd = -1;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if ((size > 0 && ftruncate(fd, (off_t)size) < 0) || fchmod(fd, 0400) < 0 ||
	    fchown(fd, pager->config.memory_owner, (gid_t)-1) < 0)
		return -errno;
	if (seals && fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -errno;
	return take_fd(&fd);
}

int memory_open(int memory, bool write)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void view_destroy(struct view *view)
{
	fd_close(view->memory);
	fd_close(view->lent);
	pthread_mutex_destroy(&view->lock);
	free(view->filled);
	free(view->filling);
	free(view->dirty);
	free(view->writing);
	free(view->revoked);
	free(view);
}

struct view *view_ref(struct view *view)
{
	atomic_fetch_add_explicit(&view->references, 1, memory_order_relaxed);
	return view;
}

struct view *view_unref(struct view *view)
{
	if (view && atomic_fetch_sub_explicit(&view->references, 1, memory_order_acq_rel) == 1)
		view_destroy(view);
	return NULL;
}

static int view_new(struct pager *pager, struct object *object, uint64_t start, uint64_t end,
		    bool write, uint64_t right, struct view **ret)
{
	struct view *view = calloc(1, sizeof(*view));
	struct spare spare;
	size_t words;
	int r;

	if (!view)
		return -ENOMEM;
	*view = (struct view){
		.references = 1,
		.object = object,
		.start = start,
		.end = end,
		.pages = (end - start + PAGE_BYTES - 1) >> PAGE_SHIFT,
		.right = right,
		.short_at = UINT64_MAX,
		.write = write,
		.memory = -1,
		.lent = -1,
	};
	pthread_mutex_init(&view->lock, NULL);
	list_init(&view->link);
	list_init(&view->windows);
	list_init(&view->fills);
	list_init(&view->waiters);
	list_init(&view->buffers);
	view->cut = view->pages;
	words = BITMAP_WORDS(view->pages);
	view->filled = calloc(words, sizeof(uint64_t));
	view->filling = calloc(words, sizeof(uint64_t));
	if (write) {
		view->dirty = calloc(words, sizeof(uint64_t));
		view->writing = calloc(words, sizeof(uint64_t));
		view->revoked = calloc(words, sizeof(uint64_t));
	}
	r = -ENOMEM;
	if (!view->filled || !view->filling ||
	    (write && (!view->dirty || !view->writing || !view->revoked)))
		goto fail;
	r = spare_take(pager, write, &spare);
	if (r < 0)
		goto fail;
	view->memory = spare.memory;
	view->lent = spare.lent;
	view->device = spare.device;
	view->inode = spare.inode;
	if (ftruncate(view->memory, (off_t)(view->pages << PAGE_SHIFT)) < 0 ||
	    (write && fcntl(view->memory, F_ADD_SEALS,
			    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)) {
		r = -errno;
		goto fail;
	}
	*ret = view;
	return 0;
fail:
	view_destroy(view);
	return r;
}

static bool may_join(struct view *view, const struct pager *pager, uint64_t start, uint64_t end,
		     uint64_t right)
{
	bool retired;

	if (view->write || view->spent || view->start != start || view->end != end ||
	    view->right != right || view->fences || view->n_windows >= pager->config.max_mappers)
		return false;
	pthread_mutex_lock(&view->lock);
	retired = view->retired;
	pthread_mutex_unlock(&view->lock);
	return !retired;
}

int view_get(struct pager *pager, struct object *object, uint64_t start, uint64_t end, bool write,
	     uint64_t right, struct view **ret)
{
	struct view *view = NULL;
	int r;

	if (!write) {
		list_for_each (pos, &object->views) {
			view = list_entry(pos, struct view, link);
			if (!may_join(view, pager, start, end, right))
				continue;
			view_use(view);
			*ret = view;
			return 0;
		}
	}
	r = view_new(pager, object, start, end, write, right, &view);
	if (r < 0)
		return r;
	list_prepend(&object->views, &view->link);
	object->users++;
	view->users = 1;
	*ret = view;
	return 0;
}

void view_use(struct view *view)
{
	view->users++;
}

void view_unuse(struct view *view)
{
	struct object *object = view->object;

	if (--view->users > 0)
		return;
	list_unlink(&view->link);
	view->object = NULL;
	view_unref(view);
	if (--object->users == 0 && object->closed) {
		fd_close(object->fd);
		free(object);
	}
}

int view_lend(struct view *view)
{
	/* A description of its own: on a shared one the holder could set O_APPEND under our
	 * feet. */
	return view->lent >= 0 ? take_fd(&view->lent) : memory_open(view->memory, view->write);
}

uint64_t view_limit(const struct view *view)
{
	uint64_t limit = view->end;

	if (limit > view->object->size)
		limit = view->object->size;
	if (limit > view->short_at)
		limit = view->short_at;
	return limit;
}

void view_fit(struct view *view)
{
	uint64_t limit = view_limit(view), pages = 0;

	if (view->write || view->spent)
		return;
	if (limit > view->start)
		pages = (limit - view->start + PAGE_BYTES - 1) >> PAGE_SHIFT;
	if (pages == view->cut || ftruncate(view->memory, (off_t)(pages << PAGE_SHIFT)) < 0)
		return;
	fill_stale(view, pages, view->pages);
	bitmap_clear(view->filled, pages, view->pages);
	view->cut = pages;
}

int view_punch(const struct view *view, uint64_t first, uint64_t last)
{
	if (fallocate(view->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)(first << PAGE_SHIFT), (off_t)((last - first) << PAGE_SHIFT)) < 0)
		return -errno;
	return 0;
}

uint64_t view_dirty(struct view *view, uint64_t first, uint64_t last)
{
	uint64_t pages = 0, end;

	if (!view->write)
		return 0;
	pthread_mutex_lock(&view->lock);
	for (uint64_t w = first / 64; w * 64 < last; w++) {
		uint64_t either = view->dirty[w] | view->writing[w];

		if (!either)
			continue;
		end = last - w * 64 < 64 ? last - w * 64 : 64;
		pages += bitmap_count(&either, w == first / 64 ? first % 64 : 0, end);
	}
	pthread_mutex_unlock(&view->lock);
	return pages << PAGE_SHIFT;
}
