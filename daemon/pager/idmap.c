/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A hash table with linear probing, at most half full. Removal moves later entries of the same run
 * back, so there are no tombstones and a table that came and went is as fast as a new one.
 */

#include "daemon/pager/idmap.h"

#include <errno.h>
#include <stdlib.h>

void idtable_deinit(struct idtable *map)
{
	free(map->slots);
	*map = (struct idtable){ 0 };
}

static size_t home(const struct idtable *map, uint64_t id)
{
	/* ids are handed out in order; Fibonacci hashing spreads them */
	return (size_t)((id * 0x9e3779b97f4a7c15ull) >> 32) & (map->room - 1);
}

/* The slot of @id, or the free one where it would go. */
static size_t seek(const struct idtable *map, uint64_t id)
{
	size_t i = home(map, id);

	while (map->slots[i].id && map->slots[i].id != id)
		i = (i + 1) & (map->room - 1);
	return i;
}

void *idtable_get(const struct idtable *map, uint64_t id)
{
	return map->room && id ? map->slots[seek(map, id)].value : NULL;
}

static int grow(struct idtable *map)
{
	struct idtable bigger = { .room = map->room ? map->room * 2 : 16 };

	bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	bigger.n = map->n;
	for (size_t i = 0; i < map->room; i++)
		if (map->slots[i].id)
			bigger.slots[seek(&bigger, map->slots[i].id)] = map->slots[i];
	free(map->slots);
	*map = bigger;
	return 0;
}

int idtable_put(struct idtable *map, uint64_t id, void *value)
{
	size_t i;
	int r;

	if (id == 0)
		return -EINVAL;
	if (map->n * 2 >= map->room) {
		r = grow(map);
		if (r < 0)
			return r;
	}
	i = seek(map, id);
	if (map->slots[i].id)
		return -EEXIST;
	map->slots[i] = (struct idtable_slot){ .id = id, .value = value };
	map->n++;
	return 0;
}

void idtable_remove(struct idtable *map, uint64_t id)
{
	size_t hole, i;

	if (!map->room || id == 0)
		return;
	hole = seek(map, id);
	if (!map->slots[hole].id)
		return;
	for (i = (hole + 1) & (map->room - 1); map->slots[i].id; i = (i + 1) & (map->room - 1)) {
		size_t from = home(map, map->slots[i].id);

		/* may it stay? only if its home lies between the hole and itself */
		if (((i - from) & (map->room - 1)) < ((i - hole) & (map->room - 1)))
			continue;
		map->slots[hole] = map->slots[i];
		hole = i;
	}
	map->slots[hole] = (struct idtable_slot){ 0 };
	map->n--;
}
