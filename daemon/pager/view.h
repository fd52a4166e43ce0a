/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A view: memory that holds a range of an object.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/list.h"

struct object;
struct pager;

struct view {
	_Atomic unsigned int references; /* for the memory alone; any thread */
	unsigned int users;		 /* windows, fills, writers; the pager's thread */
	struct object *object;
	uint64_t start, end; /* bytes of the object, as granted; memory begins at start */
	uint64_t pages;
	uint64_t right;
	uint64_t short_at; /* the object was seen to end there, by reading; UINT64_MAX */
	bool write, spent;
	int memory;
	dev_t device;
	ino_t inode;
	unsigned int n_windows;
	struct list link, windows;
	struct list fills;   /* under way */
	struct list waiters; /* operations that wait for somebody's fill: struct turn */

	/* One bit a page. The memory itself is never asked: its holder can leave zero pages
	 * there. */
	uint64_t *filled, *filling;
	uint64_t *kept; /* populated: not to be dropped, and with dirty not to be protected */

	/* Under the lock, which is never held over anything that can wait for somebody else. */
	pthread_mutex_t lock;
	uint64_t *dirty, *writing; /* WRITE; writing: in buffers, not known to have arrived */
	uint64_t *revoked;   /* by force: never to be written, until its fence has cleaned up */
	struct list buffers; /* of pages that are being written */
};

/* For a window of [start, end): a new view, or one shared with others of the same range and right.
 * Counts as used. */
int view_get(struct pager *pager, struct object *object, uint64_t start, uint64_t end, bool write,
	     uint64_t right, struct view **ret);
void view_use(struct view *view);
void view_unuse(struct view *view);

struct view *view_ref(struct view *view);
struct view *view_unref(struct view *view);

/* A descriptor for the holder: of a READ view one that can't be made writable. */
int view_lend(const struct view *view);

/* Takes the pages out of the memory and of all mappings of it. Any thread; touches no bitmap. */
int view_punch(const struct view *view, uint64_t first, uint64_t last);

/* Bytes of [first, last) that are written and not clean. Any thread. */
uint64_t view_dirty(struct view *view, uint64_t first, uint64_t last);

/* New memory of the pager's own: 0400, of the configured owner. */
int memory_new(const struct pager *pager, const char *name, uint64_t size, unsigned int seals);
