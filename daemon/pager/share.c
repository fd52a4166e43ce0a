/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who needs what of a view that windows share.
 *
 * One reader's return must not disturb the others: what they populated stays there for their system
 * calls, and what they touched is not fetched again. So a fence of a READ window lets go of its range, and
 * only pages that no other window of the view holds are taken out of the memory.
 *
 * Every page in a READ view's memory is therefore held by a window, or a fence of it is under way. That is
 * what keeps bytes from getting stale: what changes an object recalls all windows on the range, and the
 * last of their fences takes the pages out, of the memory and of every mapping of it anywhere.
 *
 * Whoever gave a window back, or lost it, while others hold the same pages may go on reading what it
 * has mapped, or the descriptor it kept, until then. These are the object's bytes of this moment, which it
 * has the right to read (views are shared for one right only), and nobody can take pages out of one
 * address space from outside. What it has not mapped it does not get any more.
 *
 * A change may begin before the pager has heard of a return, or while its thread is stuck and the fence was
 * ended by force. So pages that nobody holds are not shown to anybody until they are taken out: no window
 * joins a view during a fence of it, and one that is granted again finishes what others' fences
 * have begun on its range. After a fence that was forced nobody joins the view at all, since a read that was
 * under way then may yet put old bytes in before the pager's thread cleans up.
 *
 * `held` and the list of windows are under the view's lock; `kept` belongs to the pager's thread.
 */

#include <errno.h>

#include "daemon/pager/state.h"

void window_hold(struct window *window, uint64_t first, uint64_t last)
{
	struct view *view = window->view;

	pthread_mutex_lock(&view->lock);
	bitmap_set(window->held, first, last);
	pthread_mutex_unlock(&view->lock);
}

void window_let_go(struct window *window, uint64_t first, uint64_t last)
{
	struct view *view = window->view;

	pthread_mutex_lock(&view->lock);
	bitmap_clear(window->held, first, last);
	pthread_mutex_unlock(&view->lock);
}

void window_abandon(struct window *window, uint64_t first, uint64_t last)
{
	struct view *view = window->view;

	pthread_mutex_lock(&view->lock);
	bitmap_clear(window->held, first, last);
	view->retired = true;
	pthread_mutex_unlock(&view->lock);
}

typedef uint64_t *bitmap_of(const struct window *window);

static uint64_t *held_of(const struct window *window)
{
	return window->held;
}

static uint64_t *kept_of(const struct window *window)
{
	return window->kept;
}

static uint64_t next_set(const struct view *view, bitmap_of *of, uint64_t first, uint64_t last)
{
	list_for_each (pos, &view->windows)
		last = bitmap_next_set(of(list_entry(pos, struct window, view_link)), first, last);
	return last;
}

/* The first page of [first, last) that is set for no window. */
static uint64_t next_clear(const struct view *view, bitmap_of *of, uint64_t first, uint64_t last)
{
	uint64_t from;

	do {
		from = first;
		list_for_each (pos, &view->windows)
			first = bitmap_next_clear(of(list_entry(pos, struct window, view_link)), first,
						  last);
	} while (first != from && first < last);
	return first;
}

bool view_unheld(struct view *view, uint64_t *first, uint64_t last, uint64_t *ret_end)
{
	if (view->write) {
		*ret_end = last;
		return *first < last;
	}
	pthread_mutex_lock(&view->lock);
	*first = next_clear(view, held_of, *first, last);
	*ret_end = next_set(view, held_of, *first, last);
	pthread_mutex_unlock(&view->lock);
	return *first < last;
}

int view_empty(struct view *view, uint64_t first, uint64_t last)
{
	uint64_t end;
	int r = 0;

	for (; r == 0 && view_unheld(view, &first, last, &end); first = end)
		do {
			r = view_punch(view, first, end);
		} while (r == -EINTR);
	return r;
}

int view_release(struct view *view, uint64_t first, uint64_t last)
{
	uint64_t end;

	for (; view_unheld(view, &first, last, &end); first = end) {
		int r;

		first = bitmap_next_set(view->filled, first, end);
		end = bitmap_next_clear(view->filled, first, end);
		if (first == end)
			continue;
		r = view_punch(view, first, end);
		if (r < 0)
			return r;
		bitmap_clear(view->filled, first, end);
		COUNT(view->object->pager, pages_punched, end - first);
	}
	return 0;
}

uint64_t view_next_kept(const struct view *view, uint64_t first, uint64_t last)
{
	return next_set(view, kept_of, first, last);
}

uint64_t view_end_kept(const struct view *view, uint64_t first, uint64_t last)
{
	return next_clear(view, kept_of, first, last);
}
