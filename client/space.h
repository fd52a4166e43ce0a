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
	/* of DIRECT seals, see fence.c */
	int fences;	     /* a userfaultfd, -1: none */
	struct list due;     /* struct fence: to be asked for again */
	struct list askings; /* struct asking */
};

struct window {
	struct list link;
	void *address;
	size_t length; /* whole pages */
};

/* Binds the connection to this address space, once. Not under the lock. @object: what is going to
 * be acquired, NULL for a descriptor. */
int space_attach(struct mapseal *m, const char *object, bool transparent);

/* Maps @length bytes of @memory, not accessible yet; then opens the mapping. */
int window_map(struct window *window, int memory, uint64_t offset, uint64_t length, bool write);
int window_open(struct window *window, bool write);

/* Unmaps a range whose registration nobody needs to hear the end of. */
void window_drop(struct window *window, int uffd);

/*
 * Unmaps windows in a list, and frees them, so that the supervisor hears of it; without supervisor,
 * all the same. Not under the lock. What cannot be unmapped now stays in the list, inaccessible.
 */
void window_unmap(struct list *windows, int socket, int uffd, bool lost);
