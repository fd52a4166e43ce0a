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
struct window;

struct view {
	_Atomic unsigned int references; /* for the memory alone; any thread */
	unsigned int users;		 /* windows, fills, writers; the pager's thread */
	struct object *object;
	uint64_t start, end; /* bytes of the object, as granted; memory begins at start */
	uint64_t pages;
	uint64_t cut; /* READ: pages that the memory has, the rest is past the end of the object */
	uint64_t right;
	uint64_t short_at; /* the object was seen to end there, by reading; UINT64_MAX */
	bool write, spent;
	bool retired; /* under the lock: nobody joins any more */
	int memory;
	int lent; /* a description for the first holder; -1: it has it */
	dev_t device;
	ino_t inode;
	unsigned int n_windows;
	unsigned int fences; /* under way: nobody joins meanwhile */
	struct list link;
	struct list windows; /* changed by the pager's thread alone, and under the lock */
	struct list fills;   /* under way */
	struct list waiters; /* operations that wait for somebody's fill: struct turn */

	/* One bit a page. The memory itself is never asked: its holder can leave zero pages
	 * there. */
	uint64_t *filled, *filling;

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

/* Where the bytes of @view end now, as an offset of the object. */
uint64_t view_limit(const struct view *view);

/* After the limit may have changed: what is past it of a READ view is SIGBUS, what is not comes back. */
void view_fit(struct view *view);

/* A descriptor for the holder: of a READ view one that can't be made writable. */
int view_lend(struct view *view);

/* Takes the pages out of the memory and of all mappings of it. Any thread; touches no bitmap. */
int view_punch(const struct view *view, uint64_t first, uint64_t last);

/* ---- share.c: who needs what of a view; any thread --------------------------------------- */

/* From now on @window, of a READ view, needs these pages; or not any more. */
void window_hold(struct window *window, uint64_t first, uint64_t last);
void window_let_go(struct window *window, uint64_t first, uint64_t last);

/* The same, and no other window joins the view from now on. */
void window_abandon(struct window *window, uint64_t first, uint64_t last);

/* The first run of pages in [*first, last) that no window needs; false if there is none. Nobody else needs
 * any of a WRITE view. */
bool view_unheld(struct view *view, uint64_t *first, uint64_t last, uint64_t *ret_end);

/* Punches those runs. */
int view_empty(struct view *view, uint64_t first, uint64_t last);

/* The pager's thread: punches what is filled of them, of a READ view, and forgets it. */
int view_release(struct view *view, uint64_t first, uint64_t last);

/* The pager's thread: the first page of [first, last) that a window has populated, or @last; the first that
 * none has. */
uint64_t view_next_kept(const struct view *view, uint64_t first, uint64_t last);
uint64_t view_end_kept(const struct view *view, uint64_t first, uint64_t last);

/* Bytes of [first, last) that are written and not clean. Any thread. */
uint64_t view_dirty(struct view *view, uint64_t first, uint64_t last);

/* New memory of the pager's own: 0400, of the configured owner. */
int memory_new(const struct pager *pager, const char *name, uint64_t size, unsigned int seals);

/* A new description of it. */
int memory_open(int memory, bool write);
