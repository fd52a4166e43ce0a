/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From an id to what carries it: a hash table of embedded nodes. An id may be there once. */

#include <stddef.h>
#include <stdint.h>

struct idmap_node {
	uint64_t id;
	struct idmap_node *next;
};

struct idmap {
	struct idmap_node **buckets;
	size_t size, n; /* size: a power of two, or 0 */
	size_t first;	/* the buckets before it are empty */
	struct idmap_node *only;
};

void idmap_insert(struct idmap *map, struct idmap_node *n, uint64_t id);
void idmap_remove(struct idmap *map, struct idmap_node *n);
struct idmap_node *idmap_find(const struct idmap *map, uint64_t id);

/* Any node, NULL if the map is empty. Taking out all of them, one after the other, is one walk over
 * the table. */
struct idmap_node *idmap_any(struct idmap *map);
void idmap_deinit(struct idmap *map);
