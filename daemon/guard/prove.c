/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Is what was let go over?
 *
 * Nobody tells when a description is closed for the last time, or when a thread leaves a system
 * call without having changed anything. So objects for which somebody waits are looked at, after
 * one millisecond, after two, and so on to a second; those that nobody waits for are not. The
 * lists, one for each interval, are each in order of time, so that finding what is due looks at
 * their heads only.
 *
 * Nobody is kept from the lock for long: of what is many, flights and seals, only some are looked
 * at in one go, and the others a millisecond later.
 *
 * A lease is tried under the lock: it is two calls that wait for nobody. What /proc says about a
 * thread is read without it, since that waits for a lock which the thread's process has while it
 * executes another program; the object is pinned meanwhile, and flights are found again by id.
 */

#include <time.h>
#include <unistd.h>

#include "daemon/core/deadline.h"
#include "daemon/guard/fan.h"
#include "daemon/guard/proc.h"
#include "daemon/guard/state.h"

#define FLIGHTS_AT_ONCE 64
#define FLIGHTS_MANY	256 /* left behind by threads that are gone, or do something else */
#define SEALS_AT_ONCE	256

_Static_assert(DEADLINE_PROVE_NS << (PROVE_LEVELS - 1) == DEADLINE_PROVE_MAX_NS,
	       "a list for each interval");

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static bool has_reason(const struct object *object)
{
	if (!object->node.id)
		return taint_has_path(&object->taint);
	return !list_empty(&object->waiting) || object->hears_ends ||
	       object->taint.n_flights > FLIGHTS_MANY ||
	       (object->level == GUARD_LEASE && object->lease != LEASE_NOBODY &&
		!object->broken_by_reader && !object->broken_by_writer);
}

static void schedule(struct guard *guard, struct object *object, unsigned int level)
{
	list_unlink(&object->prove_link);
	object->prove_level = level;
	object->prove_at = now() + (DEADLINE_PROVE_NS << level);
	list_append(&guard->prove[level], &object->prove_link);
}

void prove_kick(struct guard *guard)
{
	const uint64_t one = 1;

	if (write(guard->prove_fd, &one, sizeof(one)) < 0)
		return; /* can't be: a counter takes that */
}

void prove_soon(struct guard *guard, struct object *object)
{
	if (!has_reason(object) || (!list_empty(&object->prove_link) && object->prove_level == 0))
		return;
	schedule(guard, object, 0);
	prove_kick(guard);
}

void prove_many(struct guard *guard, struct object *object)
{
	if (object->taint.n_flights > FLIGHTS_MANY && list_empty(&object->prove_link))
		prove_soon(guard, object);
}

void prove_lease(struct guard *guard, struct object *object)
{
	enum lease lease;

	if (object->fd < 0 || object->broken_by_reader || object->broken_by_writer)
		return;
	if (object->level == GUARD_LEASE && object->lease != LEASE_NOBODY) {
		lease = lease_take(object->fd, guard->prover_tid, guard->signal);
		/* A lease that we have stays when it cannot be taken again: that is a writer on its
		 * way in, who is about to break it. */
		if (lease != LEASE_NONE || object->lease != LEASE_NO_WRITERS)
			object_lease(guard, object, lease);
	} else if (object->level == GUARD_FANOTIFY &&
		   (!taint_empty(&object->taint) || object->openers)) {
		object_lease(guard, object,
			     lease_prove(object->fd, guard->prover_tid, guard->signal));
	}
}

static bool is_over(pid_t tid, const struct operation_call *call)
{
	struct operation_call now_in;
	bool gone;

	switch (proc_call(NULL, tid, 1, &now_in, &gone)) {
	case OPERATION_TEXT_CALL:
		return !operation_same_call(&now_in, call);
	case OPERATION_TEXT_OUTSIDE:
		return true;
	case OPERATION_TEXT_RUNNING:
		return false;
	case OPERATION_TEXT_BROKEN:
		break;
	}
	return gone;
}

/* Those that were looked at go to the end, so that others get their turn. */
static void look_at_flights(struct guard *guard, struct object *object)
{
	struct {
		uint64_t id;
		pid_t tid;
		struct operation_call call;
		bool over;
	} seen[FLIGHTS_AT_ONCE];
	size_t n = 0;

	while (n < FLIGHTS_AT_ONCE && n < object->taint.n_flights) {
		struct list *first = list_first(&object->taint.flights);
		struct flight *flight = list_entry(first, struct flight, link);

		seen[n].id = flight->node.id;
		seen[n].tid = flight->tid;
		seen[n++].call = flight->call;
		list_unlink(first);
		list_append(&object->taint.flights, first);
	}
	object->pins++;
	pthread_mutex_unlock(&guard->lock);
	for (size_t i = 0; i < n; i++)
		seen[i].over = is_over(seen[i].tid, &seen[i].call);
	pthread_mutex_lock(&guard->lock);
	object->pins--;
	for (size_t i = 0; i < n; i++) {
		struct flight *flight = taint_flight_find(&guard->threads, seen[i].id);

		if (flight && seen[i].over)
			taint_flight_over(&guard->threads, flight);
	}
}

static void look(struct guard *guard, struct object *object)
{
	unsigned int level = object->prove_level;
	uint32_t n_flights;

	list_unlink(&object->prove_link);
	prove_lease(guard, object);
	n_flights = object->taint.n_flights;
	if (n_flights)
		look_at_flights(guard, object);
	if (object->hears_ends && list_empty(&object->taint.flights)) {
		fan_mark_ends(guard->group, object->fd, false);
		object->hears_ends = false;
	}
	level = level + 1 < PROVE_LEVELS ? level + 1 : level;
	/* the others in a millisecond */
	if (!prove_settle(guard, object, SEALS_AT_ONCE) ||
	    (object->taint.n_flights > FLIGHTS_MANY && object->taint.n_flights < n_flights))
		level = 0;
	/* somebody may have been in a hurry meanwhile */
	if (has_reason(object) && list_empty(&object->prove_link))
		schedule(guard, object, level);
	object_reap(guard, object);
}

uint64_t prove_due(struct guard *guard)
{
	uint64_t next;
	bool found;

	do {
		uint64_t at = now();

		found = false;
		next = UINT64_MAX;
		pthread_mutex_lock(&guard->lock);
		for (unsigned int level = 0; level < PROVE_LEVELS && !found; level++) {
			struct list *first = list_first(&guard->prove[level]);
			struct object *object;

			if (!first)
				continue;
			object = list_entry(first, struct object, prove_link);
			found = object->prove_at <= at;
			if (found)
				look(guard, object);
			else if (object->prove_at < next)
				next = object->prove_at;
		}
		pthread_mutex_unlock(&guard->lock);
	} while (found && !guard->stop);
	return next;
}
