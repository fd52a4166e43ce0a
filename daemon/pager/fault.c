/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Page faults.
 *
 * A touch of a window page is one of these:
 *
 *	blocked	  being fenced or parked: the thread waits, and is woken to touch again when the
 *		  page is granted or dead. Nothing is remembered about it here.
 *	dead	  given back, revoked, past the end of the object, of a window that is over: SIGBUS
 *	written	  a present page that is write-protected: its granule becomes dirty
 *	absent	  brought in if need be (fill.c), and mapped with its neighbours
 *
 * A page becomes dirty before it can be written, never after. WRITE pages are mapped
 * write-protected unless they are dirty already by that rule: because this very fault is a write,
 * because the window is PINNABLE, or because the kernel can't (then every page is dirty).
 *
 * The neighbours that come along are those in the same state as the page itself, in one run around
 * it: an aligned block after a random touch, what follows after a sequential one. So a fault costs
 * one read, one write and one ioctl, and allocates nothing.
 *
 * An address that no segment knows was moved, or is not ours: the map of the process is asked.
 */

#include <errno.h>
#include <unistd.h>

#include "daemon/pager/procmap.h"
#include "daemon/pager/state.h"

static uint64_t page_of(const struct segment *segment, uint64_t address)
{
	return (address - segment->start + segment->offset) >> PAGE_SHIFT;
}

static uint64_t address_of(const struct segment *segment, uint64_t page)
{
	return segment->start + ((page << PAGE_SHIFT) - segment->offset);
}

/* It could not be answered now: once more after all events were read. Without room for that the
 * thread is sent to fault again. */
static void defer(struct space *space, uint64_t address, uint64_t flags)
{
	if (space->n_deferred == DEFERRED_MAX) {
		uffd_wake(space->uffd, address, PAGE_BYTES);
		return;
	}
	space->deferred[space->n_deferred++] = (struct deferred){ address, flags };
}

/* ---- SIGBUS ------------------------------------------------------------------------------ */

int fault_poison(struct space *space, uint64_t address)
{
	uint64_t done;
	int r;

	if (!(space->pager->features & UFFD_FEATURE_POISON))
		return 0; /* it waits, for ever: better than zeros */
	/* a marker left by write-protecting an empty entry would be in the way */
	r = uffd_protect(space->uffd, address, PAGE_BYTES, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
	if (r != UFFD_AGAIN)
		r = uffd_poison(space->uffd, address, PAGE_BYTES, &done);
	if (r == UFFD_LOST)
		space_lost(space);
	else if (r == UFFD_EXISTS)
		uffd_wake(space->uffd, address, PAGE_BYTES);
	return r == UFFD_AGAIN ? r : 0;
}

/* ---- mapping ----------------------------------------------------------------------------- */

/* CONTINUE for [first, last), of which @page must not be missed. */
static int map_run(struct space *space, const struct segment *segment, uint64_t first,
		   uint64_t last, uint64_t page, uint64_t mode)
{
	int result = 0;

	while (first < last) {
		uint64_t done, at = address_of(segment, first);
		int r = uffd_continue(space->uffd, at, (last - first) << PAGE_SHIFT, mode, &done);

		COUNT(space->pager, pages_mapped, done >> PAGE_SHIFT);
		first += done >> PAGE_SHIFT;
		if (r == 0 || first >= last)
			break;
		if (first == page) {
			result = r;
			/* whoever mapped it has woken only those who waited then */
			if (r == UFFD_EXISTS)
				uffd_wake(space->uffd, address_of(segment, page), PAGE_BYTES);
		}
		if (first < page && r != UFFD_AGAIN && r != UFFD_LOST) {
			first = page; /* the neighbours are there, or gone: don't look at each */
			continue;
		}
		if (first < page)
			result = r;
		break;
	}
	return result;
}

static void make_dirty(struct view *view, uint64_t first, uint64_t last)
{
	pthread_mutex_lock(&view->lock);
	bitmap_set(view->dirty, first, last);
	pthread_mutex_unlock(&view->lock);
}

/* The part of the granule of @page that is inside [first, last). */
static void granule(const struct pager *pager, uint64_t page, uint64_t *first, uint64_t *last)
{
	uint64_t size = pager->config.granule_pages, start = page & ~(size - 1);

	if (*first < start)
		*first = start;
	if (*last > start + size)
		*last = start + size;
}

/* The holder emptied the page itself: what it had written is zero now, what it had not is as
 * before. */
static int page_vanished(struct window *window, uint64_t page)
{
	struct view *view = window->view;
	static const uint8_t zeros[PAGE_BYTES];

	if (view->write && view_dirty(view, page, page + 1)) {
		if (pwrite(view->memory, zeros, PAGE_BYTES, (off_t)(page << PAGE_SHIFT)) < 0)
			return -errno;
		return 0;
	}
	bitmap_clear(view->filled, page, page + 1);
	return 0;
}

int fault_map(struct space *space, struct segment *segment, uint64_t first, uint64_t last,
	      uint64_t page, bool written)
{
	struct window *window = segment->window;
	struct view *view = window->view;
	struct pager *pager = space->pager;
	uint64_t low = first, high = last;
	int r;

	if (!view->write)
		return map_run(space, segment, first, last, page, 0);
	if (window->pinnable || !pager->kernel.wp_continue) {
		make_dirty(view, first, last);
		if (window->pinnable)
			bitmap_set(window->kept, first, last);
		return map_run(space, segment, first, last, page, 0);
	}
	if (!written)
		return map_run(space, segment, first, last, page, UFFDIO_CONTINUE_MODE_WP);
	granule(pager, page, &low, &high);
	make_dirty(view, low, high);
	COUNT(pager, write_faults, 1);
	r = map_run(space, segment, low, high, page, 0);
	if (r == UFFD_EXISTS)
		/* it was there already, protected perhaps */
		r = uffd_protect(space->uffd, address_of(segment, page), PAGE_BYTES, 0);
	if (r == 0 && low > first)
		map_run(space, segment, first, low, UINT64_MAX, UFFDIO_CONTINUE_MODE_WP);
	if (r == 0 && high < last)
		map_run(space, segment, high, last, UINT64_MAX, UFFDIO_CONTINUE_MODE_WP);
	return r;
}

/* ---- the first write --------------------------------------------------------------------- */

static int first_write(struct space *space, struct segment *segment, uint64_t page)
{
	struct window *window = segment->window;
	struct view *view = window->view;
	uint64_t first = segment->offset >> PAGE_SHIFT;
	uint64_t last = first + ((segment->end - segment->start) >> PAGE_SHIFT);
	int r;

	granule(space->pager, page, &first, &last);
	if (last > view->pages)
		last = view->pages;
	if (bitmap_test(view->filled, page)) {
		first = bitmap_set_before(view->filled, first, page);
		first = bitmap_clear_before(window->blocked, first, page);
		last = bitmap_next_clear(view->filled, page, last);
		last = bitmap_next_set(window->blocked, page, last);
		make_dirty(view, first, last);
	} else {
		first = page; /* it was emptied meanwhile, only the mark is left */
		last = page + 1;
	}
	COUNT(space->pager, write_faults, 1);
	r = uffd_protect(space->uffd, address_of(segment, first), (last - first) << PAGE_SHIFT, 0);
	if (r == UFFD_MOVED)
		r = uffd_protect(space->uffd, address_of(segment, page), PAGE_BYTES, 0);
	return r;
}

/* ---- an absent page ---------------------------------------------------------------------- */

/* The run around @page that is brought in or mapped with it. */
static void choose_run(const struct pager *pager, struct window *window,
		       const struct segment *segment, uint64_t page, uint64_t pages,
		       uint64_t *ret_first, uint64_t *ret_last)
{
	const struct view *view = window->view;
	uint64_t size = pager->config.readahead_pages, first, last;
	uint64_t low = segment->offset >> PAGE_SHIFT;
	uint64_t high = low + ((segment->end - segment->start) >> PAGE_SHIFT);

	if (page == window->next_page) {
		first = page;
		last = page + pager->config.sequential_pages;
	} else {
		first = page & ~(size - 1);
		last = first + size;
	}
	if (first < low)
		first = low;
	if (last > high)
		last = high;
	if (last > pages)
		last = pages;
	if (bitmap_test(view->filled, page)) {
		first = bitmap_set_before(view->filled, first, page);
		last = bitmap_next_clear(view->filled, page, last);
	} else {
		first = bitmap_clear_before(view->filled, first, page);
		last = bitmap_next_set(view->filled, page, last);
		first = bitmap_clear_before(view->filling, first, page);
		last = bitmap_next_set(view->filling, page, last);
	}
	first = bitmap_clear_before(window->blocked, first, page);
	last = bitmap_next_set(window->blocked, page, last);
	window->next_page = last;
	*ret_first = first;
	*ret_last = last;
}

/* The kernel knows the end of a READ view's memory, and gives SIGBUS by itself. */
static int past_end(struct space *space, const struct segment *segment, uint64_t page)
{
	struct window *window = segment->window;

	if (!window->view->write && page >= window->view->cut) {
		uffd_wake(space->uffd, address_of(segment, page), PAGE_BYTES);
		return 0;
	}
	bitmap_set(window->past, page, page + 1);
	return fault_poison(space, address_of(segment, page));
}

static int absent(struct space *space, struct segment *segment, uint64_t page, uint64_t flags)
{
	struct window *window = segment->window;
	struct view *view = window->view;
	uint64_t limit = view_limit(view), pages, first, last;
	bool written = flags & UFFD_PAGEFAULT_FLAG_WRITE;
	int r;

	pages = limit > view->start ? (limit - view->start + PAGE_BYTES - 1) >> PAGE_SHIFT : 0;
	if (page >= pages)
		return past_end(space, segment, page);
	if (bitmap_test(view->filling, page))
		return 0; /* its arrival wakes everybody */
	choose_run(space->pager, window, segment, page, pages, &first, &last);
	if (bitmap_test(view->filled, page)) {
		r = fault_map(space, segment, first, last, page, written);
		if (r != UFFD_NO_PAGE)
			return r;
		r = page_vanished(window, page);
		if (r < 0)
			return r;
		first = page;
		last = page + 1;
	}
	if (!bitmap_test(view->filled, page)) {
		r = fill(window, first, last, page, NULL, NULL);
		if (r < 0 && last - first > 1) {
			first = page;
			last = page + 1;
			r = fill(window, first, last, page, NULL, NULL);
		}
		if (r == -EAGAIN)
			return UFFD_AGAIN;
		if (r < 0)
			return fault_poison(space, address_of(segment, page));
		if (r == FILL_MAPPED && !bitmap_test(view->filled, page))
			return UFFD_AGAIN; /* it stopped before the page that matters */
		if (r > 0)
			return 0;
		/* the object may have turned out to be shorter */
		last = bitmap_next_clear(view->filled, page, last);
		if (last <= page)
			return past_end(space, segment, page);
	}
	return fault_map(space, segment, first, last, page, written);
}

/* ---- whose is it? ------------------------------------------------------------------------ */

/* Moved or grown by an event that is still to come, or mapped twice: the memory says whose it
 * is. */
static struct segment *adopt(struct space *space, uint64_t address)
{
	struct procmap map;

	if (space->maps < 0 || procmap_find(space->maps, address, &map) < 0 || map.inode == 0)
		return NULL;
	list_for_each (pos, &space->windows) {
		struct window *window = list_entry(pos, struct window, space_link);
		const struct view *view = window->view;
		uint64_t size = view->pages << PAGE_SHIFT;

		if (view->inode != map.inode || view->device != map.device ||
		    view->write != map.shared || map.offset >= size)
			continue;
		if (map.end - map.start > size - map.offset)
			map.end = map.start + (size - map.offset);
		if (address >= map.end ||
		    segments_insert(&space->segments, map.start, map.end, map.offset, window,
				    &window->segments) < 0)
			return NULL;
		return segments_find(&space->segments, address);
	}
	return NULL;
}

static int answer(struct space *space, uint64_t address, uint64_t flags)
{
	struct segment *segment = segments_find(&space->segments, address);
	struct window *window;
	uint64_t page;

	if (space->maps < 0) {
		/* A child has no seal. What it inherited it may read; what it wants to write stays
		 * protected. */
		return flags & UFFD_PAGEFAULT_FLAG_WP ? 0 : fault_poison(space, address);
	}
	if (!segment)
		segment = adopt(space, address);
	if (!segment || !segment->window)
		return fault_poison(space, address);
	window = segment->window;
	page = page_of(segment, address);
	if (bitmap_test(window->blocked, page))
		return bitmap_test(window->dead, page) ? fault_poison(space, address) : 0;
	if (flags & UFFD_PAGEFAULT_FLAG_WP)
		return window->view->write ? first_write(space, segment, page) : 0;
	return absent(space, segment, page, flags);
}

void fault_serve(struct space *space, uint64_t address, uint64_t flags)
{
	int r;

	address &= ~(PAGE_BYTES - 1);
	r = answer(space, address, flags);
	if (r < 0 && r != -ENOMEM)
		r = fault_poison(space, address);
	if (r == UFFD_AGAIN || r == -ENOMEM)
		defer(space, address, flags);
	else if (r == UFFD_LOST)
		space_lost(space);
	else if (r == UFFD_MOVED)
		uffd_wake(space->uffd, address, PAGE_BYTES); /* it will meet what is there now */
}
