/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* DIRECT seals: the file's own mapping (direct.c), and what takes its place (fence.c,
 * fence-move.c). All of it
 * under the lock, unless it says otherwise. */

#include "client/seal.h"

struct direct {
	int file;      /* to map it again */
	int proof;     /* of the right, for asking again; -1: by name */
	char *object;  /* the name; NULL: by descriptor */
	bool sync;     /* MAP_SYNC holds: a flush of the caches makes durable */
	int map_flags; /* that are insisted on */
	unsigned int flags; /* of the request */
	struct list fences;
};

/* Where a byte of the seal's object is. */
static inline unsigned char *direct_at(const struct mapseal_seal *seal, uint64_t offset)
{
	return (unsigned char *)seal->window->address + (offset - seal->offset);
}

/* What has to be there before one is asked for. Not under the lock. */
int direct_new(struct mapseal *m, const struct mapseal_request *request, struct direct **ret);

/* One that is no seal's yet. NULL is allowed. */
void direct_drop(struct direct *direct);

/* In a child of its process there is no mapping. */
void direct_free(struct mapseal_seal *seal, bool mapped);

/* The first mapping. Takes @file over, also if it fails. Not under the lock. */
int direct_map(struct mapseal_seal *seal, int file, uint64_t file_offset);

/* What happened while it was being mapped is done now. */
void direct_mapped(struct mapseal_seal *seal);

/* The file is there again, for the pages of [start, end); whoever was parked there goes on. */
void direct_lift(struct mapseal_seal *seal, uint64_t start, uint64_t end);

/* The file is there no more: whoever touches [start, end) parks, and asks for it again, unless it is
 * parked already. */
void direct_fence(struct mapseal_seal *seal, uint64_t start, uint64_t end);

/* ... is SIGBUS. */
void direct_poison(struct mapseal_seal *seal, uint64_t start, uint64_t end);

/* Forgets what fences know of a range of which another mapping has taken the place. */
void fence_forget(struct mapseal_seal *seal, uint64_t start, uint64_t end);
void fence_wake(const struct mapseal_seal *seal, uint64_t start, uint64_t end);

/* Registered memory over [at, at + length), whole pages. False: nothing was changed. */
bool fence_move(int uffd, void *at, size_t length, bool write);
void fence_wake_memory(int uffd, const void *address, size_t length);

/* Once a connection. */
int fence_setup(struct mapseal *m);

/* The userfaultfd polled readable. Never blocks. */
void fence_serve(struct mapseal *m);

/* Asks again what is due, and when the next is; CLOCK_MONOTONIC, ms; 0: nothing is. */
void fence_ask_due(struct mapseal *m);
uint64_t fence_next(const struct mapseal *m);

/* The connection is over. */
void fence_forget_askings(struct mapseal *m);

/* AVAIL was about a fence, and the application has not to hear of it. */
bool fence_on_avail(struct mapseal *m, uint32_t request);

/* Pages and durability of a DIRECT seal; see pages.c for windows. */
int direct_populate(struct mapseal_seal *seal, uint64_t offset, uint64_t length,
		    enum mapseal_mode mode);
int direct_sync(struct mapseal_seal *seal, uint64_t offset, uint64_t length);
