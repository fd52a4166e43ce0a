/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A chained hash table that doubles when it holds more nodes than buckets, so a node costs at most
 * two pointers of the table beside its own.
 *
 * Inserting can't fail: when there is no memory to grow, chains get longer, and the next insertion
 * tries again. A map begins with one bucket inside itself and therefore must not be moved while it
 * holds anything. The order of nodes is nobody's business: whoever needs an order keeps a list.
 */

#include "util/idmap.h"

#include <stdlib.h>

/* Ids are counted up or drawn at random; the product spreads both over the top bits. */
static size_t place(uint64_t id, size_t size)
{
	return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (size - 1);
}

static struct idmap_node **bucket(const struct idmap *map, uint64_t id)
{
	if (!map->buckets)
		return (struct idmap_node **)&map->only;
	return &map->buckets[place(id, map->size)];
}

static void grow(struct idmap *map)
{
	size_t old_size = map->buckets ? map->size : 1, size = old_size < 16 ? 16 : 2 * old_size;
	struct idmap_node **old = map->buckets ? map->buckets : &map->only;
	struct idmap_node **buckets = calloc(size, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i < old_size; i++)
		for (struct idmap_node *n = old[i], *next; n; n = next) {
			size_t to = place(n->id, size);

			next = n->next;
			n->next = buckets[to];
			buckets[to] = n;
		}
	free(map->buckets);
	map->only = NULL;
	map->buckets = buckets;
	map->size = size;
	map->first = 0;
}

void idmap_insert(struct idmap *map, struct idmap_node *n, uint64_t id)
{
	struct idmap_node **b;

	if (map->n >= (map->buckets ? map->size : 1))
		grow(map);
	b = bucket(map, id);
	n->id = id;
	n->next = *b;
	*b = n;
	if (map->buckets && (size_t)(b - map->buckets) < map->first)
		map->first = (size_t)(b - map->buckets);
	map->n++;
}

void idmap_remove(struct idmap *map, struct idmap_node *n)
{
	for (struct idmap_node **p = bucket(map, n->id); *p; p = &(*p)->next)
		if (*p == n) {
			*p = n->next;
			n->next = NULL;
			map->n--;
			return;
		}
}

struct idmap_node *idmap_find(const struct idmap *map, uint64_t id)
{
	for (struct idmap_node *n = *bucket(map, id); n; n = n->next)
		if (n->id == id)
			return n;
	return NULL;
}

struct idmap_node *idmap_any(struct idmap *map)
{
	if (!map->buckets)
		return map->only;
	if (map->n == 0)
		return NULL;
	while (!map->buckets[map->first])
		map->first++;
	return map->buckets[map->first];
}

void idmap_deinit(struct idmap *map)
{
	free(map->buckets);
	*map = (struct idmap){ 0 };
}
