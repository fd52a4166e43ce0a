/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Ids (never 0) to pointers.
 */

#include <stddef.h>
#include <stdint.h>

struct idtable {
	struct idtable_slot {
		uint64_t id;
		void *value;
	} *slots;
	size_t n, room; /* room is a power of two, or 0 */
};

void idtable_deinit(struct idtable *map);

void *idtable_get(const struct idtable *map, uint64_t id);

/* -ENOMEM. -EEXIST: nothing was changed. */
int idtable_put(struct idtable *map, uint64_t id, void *value);

void idtable_remove(struct idtable *map, uint64_t id);
