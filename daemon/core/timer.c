/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A binary heap of pointers; each node knows its place, so that it can be taken out from the middle.
 *
 * It promises O(log n) for every change, and an order that depends on keys and ties alone, never on
 * addresses. It owns the array, not the nodes. Which time it is, and when to look, is not its
 * business.
 */

#include "daemon/core/timer.h"

#include <errno.h>
#include <stdlib.h>

static bool before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key < b->key || (a->key == b->key && a->tie < b->tie);
}

static void put(struct heap *heap, size_t i, struct heap_node *n)
{
	heap->nodes[i] = n;
	n->place = i + 1;
}

static void sift_up(struct heap *heap, size_t i)
{
	struct heap_node *n = heap->nodes[i];

	while (i > 0 && before(n, heap->nodes[(i - 1) / 2])) {
		put(heap, i, heap->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(heap, i, n);
}

static void sift_down(struct heap *heap, size_t i)
{
	struct heap_node *n = heap->nodes[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < heap->n && before(heap->nodes[child + 1], heap->nodes[child]))
			child++;
		if (child >= heap->n || !before(heap->nodes[child], n))
			break;
		put(heap, i, heap->nodes[child]);
		i = child;
	}
	put(heap, i, n);
}

int heap_insert(struct heap *heap, struct heap_node *n, uint64_t key, uint64_t tie)
{
	if (heap->n == heap->size) {
		size_t size = heap->size ? 2 * heap->size : 64;
		struct heap_node **nodes = realloc(heap->nodes, size * sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		heap->nodes = nodes;
		heap->size = size;
	}
	n->key = key;
	n->tie = tie;
	put(heap, heap->n++, n);
	sift_up(heap, heap->n - 1);
	return 0;
}

void heap_remove(struct heap *heap, struct heap_node *n)
{
	size_t i = n->place - 1;
	struct heap_node *last;

	if (!n->place)
		return;
	n->place = 0;
	last = heap->nodes[--heap->n];
	if (last == n)
		return;
	put(heap, i, last);
	sift_up(heap, i);
	sift_down(heap, last->place - 1);
}

void heap_deinit(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap){ 0 };
}
