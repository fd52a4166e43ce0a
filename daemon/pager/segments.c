/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The address map of a space.
 *
 * It follows what the kernel tells of munmap and mremap, so a window may be in many pieces, or
 * nowhere. It is a sorted array of pointers: a search is a bisection that begins where the last one
 * ended, and the number of pieces is bounded by the mappings a process may have. Segments of
 * windows that are over stay, without an owner, because the range stays registered and a touch of
 * it wants an answer.
 *
 * It is allowed to know less than there is (an address that nobody knows is looked up anew when it
 * is touched), never more.
 */

#include "daemon/pager/segments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void segments_deinit(struct segments *segments)
{
	for (size_t i = 0; i < segments->n; i++) {
		list_unlink(&segments->at[i]->link);
		free(segments->at[i]);
	}
	free(segments->at);
	*segments = (struct segments){ 0 };
}

/* Index of the first segment that ends after @address. */
static size_t lower(const struct segments *segments, uint64_t address)
{
	size_t low = 0, high = segments->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (segments->at[middle]->end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct segment *segments_find(struct segments *segments, uint64_t address)
{
	struct segment *segment;
	size_t i;

	if (segments->last < segments->n) {
		segment = segments->at[segments->last];
		if (address >= segment->start && address < segment->end)
			return segment;
	}
	i = lower(segments, address);
	if (i == segments->n || segments->at[i]->start > address)
		return NULL;
	segments->last = i;
	return segments->at[i];
}

struct segment *segments_after(struct segments *segments, uint64_t address)
{
	size_t i = lower(segments, address);

	return i < segments->n ? segments->at[i] : NULL;
}

static int reserve(struct segments *segments, size_t more)
{
	struct segment **at;
	size_t room = segments->room ? segments->room : 8;

	while (room < segments->n + more)
		room *= 2;
	if (room == segments->room)
		return 0;
	at = reallocarray(segments->at, room, sizeof(*at));
	if (!at)
		return -ENOMEM;
	segments->at = at;
	segments->room = room;
	return 0;
}

static void put_at(struct segments *segments, size_t i, struct segment *segment)
{
	memmove(segments->at + i + 1, segments->at + i, (segments->n - i) * sizeof(*segments->at));
	segments->at[i] = segment;
	segments->n++;
}

static void take_out(struct segments *segments, size_t i, size_t n)
{
	if (n == 0)
		return;
	memmove(segments->at + i, segments->at + i + n,
		(segments->n - i - n) * sizeof(*segments->at));
	segments->n -= n;
}

static void drop_at(struct segments *segments, size_t i, size_t n)
{
	for (size_t j = i; j < i + n; j++) {
		list_unlink(&segments->at[j]->link);
		free(segments->at[j]);
	}
	take_out(segments, i, n);
}

/* Makes @at a boundary if it lies within a segment; without memory for that, what lies above it is
 * forgotten. */
static void split(struct segments *segments, uint64_t at)
{
	size_t i = lower(segments, at);
	struct segment *low, *high;

	if (i == segments->n || segments->at[i]->start >= at)
		return;
	low = segments->at[i];
	high = malloc(sizeof(*high));
	if (high && reserve(segments, 1) == 0) {
		*high = (struct segment){
			.start = at,
			.end = low->end,
			.offset = low->offset + (at - low->start),
			.window = low->window,
		};
		list_init(&high->link);
		if (low->window)
			list_prepend(&low->link, &high->link);
		put_at(segments, i + 1, high);
	} else {
		free(high);
	}
	low->end = at;
}

void segments_cut(struct segments *segments, uint64_t start, uint64_t end)
{
	size_t first, last;

	if (start >= end)
		return;
	split(segments, end);
	split(segments, start);
	first = lower(segments, start);
	for (last = first; last < segments->n && segments->at[last]->start < end; last++)
		;
	drop_at(segments, first, last - first);
}

int segments_insert(struct segments *segments, uint64_t start, uint64_t end, uint64_t offset,
		    struct window *window, struct list *link_to)
{
	struct segment *segment = malloc(sizeof(*segment));

	if (!segment || reserve(segments, 3) < 0) {
		free(segment);
		return -ENOMEM;
	}
	segments_cut(segments, start, end);
	*segment = (struct segment){
		.start = start,
		.end = end,
		.offset = offset,
		.window = window,
	};
	list_init(&segment->link);
	if (link_to)
		list_append(link_to, &segment->link);
	put_at(segments, lower(segments, start), segment);
	return 0;
}

void segments_move(struct segments *segments, uint64_t from, uint64_t to, uint64_t length)
{
	struct segment **moved;
	size_t first, n = 0;

	if (length == 0 || from == to)
		return;
	split(segments, from + length);
	split(segments, from);
	first = lower(segments, from);
	while (first + n < segments->n && segments->at[first + n]->start < from + length)
		n++;
	moved = n ? malloc(n * sizeof(*moved)) : NULL;
	if (!moved) {
		drop_at(segments, first, n);
		segments_cut(segments, to, to + length);
		return;
	}
	memcpy(moved, segments->at + first, n * sizeof(*moved));
	take_out(segments, first, n);
	segments_cut(segments, to, to + length);
	for (size_t i = 0; i < n; i++) {
		moved[i]->start = moved[i]->start - from + to;
		moved[i]->end = moved[i]->end - from + to;
		if (reserve(segments, 1) == 0) {
			put_at(segments, lower(segments, moved[i]->start), moved[i]);
		} else {
			list_unlink(&moved[i]->link);
			free(moved[i]);
		}
	}
	free(moved);
}

void segments_orphan(struct list *list)
{
	list_for_each (pos, list) {
		struct segment *segment = list_entry(pos, struct segment, link);

		segment->window = NULL;
		list_unlink(&segment->link);
	}
}
