/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Ids (never 0) to pointers.
 */

#include <stddef.h>
#include <stdint.h>

struct idmap {
	struct idmap_slot {
		uint64_t id;
		void *value;
	} *slots;
	size_t n, room; /* room is a power of two, or 0 */
};

void idmap_deinit(struct idmap *map);

void *idmap_get(const struct idmap *map, uint64_t id);

/* -ENOMEM. -EEXIST: nothing was changed. */
int idmap_put(struct idmap *map, uint64_t id, void *value);

void idmap_remove(struct idmap *map, uint64_t id);
