/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which address of a space belongs to which window: sorted, disjoint ranges.
 */

#include <stddef.h>
#include <stdint.h>

#include "util/list.h"

struct window;

struct segment {
	uint64_t start, end;   /* addresses */
	uint64_t offset;       /* in the window's memory, of start */
	struct window *window; /* NULL: of a window that is over; still registered */
	struct list link;      /* in the window's list */
};

struct segments {
	struct segment **at;
	size_t n, room;
	size_t last; /* where the last search ended */
};

void segments_deinit(struct segments *segments);

/* The one that contains @address, or NULL. */
struct segment *segments_find(struct segments *segments, uint64_t address);

/* The first that ends after @address, or NULL. */
struct segment *segments_after(struct segments *segments, uint64_t address);

/* Takes the place of whatever was there. Links into @link_to if that is not NULL. -ENOMEM: nothing
 * was changed. */
int segments_insert(struct segments *segments, uint64_t start, uint64_t end, uint64_t offset,
		    struct window *window, struct list *link_to);

/* Forgets [start, end). When memory is short it forgets more rather than less. */
void segments_cut(struct segments *segments, uint64_t start, uint64_t end);

/* What was at [from, from + length) is at @to now. */
void segments_move(struct segments *segments, uint64_t from, uint64_t to, uint64_t length);

/* The window of the segments in @list is over; they stay. */
void segments_orphan(struct list *list);
