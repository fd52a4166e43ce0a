/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The address space as the supervisor knows it, and windows in it; see space.c and window.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/list.h"

struct mapseal;

enum space_state { SPACE_NONE, SPACE_ATTACHING, SPACE_ATTACHED };

struct space {
	enum space_state state;
	int uffd; /* our own copy, open to the end: see space.c */
	bool kernel_faults;
	struct list retired; /* struct window: not ours to unmap yet */
};

struct window {
	struct list link;
	void *address; /* NULL: none */
	size_t length; /* whole pages */
};

/* Binds the connection to this address space, once. Not under the lock. @object: what is going to
 * be acquired, NULL for a descriptor. */
int space_attach(struct mapseal *m, const char *object, bool transparent);

/* Maps @length bytes of @memory, not accessible yet; then opens the mapping. */
int window_map(struct window *window, int memory, uint64_t offset, uint64_t length, bool write);
int window_open(struct window *window, bool write);

/* Unmaps what the supervisor serves no more, or never will again. */
void window_unmap(struct window *window, int uffd);
