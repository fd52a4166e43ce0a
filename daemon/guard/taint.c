/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What was let go and may not be over yet.
 *
 * Two kinds of proof, so two kinds of entry. What ends with a system call is a flight: it names the
 * thread and the call, and is over when the thread is seen elsewhere. Whatever may go on after its
 * call (mappings, I/O that was only submitted, descriptions that can write) is lasting, and over
 * when nobody has the file open. All lasting entries end together, so there is one range for each
 * thing that they may be doing, however many they are.
 *
 * Nobody having the file open ends flights too, but for those that need no open description: a
 * truncation by name has not even begun to count as an opener when it is let go. Those stay with
 * the file when it is not guarded any more.
 *
 * Strangers are many, and so may seals be that wait for them: whether anything disturbs a seal is
 * found in trees, and their number is bounded. Beyond that a flight counts as lasting.
 *
 * Reads leave nothing. A write leaves what it could do to a hole, since a seal that comes later
 * does not know what was a hole when it began. A write that may append lands from the size on, and
 * a truncation let go beside it moves that place down.
 */

#include "daemon/guard/taint.h"

#include <stdlib.h>

#include "daemon/core/conflict.h"
#include "util/cleanup.h"

struct thread {
	struct idmap_node node; /* tid */
	struct list flights;
};

void taint_init(struct taint *taint)
{
	*taint = (struct taint){ .append = CORE_INFINITY };
	list_init(&taint->flights);
}

static enum core_want left_by(enum core_want want)
{
	return want == CORE_WANT_FOREIGN_WRITE ? CORE_WANT_FOREIGN_EXTEND : want;
}

bool taint_leaves(const struct operation *op)
{
	return op->want != CORE_WANT_NOTHING && op->want != CORE_WANT_FOREIGN_READ &&
	       (op->flight || op->lasting);
}

/* What can do everything everywhere already covers it, until nobody has the file open. */
static bool covered(const struct taint *taint)
{
	return taint->lasting[CORE_WANT_LAYOUT].start == 0 &&
	       taint->lasting[CORE_WANT_LAYOUT].end == CORE_INFINITY;
}

bool taint_needs_flight(const struct taint *taint, const struct operation *op)
{
	return taint_leaves(op) && op->flight && (op->path || !covered(taint));
}

/* ---- flights ----------------------------------------------------------------------------- */

struct flight *flight_new(void)
{
	struct flight *flight = calloc(1, sizeof(*flight));

	if (!flight)
		return NULL;
	flight->spare = calloc(1, sizeof(struct thread));
	return flight->spare ? flight : flight_free(flight);
}

struct flight *flight_free(struct flight *flight)
{
	if (flight)
		free(flight->spare);
	free(flight);
	return NULL;
}

static struct thread *thread_find(struct taint_threads *threads, pid_t tid)
{
	struct idmap_node *n = idmap_find(&threads->threads, (uint64_t)tid);

	return n ? container_of(n, struct thread, node) : NULL;
}

struct flight *taint_flight_find(struct taint_threads *threads, uint64_t id)
{
	struct idmap_node *n = idmap_find(&threads->flights, id);

	return n ? container_of(n, struct flight, node) : NULL;
}

static void index_append(struct flight *flight, uint64_t from)
{
	flight->append.start = from;
	if (from != CORE_INFINITY)
		interval_insert(&flight->taint->appends, &flight->append, from, CORE_INFINITY);
}

static void put_in(struct flight *flight, uint64_t start, uint64_t end, uint64_t append)
{
	interval_insert(&flight->taint->ranges[flight->want], &flight->range, start, end);
	index_append(flight, append);
}

static void take_out(struct flight *flight)
{
	interval_remove(&flight->taint->ranges[flight->want], &flight->range);
	if (flight->append.start != CORE_INFINITY)
		interval_remove(&flight->taint->appends, &flight->append);
}

void taint_flight_over(struct taint_threads *threads, struct flight *flight)
{
	struct thread *thread = thread_find(threads, flight->tid);

	take_out(flight);
	flight->taint->n_flights--;
	flight->taint->n_paths -= flight->path;
	list_unlink(&flight->link);
	list_unlink(&flight->thread_link);
	idmap_remove(&threads->flights, &flight->node);
	if (thread && list_empty(&thread->flights)) {
		idmap_remove(&threads->threads, &thread->node);
		free(thread);
	}
	flight_free(flight);
}

void taint_thread_seen(struct taint_threads *threads, pid_t tid, const struct operation_call *call)
{
	struct thread *thread = thread_find(threads, tid);

	if (!thread)
		return;
	/* the thread goes with its last flight; its list must not be walked after that */
	for (struct list *l = list_first(&thread->flights), *next; l; l = next) {
		struct flight *flight = list_entry(l, struct flight, thread_link);

		next = l->next == &thread->flights ? NULL : l->next;
		if (call && !flight->single && operation_same_call(&flight->call, call))
			continue;
		taint_flight_over(threads, flight);
	}
}

void taint_thread_done(struct taint_threads *threads, struct taint *taint, pid_t tid)
{
	struct thread *thread = thread_find(threads, tid);

	for (struct list *l = thread ? list_first(&thread->flights) : NULL, *next; l; l = next) {
		struct flight *flight = list_entry(l, struct flight, thread_link);

		next = l->next == &thread->flights ? NULL : l->next;
		if (flight->taint == taint)
			taint_flight_over(threads, flight);
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One call that makes many events, as sendfile does, is one flight. */
static bool widen(struct thread *thread, struct taint *taint, const struct operation *op,
		  uint64_t append)
{
	list_for_each (l, &thread->flights) {
		struct flight *flight = list_entry(l, struct flight, thread_link);

		if (flight->taint != taint || flight->want != left_by(op->want) ||
		    flight->path != op->path)
			continue;
		take_out(flight);
		put_in(flight, least(flight->range.start, op->start),
		       flight->range.end > op->end ? flight->range.end : op->end,
		       least(flight->append.start, append));
		return true;
	}
	return false;
}

static void take_off(struct taint_threads *threads, struct taint *taint, const struct operation *op,
		     uint64_t append, struct flight *flight, pid_t tid,
		     const struct operation_call *call)
{
	struct thread *thread = thread_find(threads, tid);

	if (thread && widen(thread, taint, op, append)) {
		flight_free(flight);
		return;
	}
	if (!thread) {
		thread = take_ptr(flight->spare);
		list_init(&thread->flights);
		idmap_insert(&threads->threads, &thread->node, (uint64_t)tid);
	}
	*flight = (struct flight){
		.spare = flight->spare,
		.taint = taint,
		.tid = tid,
		.call = *call,
		.want = left_by(op->want),
		.path = op->path,
		.single = op->single,
	};
	put_in(flight, op->start, op->end, append);
	idmap_insert(&threads->flights, &flight->node, ++threads->next_id);
	list_append(&taint->flights, &flight->link);
	list_append(&thread->flights, &flight->thread_link);
	taint->n_flights++;
	taint->n_paths += op->path;
}

/* ---- letting go -------------------------------------------------------------------------- */

static void last(struct taint *taint, enum core_want want, uint64_t start, uint64_t end)
{
	if (taint->lasting[want].end == 0)
		taint->lasting[want].start = start;
	taint->lasting[want].start = least(taint->lasting[want].start, start);
	if (end > taint->lasting[want].end)
		taint->lasting[want].end = end;
}

static struct interval *last_of(const struct interval_tree *tree)
{
	struct interval *n = tree->root;

	while (n && n->right)
		n = n->right;
	return n;
}

static void lower_appends(struct taint *taint, uint64_t size)
{
	struct interval *n;

	if (taint->append != CORE_INFINITY)
		taint->append = least(taint->append, size);
	while ((n = last_of(&taint->appends)) && n->start > size) {
		interval_remove(&taint->appends, n);
		index_append(container_of(n, struct flight, append), size);
	}
}

void taint_let_go(struct taint_threads *threads, struct taint *taint, const struct operation *op,
		  uint64_t size, struct flight *flight, pid_t tid,
		  const struct operation_call *call)
{
	uint64_t append = op->append ? size : CORE_INFINITY;
	bool lasting = op->lasting;

	if (!taint_leaves(op)) {
		flight_free(flight);
		return;
	}
	if (op->want == CORE_WANT_LAYOUT)
		lower_appends(taint, op->start);
	if (flight && call->known &&
	    (op->path || taint->n_flights - taint->n_paths < TAINT_FLIGHTS_MAX)) {
		take_off(threads, taint, op, append, flight, tid, call);
	} else {
		lasting |= flight != NULL;
		flight_free(flight);
	}
	if (lasting) {
		last(taint, left_by(op->want), op->start, op->end);
		taint->append = least(taint->append, append);
	}
}

void taint_outsiders(struct taint *taint, bool can_write)
{
	last(taint, can_write ? CORE_WANT_LAYOUT : CORE_WANT_FOREIGN_MAP, 0, CORE_INFINITY);
}

/* ---- proofs ------------------------------------------------------------------------------ */

static bool only_looks(enum core_want want)
{
	return want == CORE_WANT_FOREIGN_MAP || want == CORE_WANT_FOREIGN_CLONE;
}

static void prove(struct taint_threads *threads, struct taint *taint, bool readers)
{
	for (int want = 0; want < _CORE_WANT_N; want++)
		if (!readers || !only_looks((enum core_want)want))
			taint->lasting[want].start = taint->lasting[want].end = 0;
	taint->append = CORE_INFINITY;
	list_for_each (l, &taint->flights) {
		struct flight *flight = list_entry(l, struct flight, link);

		if (!flight->path && !(readers && only_looks(flight->want)))
			taint_flight_over(threads, flight);
	}
}

void taint_nobody(struct taint_threads *threads, struct taint *taint)
{
	prove(threads, taint, false);
}

void taint_no_writers(struct taint_threads *threads, struct taint *taint)
{
	prove(threads, taint, true);
}

void taint_clear(struct taint_threads *threads, struct taint *taint)
{
	prove(threads, taint, false);
	list_for_each (l, &taint->flights)
		taint_flight_over(threads, list_entry(l, struct flight, link));
}

/* ---- questions --------------------------------------------------------------------------- */

bool taint_empty(const struct taint *taint)
{
	for (int want = 0; want < _CORE_WANT_N; want++)
		if (taint->lasting[want].end)
			return false;
	return taint->append == CORE_INFINITY && list_empty(&taint->flights);
}

bool taint_has_path(const struct taint *taint)
{
	return taint->n_paths > 0;
}

bool taint_disturbs(const struct taint *taint, const struct guard_seal *seal)
{
	for (int i = 0; i < _CORE_WANT_N; i++) {
		enum core_want want = (enum core_want)i;

		if (conflict_check(seal->kind, seal->mode, seal->pinnable, want) == CONFLICT_SHARE)
			continue;
		if (interval_first(&taint->ranges[want], seal->start, seal->end) ||
		    (taint->lasting[want].end &&
		     range_overlap(taint->lasting[want].start, taint->lasting[want].end,
				   seal->start, seal->end)))
			return true;
		if (want == CORE_WANT_FOREIGN_EXTEND &&
		    (taint->append < seal->end ||
		     interval_first(&taint->appends, seal->start, seal->end)))
			return true;
	}
	return false;
}
