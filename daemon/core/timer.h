/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An intrusive heap, and the timers that are kept in one.
 *
 * The core has one heap of timers, and no other code of the system has any: whoever waits for a
 * time puts a `struct timer` into what it is about. Equal times are served in the order in which
 * they were set, so that a run can be repeated exactly.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key, tie;
	size_t place; /* 1-based; 0: not in the heap */
};

struct heap {
	struct heap_node **nodes;
	size_t n, size;
};

/* 0 or -ENOMEM. @tie orders equal keys. */
int heap_insert(struct heap *heap, struct heap_node *n, uint64_t key, uint64_t tie);
void heap_remove(struct heap *heap, struct heap_node *n); /* nothing if it is not in there */
void heap_deinit(struct heap *heap);

static inline struct heap_node *heap_first(const struct heap *heap)
{
	return heap->n ? heap->nodes[0] : NULL;
}

static inline bool heap_has(const struct heap_node *n)
{
	return n->place != 0;
}

struct core;

struct timer {
	struct heap_node node;
	void (*fn)(struct core *core, struct timer *timer);
};
