/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the pager's thread knows, for the files of this folder.
 *
 *	pager ─┬─ spaces ── segments ──▶ window
 *	       ├─ objects ── views (view.h)
 *	       ├─ windows: a view in a space
 *	       └─ operations: work that takes more than one turn
 *
 * Everything belongs to the pager's thread, except what says that it is under a lock.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/loop/loop.h"
#include "daemon/pager/bitmap.h"
#include "daemon/pager/pager.h"
#include "daemon/pager/queue.h"
#include "daemon/core/deadline.h"
#include "daemon/pager/segments.h"
#include "daemon/pager/spare.h"
#include "daemon/pager/uffd.h"
#include "daemon/pager/view.h"
#include "util/idmap.h"
#include "util/list.h"

#define MESSAGES_AT_ONCE 128 /* of one space in one turn */
#define DEFERRED_MAX 64	     /* faults of a space that wait for its next turn */
#define SLICE_PAGES 256	     /* protected and written back in one turn: 1 MiB */
#define PUNCH_PAGES 512	     /* emptied in one turn: 2 MiB */
#define POISON_PAGES 16384   /* made SIGBUS before a space is let go: 64 MiB */

struct pager;

/* ---- operations -------------------------------------------------------------------------- */

/* step() does a bounded piece of work, and says by op_again() or op_sleep() when the next is due;
 * if it says nothing it waits for a completion that will say it. */
struct op {
	void (*step)(struct op *op);
	struct pager *pager;
	struct list link; /* runnable or sleeping */
	uint64_t wake_at;
};

void op_init(struct op *op, struct pager *pager, void (*step)(struct op *op));
void op_again(struct op *op);
void op_sleep(struct op *op, uint64_t until);
void op_stop(struct op *op);

/* Runs what can run; false if nothing could. */
bool ops_run(struct pager *pager, uint64_t now);

/* When the next one that sleeps wakes up. */
uint64_t ops_deadline(const struct pager *pager);

/* ---- objects ----------------------------------------------------------------------------- */

struct object {
	struct idmap_node node;
	struct pager *pager;
	uint64_t size;
	int fd;
	bool writable, anonymous;
	bool closed;	    /* goes with its last view */
	unsigned int users; /* views */
	unsigned int reads; /* queued now */
	struct list views;
	struct list syncing, to_sync; /* commits: of the sync under way, of the next one */
	uint64_t failed_syncs;
	int sync_error; /* of the last that failed */
};

/* ---- spaces ------------------------------------------------------------------------------ */

struct deferred {
	uint64_t address, flags;
};

struct space {
	struct idmap_node node; /* id 0: of a child, not in the table */
	struct pager *pager;
	int uffd;
	int maps;    /* procmap; -1: of a child */
	int process; /* pidfd, or -1 */
	struct loop_poll poll, process_poll;
	struct list link;	/* in pager->spaces or ->children */
	struct list ready_link; /* in pager->ready */
	struct list windows;
	struct segments segments;
	struct deferred deferred[DEFERRED_MAX];
	unsigned int n_deferred, n_children, users;
	unsigned int tries;   /* in a row that the deferred ones were deferred again */
	uint64_t retry_at;    /* for the deferred; 0: none */
	uint64_t busy_until;  /* looked at without being told until then */
	uint64_t quiet_until; /* not looked at until then: its owner plays with the flags */
	struct space *parent; /* of a child; NULL once that is gone */
	struct notice *lost_notice;
	bool lost, closed;
};

/* ---- windows ----------------------------------------------------------------------------- */

struct window {
	struct idmap_node node;
	struct list link; /* in pager->windows */
	struct pager *pager;
	struct space *space; /* stays for as long as the window is used */
	struct view *view;
	bool pinnable, closed;
	unsigned int users; /* operations, and being open */
	uint64_t next_page; /* a fault there is a sequential one */
	/* one bit a page; blocked: no fault is served; then parked, dead, or neither: being
	 * fenced */
	uint64_t *blocked, *parked, *dead;
	uint64_t *past; /* WRITE: SIGBUS was given out since they were past the end of the object */
	uint64_t *kept; /* populated: not to be dropped, and with dirty not to be protected */
	uint64_t *held; /* of a READ view, under its lock: share.c */
	struct list segments;
	struct list space_link, view_link;
	struct list line; /* operations that exclude each other; the first one runs */
};

/* ---- the pager --------------------------------------------------------------------------- */

struct counters {
	_Atomic uint64_t faults, write_faults, pages_filled, pages_mapped, pages_written,
		pages_punched, fences, torn, quarantines, reads_cached, reads_queued, window_bytes;
};

#define COUNT(pager, what, n)                                                                      \
	atomic_fetch_add_explicit(&(pager)->counters.what, (n), memory_order_relaxed)

struct pager {
	struct pager_config config;
	struct pager_kernel kernel; /* what is used of it */
	uint64_t features;
	struct loop *loop;
	pthread_t thread, forcer;
	struct counters counters;

	struct queue jobs, events, forces;
	struct queue proofs; /* see attach.c */
	_Atomic bool stop;
	uint64_t stop_by; /* known once stop is */
	pthread_mutex_t end_lock;
	pthread_cond_t end_cond; /* of CLOCK_MONOTONIC */
	bool ended, left_behind; /* under end_lock */
	struct pager_left left;
	bool ending; /* memory is left as it is from now on */
	struct loop_poll jobs_poll, proofs_poll;
	bool jobs_ready, proofs_ready;

	struct idmap spaces_by_id, objects;
	struct list spaces, children, ready;
	struct list attaching, attach_line; /* see attach.c */
	struct list windows; /* the head is the next to be asked for clean pages: drop.c */
	struct list runnable, sleeping;
	unsigned int n_ops; /* under way, of jobs */
	uint64_t look_at;   /* when spaces are asked next whether they live */

	/* Windows come and go under this lock, which other threads take to look one up. */
	pthread_mutex_t tables;
	struct idmap windows_by_id;

	/* Fences, from pager_submit() to their end: force.c. */
	pthread_mutex_t registry;
	struct list fences;

	/* hot path, so that it allocates nothing */
	struct uffd_msg messages[MESSAGES_AT_ONCE];
	uint8_t *scratch;
	uint64_t scratch_pages;
	struct spares spares; /* memory for the next windows */
	struct list spare_fills, spare_buffers;
	unsigned int n_fills, n_spare_fills, n_buffers, n_spare_buffers;
};

/* ---- thread.c ---------------------------------------------------------------------------- */

struct start { /* what pager_new() waits for */
	struct pager *pager;
	pthread_mutex_t lock;
	pthread_cond_t started;
	bool done;
	int result;
};
void *pager_thread(void *start);

/* Tells the event of @job (not of a fence) and frees it. */
void job_done(struct pager *pager, struct job *job, int error, uint64_t value);

/* ---- object.c ---------------------------------------------------------------------------- */

static inline struct object *object_get(const struct pager *pager, uint64_t id)
{
	struct idmap_node *n = idmap_find(&pager->objects, id);

	return n ? container_of(n, struct object, node) : NULL;
}

int object_open(struct pager *pager, struct pager_job *job);
int object_close(struct pager *pager, uint64_t id);
int object_resized(struct pager *pager, uint64_t id, uint64_t size);

/* ---- window.c ---------------------------------------------------------------------------- */

void window_open(struct pager *pager, struct job *job);
void window_map(struct pager *pager, struct job *job);
void window_close(struct window *window);
struct window *window_get(const struct pager *pager, uint64_t id);
void window_unuse(struct window *window);

/* Pages of [start, end) of the object that are in the window; false if there are none. */
bool window_pages(const struct window *window, uint64_t start, uint64_t end, uint64_t *ret_first,
		  uint64_t *ret_last);

/* Calls @fn for the addresses of pages [first, last), until it returns other than 0. */
int window_each(struct window *window, uint64_t first, uint64_t last,
		int (*fn)(struct space *space, uint64_t start, uint64_t length));

int window_protect(struct window *window, uint64_t first, uint64_t last);   /* 0, UFFD_AGAIN */
int window_unprotect(struct window *window, uint64_t first, uint64_t last); /* 0, UFFD_AGAIN */
void window_wake(struct window *window, uint64_t first, uint64_t last);

/* ---- ops.c ------------------------------------------------------------------------------- */

/* Operations of a window that exclude each other. */
struct turn {
	struct list link;
	struct op *op;
};
void turn_take(struct window *window, struct turn *turn,
	       struct op *op); /* op runs when it is its turn */
void turn_end(struct window *window, struct turn *turn);

/* ---- attach.c, space.c ------------------------------------------------------------------- */

static inline struct space *space_get(const struct pager *pager, uint64_t id)
{
	struct idmap_node *n = idmap_find(&pager->spaces_by_id, id);

	return n ? container_of(n, struct space, node) : NULL;
}

void space_attach(struct pager *pager, struct job *job);
bool space_unwanted(struct pager *pager, uint64_t id); /* closed while it is being attached */
void space_proved(struct pager *pager, struct list *link); /* out of pager->proofs */
int space_new(struct pager *pager, uint64_t id, int uffd, int maps, struct space **ret);
void space_watch(struct space *space, pid_t pid); /* is told when @pid ends */
void space_close(struct space *space);
void space_unuse(struct space *space);
void space_lost(struct space *space);

/* Reads what is there and serves it. How many messages; fewer than MESSAGES_AT_ONCE: that was
 * all. */
int space_turn(struct space *space, uint64_t now);

/* Is it still alive? */
void space_look(struct space *space);
void space_ready(struct space *space);

/* ---- fork.c ------------------------------------------------------------------------------ */

/* @uffd is the child's, ours to keep. */
void space_forked(struct space *parent, int uffd);

/* SIGBUS for what was never touched of the segments, at most @budget pages; then everybody is
 * woken. */
void space_poison(struct space *space, const struct segments *segments, uint64_t budget);

/* ---- fault.c ----------------------------------------------------------------------------- */

void fault_serve(struct space *space, uint64_t address, uint64_t flags);

/* Makes filled pages [first, last) of @segment's window appear. @page was touched, for writing if
 * @written. 0, or UFFD_AGAIN; other answers are dealt with. */
int fault_map(struct space *space, struct segment *segment, uint64_t first, uint64_t last,
	      uint64_t page, bool written);

/* SIGBUS for whoever touches @address. 0, or UFFD_AGAIN. */
int fault_poison(struct space *space, uint64_t address);

/* ---- fill.c ------------------------------------------------------------------------------ */

/* Brings [first, last) in, none of which is filled or being filled, all before the limit: 0, one of
 * the answers below, or -errno. -EAGAIN: not now. A @waiter is run when it came later, and finds in
 * *ret_error what became of it. */
enum fill_answer {
	FILL_LATER = 1, /* it is on its way; threads that wait for it will be woken */
	FILL_MAPPED,	/* it is mapped already */
};
int fill(struct window *window, uint64_t first, uint64_t last, uint64_t page, struct op *waiter,
	 int *ret_error);

/* What is on its way into these pages is not wanted any more. */
void fill_stale(struct view *view, uint64_t first, uint64_t last);
void fill_forget(const struct window *window);
void fill_deinit(struct pager *pager);

/* ---- operations: populate.c, writeback.c (flush and commit), fence.c, regrant.c, drop.c ---- */

void populate_start(struct pager *pager, struct job *job);

/* Makes filled pages appear before they are touched, over SIGBUS too; for writing they are dirty from then
 * on. 0, or an answer of enum uffd_answer. */
int populate_filled(struct window *window, uint64_t first, uint64_t last, bool write);

void writeback_start(struct pager *pager, struct job *job);
int fence_prepare(struct job *job); /* any thread; -ENOMEM */
void fence_start(struct pager *pager, struct job *job);
int regrant_prepare(struct job *job); /* any thread; -ENOMEM */
void regrant_start(struct pager *pager, struct job *job);
void drop_start(struct pager *pager, struct job *job);

/* ---- force.c ----------------------------------------------------------------------------- */

void fence_register(struct pager *pager, struct job *job);

/* Tells the event of a fence, if that was not done by force meanwhile, and frees the job. */
void fence_done(struct pager *pager, struct job *job, const struct pager_event *result);

/* Is it over already? */
bool fence_is_over(struct job *job);

/* Tells the event now; false if that was done already, and then @result is still the caller's. */
bool fence_tell(struct pager *pager, struct job *job, const struct pager_event *result);

/* Between these the fence is not forced, since its bytes are being kept; the end says whether it was to
 * be. False from the beginning: it is over. */
bool fence_begin_keeping(struct job *job);
bool fence_end_keeping(struct job *job);

/* Ends after pager_force(pager, 0). */
void *force_thread(void *pager);
