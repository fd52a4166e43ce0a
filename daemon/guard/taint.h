/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What was let go and may not be over yet, by object; see taint.c. No descriptor, no lock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/interval.h"
#include "daemon/guard/operation.h"
#include "util/idmap.h"
#include "util/list.h"

struct taint { /* of an object */
	struct {
		uint64_t start, end; /* end 0: none */
	} lasting[_CORE_WANT_N];
	uint64_t append; /* a lasting write may land from here on; CORE_INFINITY: none */
	struct list flights;
	struct interval_tree ranges[_CORE_WANT_N]; /* theirs */
	struct interval_tree appends;		   /* and from where on they may append */
	uint32_t n_flights, n_paths;
};

/* More than these, but for those by path, are not told apart: what they do is lasting. */
#define TAINT_FLIGHTS_MAX 1024

/* An operation that is over when its thread has left the call. */
struct flight {
	struct list link;	 /* taint->flights */
	struct list thread_link; /* those of its thread */
	struct idmap_node node;	 /* by id: to look for it again */
	struct taint *taint;
	pid_t tid;
	struct operation_call call;
	enum core_want want;
	struct interval range;
	struct interval append; /* to CORE_INFINITY; in no tree if that is where it starts */
	bool path, single;
	void *spare; /* memory for the thread's record, if it has none */
};

struct flight *flight_new(void);
struct flight *flight_free(struct flight *flight); /* one that is no taint's */

/* The flights of all objects, so that a thread's next event ends those that it had. */
struct taint_threads {
	struct idmap threads, flights;
	uint64_t next_id;
};

void taint_init(struct taint *taint);

/* Forgets everything. */
void taint_clear(struct taint_threads *threads, struct taint *taint);

/* Whether @op leaves anything at all when it is let go, and whether that needs a flight. */
bool taint_leaves(const struct operation *op);
bool taint_needs_flight(const struct taint *taint, const struct operation *op);

/* @op begins. @flight, if one is needed, is then the taint's. @size: of the file. */
void taint_let_go(struct taint_threads *threads, struct taint *taint, const struct operation *op,
		  uint64_t size, struct flight *flight, pid_t tid,
		  const struct operation_call *call);

/* The thread has made an event from inside @call, NULL: from outside of any. */
void taint_thread_seen(struct taint_threads *threads, pid_t tid, const struct operation_call *call);

/* The thread has changed what @taint is the taint of, and does no more. */
void taint_thread_done(struct taint_threads *threads, struct taint *taint, pid_t tid);
void taint_flight_over(struct taint_threads *threads, struct flight *flight);
struct flight *taint_flight_find(struct taint_threads *threads, uint64_t id);

/* Nobody has the file open, or nobody who can write. */
void taint_nobody(struct taint_threads *threads, struct taint *taint);
void taint_no_writers(struct taint_threads *threads, struct taint *taint);

/* Others have the file open, and may do anything, or may only look at it. */
void taint_outsiders(struct taint *taint, bool can_write);

bool taint_empty(const struct taint *taint);
bool taint_has_path(const struct taint *taint);

/* Whether what is left may disturb a seal. */
bool taint_disturbs(const struct taint *taint, const struct guard_seal *seal);
