/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Bringing pages in: from the object into the memory.
 *
 * What the page cache has is read and written on the spot (a read into a buffer and a write into
 * the memory is cheaper than a read into a mapping of it). What it has not is read by the loop,
 * while faults go on being served; such a fill is under way, and threads that touch its pages
 * meanwhile just wait. When it is over, its pages are mapped for the window that asked and
 * everybody else is woken to touch again.
 *
 * Nothing past the limit (the end of the grant, of the object, or where a read came short) ever
 * gets into the memory; the rest of the last page is zero.
 *
 * A fill is *stale* when its pages were taken away while it was under way: what it brings may be
 * old, and is thrown away. Fills are bounded, in all and for each object, so that one slow disk
 * does not hold up another; who gets none is told -EAGAIN.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/pager/state.h"

#define FILLS_MAX 64
#define FILLS_OF_OBJECT 16

struct fill {
	struct list link; /* in the view's, or spare */
	struct loop_op op;
	struct pager *pager;
	struct view *view;
	struct window *window; /* who asked; NULL if it closed meanwhile */
	struct op *waiter;
	int *ret_error;
	uint64_t first, last, page;
	uint64_t from, want, got; /* bytes of the object */
	bool stale;
	uint8_t *buffer;
};

/* Puts @got bytes at page @first, zero to the end of their last page. How many pages that was. */
static int store(struct pager *pager, struct view *view, uint64_t first, uint8_t *buffer,
		 uint64_t got, uint64_t *ret_pages)
{
	uint64_t pages = (got + PAGE_BYTES - 1) >> PAGE_SHIFT, size = pages << PAGE_SHIFT, done = 0;

	memset(buffer + got, 0, size - got);
	while (done < size) {
		ssize_t n = pwrite(view->memory, buffer + done, size - done,
				   (off_t)((first << PAGE_SHIFT) + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int r = n < 0 ? -errno : -EIO;

			/* what is not filled is not there */
			view_punch(view, first, first + pages);
			return r;
		}
		done += (uint64_t)n;
	}
	bitmap_set(view->filled, first, first + pages);
	COUNT(pager, pages_filled, pages);
	*ret_pages = pages;
	return 0;
}

/* The segment of @window that has all of [first, last), or NULL. */
static struct segment *segment_of(struct window *window, uint64_t first, uint64_t last)
{
	list_for_each (pos, &window->segments) {
		struct segment *segment = list_entry(pos, struct segment, link);
		uint64_t low = segment->offset >> PAGE_SHIFT;

		if (low <= first && last <= low + ((segment->end - segment->start) >> PAGE_SHIFT))
			return segment;
	}
	return NULL;
}

/* Where CONTINUE can't write-protect, COPY can: it puts a page into the memory and maps it
 * protected. For that the memory must not have the page; one that the holder left there is taken
 * out. Returns the pages it did, from the first on. */
static uint64_t copy_in(struct window *window, const struct segment *segment, uint64_t first,
			const uint8_t *buffer, uint64_t pages)
{
	uint64_t at = segment->start + ((first << PAGE_SHIFT) - segment->offset), n = 0, done;
	bool punched = false;

	while (n < pages) {
		int r = uffd_copy(window->space->uffd, at + (n << PAGE_SHIFT),
				  buffer + (n << PAGE_SHIFT), (pages - n) << PAGE_SHIFT,
				  UFFDIO_COPY_MODE_WP, &done);

		n += done >> PAGE_SHIFT;
		if (done)
			punched = false;
		if (r == UFFD_EXISTS && !punched) {
			punched = view_punch(window->view, first + n, first + n + 1) == 0;
			if (punched)
				continue;
		}
		if (r)
			break;
	}
	return n;
}

static bool by_copy(const struct window *window, const struct op *waiter)
{
	return window && window->view->write && !window->pinnable && !waiter &&
	       !window->pager->kernel.wp_continue && !window->space->lost;
}

/* store(), or copy_in() where that is needed: *ret_mapped. */
static int bring(struct window *window, struct view *view, uint64_t first, uint8_t *buffer,
		 uint64_t got, const struct op *waiter, bool *ret_mapped, uint64_t *ret_pages)
{
	struct pager *pager = view->object->pager;
	uint64_t pages = (got + PAGE_BYTES - 1) >> PAGE_SHIFT, n;
	struct segment *segment;

	*ret_mapped = false;
	segment = by_copy(window, waiter) ? segment_of(window, first, first + pages) : NULL;
	if (!segment)
		return store(pager, view, first, buffer, got, ret_pages);
	memset(buffer + got, 0, (pages << PAGE_SHIFT) - got);
	n = copy_in(window, segment, first, buffer, pages);
	if (n == 0)
		return -EAGAIN;
	/* the holder may have mapped the page twice, and wait at the other place */
	if (window->segments.next != window->segments.prev)
		window_wake(window, first, first + n);
	bitmap_set(view->filled, first, first + n);
	COUNT(pager, pages_filled, n);
	COUNT(pager, pages_mapped, n);
	*ret_mapped = true;
	*ret_pages = n;
	return 0;
}

/* ---- under way --------------------------------------------------------------------------- */

static struct fill *fill_take(struct pager *pager)
{
	struct list *spare = list_first(&pager->spare_fills);
	struct fill *fill;

	if (spare) {
		list_unlink(spare);
		pager->n_spare_fills--;
		return list_entry(spare, struct fill, link);
	}
	fill = calloc(1, sizeof(*fill));
	if (!fill)
		return NULL;
	fill->buffer = malloc(pager->scratch_pages << PAGE_SHIFT);
	if (!fill->buffer) {
		free(fill);
		return NULL;
	}
	list_init(&fill->link);
	return fill;
}

static void fill_give(struct pager *pager, struct fill *fill)
{
	list_unlink(&fill->link);
	if (pager->n_spare_fills >= FILLS_OF_OBJECT) {
		free(fill->buffer);
		free(fill);
		return;
	}
	list_append(&pager->spare_fills, &fill->link);
	pager->n_spare_fills++;
}

void fill_deinit(struct pager *pager)
{
	list_for_each (pos, &pager->spare_fills) {
		struct fill *fill = list_entry(pos, struct fill, link);

		free(fill->buffer);
		free(fill);
	}
	list_init(&pager->spare_fills);
}

/* Maps it for the window that asked; only where it is mapped in one piece, others touch again. */
static void map_for_window(struct fill *fill, uint64_t last)
{
	struct window *window = fill->window;
	struct segment *segment;

	if (fill->page < fill->first || fill->page >= last ||
	    bitmap_next_set(window->blocked, fill->first, last) < last)
		return;
	segment = segment_of(window, fill->first, last);
	if (segment)
		fault_map(window->space, segment, fill->first, last, fill->page, false);
}

static void poison_for_window(struct fill *fill)
{
	struct window *window = fill->window;

	list_for_each (pos, &window->segments) {
		struct segment *segment = list_entry(pos, struct segment, link);
		uint64_t at = fill->page << PAGE_SHIFT;

		if (at >= segment->offset && at - segment->offset < segment->end - segment->start)
			fault_poison(window->space, segment->start + (at - segment->offset));
	}
}

static int queue_read(struct fill *fill)
{
	return loop_read(fill->pager->loop, &fill->op, fill->view->object->fd,
			 fill->buffer + fill->got, (unsigned int)(fill->want - fill->got),
			 fill->from + fill->got);
}

static void wake_all(const struct view *view, uint64_t first, uint64_t last)
{
	list_for_each (pos, &view->windows)
		window_wake(list_entry(pos, struct window, view_link), first, last);
}

static void finish(struct fill *fill, int error)
{
	struct pager *pager = fill->pager;
	struct view *view = fill->view;
	bool mapped = false;
	uint64_t pages = 0;

	list_unlink(&fill->link);
	bitmap_clear(view->filling, fill->first, fill->last);
	pager->n_fills--;
	view->object->reads--;
	if (!error && !fill->stale && fill->got > 0)
		error = bring(fill->window, view, fill->first, fill->buffer, fill->got,
			      fill->waiter, &mapped, &pages);
	if (fill->window && !fill->stale && !fill->window->space->lost) {
		if (pages > 0 && !mapped)
			map_for_window(fill, fill->first + pages);
		else if (error && error != -EAGAIN && fill->last - fill->first == 1 &&
			 !fill->waiter)
			poison_for_window(fill);
	}
	wake_all(view, fill->first, fill->last);
	if (fill->waiter) {
		if (fill->ret_error)
			*fill->ret_error = error;
		op_again(fill->waiter);
	}
	while (!list_empty(&view->waiters)) {
		struct turn *turn = list_entry(list_first(&view->waiters), struct turn, link);

		list_unlink(&turn->link);
		op_again(turn->op);
	}
	view_unuse(view);
	fill_give(pager, fill);
}

/* A neighbour may be what is broken: the page that was touched gets a try of its own. */
static bool narrow(struct fill *fill)
{
	uint64_t page = fill->page, limit = view_limit(fill->view);
	uint64_t from = fill->view->start + (page << PAGE_SHIFT);

	if (fill->last - fill->first == 1 || !fill->window || fill->waiter || fill->stale ||
	    from >= limit)
		return false;
	bitmap_clear(fill->view->filling, fill->first, fill->last);
	bitmap_set(fill->view->filling, page, page + 1);
	wake_all(fill->view, fill->first, fill->last);
	fill->first = page;
	fill->last = page + 1;
	fill->from = from;
	fill->want = limit - from < PAGE_BYTES ? limit - from : PAGE_BYTES;
	fill->got = 0;
	return true;
}

static void arrived(struct loop_op *op, int result)
{
	struct fill *fill = op->data;
	int r;

	if (result > 0) {
		fill->got += (uint64_t)result;
		if (fill->got >= fill->want) {
			finish(fill, 0);
			return;
		}
	} else if (result == 0) {
		fill->view->short_at = fill->from + fill->got;
		view_fit(fill->view);
		finish(fill, 0);
		return;
	} else if (result != -EINTR && result != -EAGAIN) {
		if (!narrow(fill)) {
			finish(fill, result);
			return;
		}
	}
	r = queue_read(fill);
	if (r < 0)
		finish(fill, r);
}

static int fill_later(struct window *window, uint64_t first, uint64_t last, uint64_t page,
		      uint64_t got, uint64_t want, struct op *waiter, int *ret_error)
{
	struct pager *pager = window->pager;
	struct view *view = window->view;
	struct fill *fill;
	int r;

	if (pager->n_fills >= FILLS_MAX || view->object->reads >= FILLS_OF_OBJECT)
		return -EAGAIN;
	fill = fill_take(pager);
	if (!fill)
		return -ENOMEM;
	fill->pager = pager;
	fill->view = view;
	fill->window = window;
	fill->waiter = waiter;
	fill->ret_error = ret_error;
	fill->first = first;
	fill->last = last;
	fill->page = page;
	fill->from = view->start + (first << PAGE_SHIFT);
	fill->want = want;
	fill->got = got;
	fill->stale = false;
	fill->op = (struct loop_op){ .fn = arrived, .data = fill };
	memcpy(fill->buffer, pager->scratch, got);
	r = queue_read(fill);
	if (r < 0) {
		fill_give(pager, fill);
		return r;
	}
	view_use(view);
	pager->n_fills++;
	view->object->reads++;
	list_append(&view->fills, &fill->link);
	bitmap_set(view->filling, first, last);
	COUNT(pager, reads_queued, 1);
	return FILL_LATER;
}

int fill(struct window *window, uint64_t first, uint64_t last, uint64_t page, struct op *waiter,
	 int *ret_error)
{
	struct pager *pager = window->pager;
	struct view *view = window->view;
	uint64_t from = view->start + (first << PAGE_SHIFT), limit = view_limit(view), want, pages;
	struct iovec iov;
	ssize_t n;

	if (last - first > pager->scratch_pages)
		last = first + pager->scratch_pages;
	want = (last - first) << PAGE_SHIFT;
	if (want > limit - from)
		want = limit - from;
	iov = (struct iovec){ pager->scratch, want };
	/* memory never waits for a disk, and does not know RWF_NOWAIT */
	n = preadv2(view->object->fd, &iov, 1, (off_t)from,
		    view->object->anonymous ? 0 : RWF_NOWAIT);
	if (n >= 0 && (uint64_t)n == want) {
		bool mapped;
		int r;

		COUNT(pager, reads_cached, 1);
		r = bring(window, view, first, pager->scratch, want, waiter, &mapped, &pages);
		return r == 0 && mapped ? FILL_MAPPED : r;
	}
	if (n < 0 && errno != EAGAIN && errno != EOPNOTSUPP && errno != EINTR)
		return -errno;
	return fill_later(window, first, last, page, n > 0 ? (uint64_t)n : 0, want, waiter,
			  ret_error);
}

void fill_stale(struct view *view, uint64_t first, uint64_t last)
{
	list_for_each (pos, &view->fills) {
		struct fill *fill = list_entry(pos, struct fill, link);

		if (fill->first < last && first < fill->last)
			fill->stale = true;
	}
}

void fill_forget(const struct window *window)
{
	list_for_each (pos, &window->view->fills) {
		struct fill *fill = list_entry(pos, struct fill, link);

		if (fill->window == window)
			fill->window = NULL;
	}
}
