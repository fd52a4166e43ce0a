/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Admission: who may go on, who has to wait, who is refused.
 *
 * A request goes on when nothing in the line is ahead of it and no seal is in its way. Both are
 * looked up in the indexes when it arrives and again each time the last thing it waited for is gone:
 * meanwhile somebody ahead may have been granted a seal that is in the way now. A seal in the way is
 * recalled from the moment the request arrives, even if others are ahead of it, so that the holder
 * hears as early as can be; an announced read asks for its flush only when it is its turn, for
 * what is written out earlier may be written over again.
 *
 * Requests that may be able to go on are collected during a call and looked at, in line order, at
 * the end of it. So no part of the core has to fear that a seal is granted under its hands.
 */

#include "daemon/core/core-internal.h"

#include <errno.h>
#include <stdlib.h>

/* ---- what is in the way ------------------------------------------------------------------ */

struct obstacle {
	int error;	      /* refused, for good */
	struct seal *seal;    /* one that is in the way */
	struct request *soft; /* its recall runs over the range, though the seal itself could stay */
};

static bool is_acquire(const struct request *r)
{
	return r->type == REQUEST_ACQUIRE || r->type == REQUEST_PARKED;
}

static void hit(struct core *core, struct seal *seal)
{
	if (core->n_hits == core->size_hits) {
		core->size_hits = core->size_hits ? 2 * core->size_hits : 64;
		core->hits = core_must(
			realloc(core->hits, core->size_hits * sizeof(struct seal *)));
	}
	core->hits[core->n_hits++] = seal;
}

/* The session's own seal: it either gets along with what is wanted, or not; nobody is asked. */
static int own_error(const struct seal *seal, const struct request *r)
{
	const struct job *job = seal->job;

	if (r->parked == seal || !conflict_own(seal->kind, seal->mode, r->kind, r->mode))
		return 0;
	if (job && job->cause == CORE_CAUSE_RETURN &&
	    (job->whole || (job->start <= r->start && job->end >= r->end)))
		return CORE_E_RETURN_CONFLICT;
	if (job && job->whole && job->cause != CORE_CAUSE_PARK)
		return CORE_E_RETURN_CONFLICT;
	return CORE_E_OWN_CONFLICT;
}

/* Somebody earlier is having this seal recalled where @r wants to be. */
static struct request *recalled_by_earlier(const struct seal *seal, const struct request *r)
{
	if (!seal->recall || seal->recall->phase == RECALL_IDLE)
		return NULL;
	list_for_each(i, &seal->recall->entries) {
		const struct entry *entry = list_entry(i, struct entry, seal_link);
		struct request *q = entry->request;

		if (!entry->wants_flush && q->in_line && core_request_before(q, r) &&
		    range_overlap(q->start, q->end, r->start, r->end))
			return q;
	}
	return NULL;
}

/* Whether who changes the layout promised this holder itself that it stays: nobody is asked to give
 * back what is being broken by who holds it. */
static bool own_promise(const struct seal *seal, const struct request *r)
{
	return r->process && seal->holder->process == r->process &&
	       (r->want == CORE_WANT_LAYOUT ||
		(r->want == CORE_WANT_FOREIGN_EXTEND && seal->kind == CORE_DIRECT));
}

bool core_admit_denies(const struct seal *seal, const struct request *r)
{
	if ((r->flags & CORE_F_UNDENIABLE) || (seal->job && seal->job->whole))
		return false;
	return (seal->flags & CORE_F_HARD) || own_promise(seal, r);
}

static void scan_object(struct core *core, const struct request *r, const struct object *object,
			struct obstacle *obstacle)
{
	for (struct interval *i = interval_first(&object->seals, r->start, r->end); i;
	     i = interval_next(i, r->start, r->end)) {
		struct seal *seal = seal_of(i);
		enum conflict conflict;

		if (is_acquire(r) && seal->holder == r->holder) {
			obstacle->error = own_error(seal, r);
			if (obstacle->error) {
				obstacle->seal = seal;
				return;
			}
			continue;
		}
		if (seal->is_parked)
			continue;
		conflict = conflict_check(seal->kind, seal->mode, seal->flags & CORE_F_PINNABLE,
					  r->want);
		if (conflict == CONFLICT_SHARE) {
			if (is_acquire(r) && !obstacle->soft)
				obstacle->soft = recalled_by_earlier(seal, r);
			continue;
		}
		if (conflict == CONFLICT_RECALL && core_admit_denies(seal, r)) {
			obstacle->error = CORE_E_DENIED;
			obstacle->seal = seal;
			return;
		}
		if (!obstacle->seal)
			obstacle->seal = seal;
		hit(core, seal);
	}
}

/* Fills core->hits with the seals in the way of @r. */
static void scan(struct core *core, const struct request *r, struct obstacle *ret)
{
	*ret = (struct obstacle){ 0 };
	core->n_hits = 0;
	if (r->object) {
		scan_object(core, r, r->object, ret);
		return;
	}
	list_for_each(i, &core->object_list) {
		struct object *object = list_entry(i, struct object, link);

		if (core_request_covers(r, object))
			scan_object(core, r, object, ret);
		if (ret->error)
			return;
	}
}

/* ---- going on ---------------------------------------------------------------------------- */

static void attach(struct core *core, struct request *r)
{
	/* Cooperative ones first: that is how transparent ones know whom to wait for. */
	for (int transparent = 0; transparent < 2; transparent++)
		for (size_t i = 0; i < core->n_hits; i++) {
			struct seal *seal = core->hits[i];

			if (core_recall_transparent(seal) == transparent)
				core_recall_attach(core, seal, r,
						   conflict_check(seal->kind, seal->mode,
								  seal->flags & CORE_F_PINNABLE,
								  r->want));
		}
}

static void go_on(struct core *core, struct request *r)
{
	struct seal *seal = r->parked;

	if (r->waited)
		core->stats.waiters_served++;
	switch (r->type) {
	case REQUEST_ACQUIRE:
		core_seal_grant(core, r);
		break;
	case REQUEST_PARKED:
		core_request_leave(core, r);
		core_seal_regrant(core, seal);
		return;
	case REQUEST_BREAK:
	case REQUEST_READ:
		core_break_ready(core, r);
		if (r->state == REQUEST_HELD)
			return;
		break;
	case REQUEST_TRIM:
		break;
	}
	core_request_leave(core, r);
}

/* A parked seal that can't be granted again without an offence has to end. */
void core_admit_deny(struct core *core, struct request *r, int error, struct seal *in_the_way)
{
	struct seal *seal = r->parked;

	if (r->type != REQUEST_PARKED) {
		core_request_refuse_by(core, r, error, in_the_way, NULL);
		return;
	}
	core_emit_seal(core, CORE_CMD_REVOKED, seal)->cause = CORE_CAUSE_REVOKE;
	core_seal_end(core, seal);
}

static bool was_flushed(const struct request *r, const struct seal *seal)
{
	for (size_t i = 0; i < r->n_entries; i++)
		if (r->entries[i]->line.seal == seal->node.id &&
		    r->entries[i]->line.result == CORE_RESULT_FLUSHED)
			return true;
	return false;
}

/* Once is enough, or a read would wait for each write after it; but who was granted a seal meanwhile,
 * by the right of a token, has not been asked yet. */
static void spare_flushed(struct core *core, const struct request *r)
{
	size_t n = 0;

	for (size_t i = 0; i < core->n_hits; i++)
		if (!was_flushed(r, core->hits[i]))
			core->hits[n++] = core->hits[i];
	core->n_hits = n;
}

/* @obstacle: of a scan just made, or NULL. */
static void look(struct core *core, struct request *r, struct obstacle *obstacle)
{
	struct obstacle mine;
	struct request *ahead, *victim;

	if (r->outstanding > 0 || r->ahead)
		return;
	ahead = r->type == REQUEST_TRIM ? NULL : core_request_ahead(core, r);
	if (r->type == REQUEST_TRIM || (r->type == REQUEST_READ && ahead))
		goto out;
	if (!obstacle) {
		obstacle = &mine;
		scan(core, r, obstacle);
		if (obstacle->error) {
			core_admit_deny(core, r, obstacle->error, obstacle->seal);
			return;
		}
	}
	if (!ahead)
		ahead = obstacle->soft;
	while ((victim = core_cycle_find(core, r))) {
		core->stats.deadlocks_denied++;
		core_request_refuse(core, victim, CORE_E_DEADLOCK);
		if (victim == r)
			return;
		if (ahead == victim)
			ahead = core_request_ahead(core, r);
	}
	if (r->type == REQUEST_READ)
		spare_flushed(core, r);
	attach(core, r);
out:
	if (ahead)
		core_behind_wait(core, r, ahead);
	if (ahead || r->outstanding > 0)
		r->waited = true;
	else
		go_on(core, r);
}

/* Whether its holder knows that it is asked for. One that is on its way back was, though a thread that
 * is held since would have its other windows fenced unasked. */
static bool knows(const struct seal *seal)
{
	return !core_recall_transparent(seal) ||
	       (seal->job && seal->job->cause == CORE_CAUSE_RETURN);
}

/* Whether @r would wait for its own session: for a seal it has been asked for, or for somebody who
 * waits for one. */
static int self_conflict(const struct request *r, const struct request *ahead,
			 struct seal **ret_seal)
{
	list_for_each(i, &r->holder->process->recalls) {
		const struct recall *recall = list_entry(i, struct recall, process_link);
		struct seal *seal = recall->seal;
		bool concerns;

		if (seal->holder != r->holder || !knows(seal))
			continue;
		concerns = seal->object == r->object &&
			   range_overlap(seal->range.start, seal->range.end, r->start, r->end);
		list_for_each(j, &recall->entries) {
			const struct entry *entry = list_entry(j, struct entry, seal_link);

			if (entry->wants_flush)
				continue;
			if (entry->request == ahead ||
			    (concerns && entry->request->start < r->end &&
			     entry->request->end > r->start)) {
				*ret_seal = seal;
				return recall->answer || seal->job ? CORE_E_RETURN_CONFLICT
								   : CORE_E_RECALL_CONFLICT;
			}
		}
	}
	return 0;
}

void core_admit_arrival(struct core *core, struct request *r)
{
	struct request *ahead = core_request_ahead(core, r), *hold = core_request_hold(core, r);
	struct obstacle obstacle;
	struct seal *seal = NULL;
	int error = 0;

	if (!hold)
		hold = core_request_overtaken(core, r);
	if (hold) {
		core_request_refuse_by(core, r, CORE_E_TRY_LATER, NULL, hold);
		return;
	}
	if (r->type == REQUEST_ACQUIRE)
		error = self_conflict(r, ahead, &seal);
	if (error) {
		core_request_refuse_by(core, r, error, seal, NULL);
		return;
	}
	scan(core, r, &obstacle);
	if (core->n_hits > 0 || obstacle.error)
		core->stats.conflicts++;
	if (obstacle.error) {
		core_request_refuse_by(core, r, obstacle.error, obstacle.seal, NULL);
		return;
	}
	if (!ahead)
		ahead = obstacle.soft;
	if ((r->flags & CORE_F_NO_WAIT) && (core->n_hits > 0 || ahead)) {
		core_request_refuse_by(core, r, CORE_E_TRY_LATER, obstacle.seal, ahead);
		return;
	}
	core_request_enter(core, r);
	look(core, r, &obstacle);
}

void core_admit_park(struct core *core, struct seal *seal, uint64_t order)
{
	struct request *r = core_must(core_request_new(core, REQUEST_PARKED, seal->holder));

	r->rank = r->order = order;
	r->parked = seal;
	r->object = seal->object;
	r->start = seal->range.start;
	r->end = seal->range.end;
	r->mode = seal->mode;
	r->kind = seal->kind;
	r->flags = seal->flags;
	r->want = conflict_want(seal->kind, seal->mode);
	seal->parked = r;
	core_request_enter(core, r);
	core_request_ready(core, r);
}

/* ---- the end of each call ---------------------------------------------------------------- */

static bool available(struct core *core, struct request *r)
{
	struct idmap_node *n = r->hint ? idmap_find(&core->seals, r->hint) : NULL;
	struct seal *last = n ? container_of(n, struct seal, node) : NULL;
	struct obstacle obstacle;

	if (last && !last->is_parked && core_request_needs(r, last))
		return false;
	if (core_request_ahead(core, r))
		return false;
	scan(core, r, &obstacle);
	r->hint = obstacle.seal ? obstacle.seal->node.id : 0;
	return !obstacle.error && core->n_hits == 0 && !obstacle.soft;
}

static void avail(struct core *core, struct list *watchers)
{
	list_for_each(i, watchers) {
		struct request *r = list_entry(i, struct request, wide_link);
		struct core_command *command;

		if (!available(core, r))
			continue;
		command = core_emit(core, CORE_CMD_AVAIL);
		command->request = r->node.id;
		command->holder = r->holder ? r->holder->node.id : 0;
		command->object = r->object ? r->object->node.id : 0;
		command->start = r->start;
		command->end = r->end;
		core->stats.avails++;
		core_request_leave(core, r);
	}
}

void core_admit_run(struct core *core)
{
	struct heap_node *n;
	struct list *l;
	bool changed = false;

	core_ask_run(core);
	while ((n = heap_first(&core->ready))) {
		heap_remove(&core->ready, n);
		look(core, container_of(n, struct request, ready), NULL);
		core_ask_run(core);
	}
	while ((l = list_first(&core->changed))) {
		list_unlink(l);
		avail(core, &list_entry(l, struct object, changed)->watchers);
		changed = true;
	}
	if (changed)
		avail(core, &core->watchers);
}
