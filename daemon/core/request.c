/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Requests, and the line they stand in.
 *
 * Acquires, breaks, announced reads, parked seals and trims are one struct, because they stand in
 * one line: whoever came first goes first, where ranges overlap and both can't be. A request
 * carries a rank, its place in the line; one that carries the token of a hold takes the hold's
 * rank, or it would wait for those who wait for that hold. By that it comes before who was there
 * already; but not before who is held by a guard, or the bearer of a token, who can make a hold
 * within each hold, could keep a thread in the kernel for as long as it likes.
 *
 * Each request knows one other it stands behind, a hold or else the last of those in its way, and
 * is looked at again when that one has left (behind.c). Nothing polls the line, and nobody waits
 * for a later one that does not hold already, so the graph of who is behind whom has no cycle.
 *
 * Requests for one object are in its index; wider ones, which are rare, in a list.
 */

#include "daemon/core/core-internal.h"

#include <stdlib.h>

static struct request *from_line(struct interval *n)
{
	return n ? container_of(n, struct request, range) : NULL;
}

struct request *core_request_new(struct core *core, enum request_type type, struct holder *holder)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->type = type;
	request->holder = holder;
	request->order = request->rank = ++core->last_order;
	request->since = core->now;
	request->until = CORE_NEVER;
	list_init(&request->wide_link);
	list_init(&request->holder_link);
	list_init(&request->guard_link);
	list_init(&request->behind);
	list_init(&request->ahead_link);
	list_append(&core->requests, &request->link);
	if (holder && type != REQUEST_PARKED)
		list_append(&holder->requests, &request->holder_link);
	idmap_insert(&core->requests_by_id, &request->node, core_id(core));
	return request;
}

struct request *core_request_free(struct core *core, struct request *request)
{
	if (!request)
		return NULL;
	core_timer_stop(core, &request->timer);
	if (request->token)
		idmap_remove(&core->tokens, &request->by_token);
	idmap_remove(&core->requests_by_id, &request->node);
	list_unlink(&request->link);
	list_unlink(&request->wide_link);
	list_unlink(&request->holder_link);
	for (size_t i = 0; i < request->n_entries; i++)
		free(request->entries[i]);
	free(request->entries);
	free(request);
	return NULL;
}

struct request *core_request_find(const struct core *core, uint64_t id)
{
	struct idmap_node *n = idmap_find(&core->requests_by_id, id);

	return n ? container_of(n, struct request, node) : NULL;
}

/* ---- who is in whose way ----------------------------------------------------------------- */

bool core_request_before(const struct request *a, const struct request *b)
{
	return a->rank < b->rank || (a->rank == b->rank && a->order < b->order);
}

bool core_request_covers(const struct request *request, const struct object *object)
{
	switch (request->scope) {
	case CORE_SCOPE_ALL:
		return true;
	case CORE_SCOPE_DEVICE:
		return request->device == object->info.device;
	default:
		return request->object == object;
	}
}

static bool overlap(const struct request *a, const struct request *b)
{
	if (a->object && b->object)
		return a->object == b->object && range_overlap(a->start, a->end, b->start, b->end);
	if (a->object)
		return core_request_covers(b, a->object);
	if (b->object)
		return core_request_covers(a, b->object);
	return a->scope == CORE_SCOPE_ALL || b->scope == CORE_SCOPE_ALL || a->device == b->device;
}

bool core_request_needs(const struct request *request, const struct seal *seal)
{
	if (request->type == REQUEST_TRIM)
		return true;
	return core_request_covers(request, seal->object) &&
	       range_overlap(request->start, request->end, seal->range.start, seal->range.end);
}

bool core_request_passes(const struct core *core, const struct request *request,
			 const struct request *hold)
{
	for (uint64_t id = request->through; id;) {
		const struct request *through = core_request_find(core, id);

		if (id == hold->node.id)
			return true;
		id = through ? through->through : 0;
	}
	return false;
}

static bool is_acquire(const struct request *request)
{
	return request->type == REQUEST_ACQUIRE || request->type == REQUEST_PARKED;
}

/* Whether both can't be at the same time, given that they overlap. */
static bool exclude(const struct request *a, const struct request *b)
{
	if (is_acquire(a) && is_acquire(b)) {
		if (a->holder == b->holder)
			return conflict_own(a->kind, a->mode, b->kind, b->mode);
		return conflict_check(a->kind, a->mode, false, b->want) != CONFLICT_SHARE;
	}
	if (a->type == REQUEST_READ && b->type == REQUEST_READ)
		return false;
	if (a->type == REQUEST_READ && is_acquire(b))
		return conflict_check(b->kind, b->mode, false, a->want) != CONFLICT_SHARE;
	if (b->type == REQUEST_READ && is_acquire(a))
		return conflict_check(a->kind, a->mode, false, b->want) != CONFLICT_SHARE;
	return true;
}

static bool in_the_way(const struct core *core, const struct request *q, const struct request *r)
{
	if (q == r || !q->in_line || !overlap(q, r) || core_request_passes(core, r, q))
		return false;
	if ((r->flags & CORE_F_GUARD) && core_behind_passed(q))
		return false;
	if (q->state == REQUEST_HELD)
		return true;
	/* A watcher has no place in the line: it would have to go to its end. */
	return (r->state == REQUEST_WATCHING || core_request_before(q, r)) && exclude(q, r);
}

typedef bool (*way_fn)(const struct core *core, const struct request *q, const struct request *r);

/* Nothing else that is in the way ends a wait before a hold does. */
static bool further(const struct request *q, const struct request *last)
{
	bool holds = q->state == REQUEST_HELD;

	if (!last || holds != (last->state == REQUEST_HELD))
		return !last || holds;
	return core_request_before(last, q);
}

/* The last one in line that @fn says is in the way of @r; holds come after all others. */
static struct request *last_in_way(const struct core *core, const struct request *r, way_fn fn)
{
	struct request *last = NULL, *q;

	if (!r->object) {
		list_for_each(i, &core->requests) {
			q = list_entry(i, struct request, link);
			if (fn(core, q, r) && further(q, last))
				last = q;
		}
		return last;
	}
	for (struct interval *i = interval_first(&r->object->line, r->start, r->end); i;
	     i = interval_next(i, r->start, r->end)) {
		q = from_line(i);
		if (fn(core, q, r) && further(q, last))
			last = q;
	}
	list_for_each(i, &core->wide) {
		q = list_entry(i, struct request, wide_link);
		if (fn(core, q, r) && further(q, last))
			last = q;
	}
	return last;
}

struct request *core_request_ahead(const struct core *core, const struct request *request)
{
	return last_in_way(core, request, in_the_way);
}

static bool holds(const struct core *core, const struct request *q, const struct request *r)
{
	return q->state == REQUEST_HELD && q->in_line && overlap(q, r) &&
	       !(r->flags & CORE_F_GUARD) && !core_request_passes(core, r, q);
}

struct request *core_request_hold(const struct core *core, const struct request *request)
{
	return last_in_way(core, request, holds);
}

static bool overtaken(const struct core *core, const struct request *q, const struct request *r)
{
	(void)core;
	return q->state == REQUEST_WAITING && q->in_line && (q->flags & CORE_F_GUARD) &&
	       overlap(q, r) && core_request_before(r, q) && exclude(q, r);
}

struct request *core_request_overtaken(const struct core *core, const struct request *request)
{
	if (!request->through || (request->flags & CORE_F_GUARD) || request->type == REQUEST_READ)
		return NULL;
	return last_in_way(core, request, overtaken);
}

/* ---- the line ---------------------------------------------------------------------------- */

void core_request_ready(struct core *core, struct request *request)
{
	if (request->in_line && request->state == REQUEST_WAITING && !heap_has(&request->ready))
		if (heap_insert(&core->ready, &request->ready, request->rank, request->order) < 0)
			core_must(NULL);
}

static void patience_over(struct core *core, struct timer *timer)
{
	core_request_refuse(core, container_of(timer, struct request, timer), CORE_E_TIMED_OUT);
}

void core_request_enter(struct core *core, struct request *request)
{
	if (request->object)
		interval_insert(&request->object->line, &request->range, request->start,
				request->end);
	else
		list_append(&core->wide, &request->wide_link);
	request->in_line = true;
	core->stats.requests++;
	if (request->until != CORE_NEVER)
		core_timer_set(core, &request->timer, request->until, patience_over);
	if (request->process && (request->flags & CORE_F_GUARD)) {
		request->guarding = true;
		list_append(&request->process->guards, &request->guard_link);
		core_process_block(core, request->process, true);
	}
}

static void leave_line(struct core *core, struct request *request)
{
	if (!request->in_line)
		return;
	request->in_line = false;
	core->stats.requests--;
	if (request->object) {
		interval_remove(&request->object->line, &request->range);
		core_object_changed(core, request->object);
	} else {
		list_unlink(&request->wide_link);
		list_for_each(i, &core->object_list)
			core_object_changed(core, list_entry(i, struct object, link));
	}
	heap_remove(&core->ready, &request->ready);
	core_behind_leave(core, request);
}

/* Takes it out of the line and off the seals it waited for. */
static void let_go(struct core *core, struct request *request)
{
	leave_line(core, request);
	core_timer_stop(core, &request->timer);
	/* Those that wait for others of their process come last, and have to go first: or they would be
	 * fenced for nobody when the others have gone. */
	for (size_t i = request->n_entries; i-- > 0;)
		core_entry_detach(core, request->entries[i]);
	if (request->guarding) {
		request->guarding = false;
		list_unlink(&request->guard_link);
		core_process_block(core, request->process, false);
	}
	request->process = core_process_put(core, request->process);
}

void core_request_leave(struct core *core, struct request *request)
{
	let_go(core, request);
	core_request_free(core, request);
}

/* ---- refusing ---------------------------------------------------------------------------- */

static void watch(struct core *core, struct request *request, const struct seal *seal)
{
	let_go(core, request);
	request->state = REQUEST_WATCHING;
	request->hint = seal ? seal->node.id : 0;
	list_append(request->object ? &request->object->watchers : &core->watchers,
		    &request->wide_link);
}

static struct core_command *refuse(struct core *core, struct request *request, int error,
				   struct seal *seal, struct request *by)
{
	struct core_command *command = core_emit(core, CORE_CMD_REFUSE);

	command->request = request->node.id;
	command->holder = request->holder ? request->holder->node.id : 0;
	command->object = request->object ? request->object->node.id : 0;
	command->device = request->device;
	command->start = request->start;
	command->end = request->end;
	command->scope = request->scope;
	command->flags = request->flags;
	command->error = error;
	command->deadline = command->hard_limit = CORE_NEVER;
	if (seal) {
		command->blocker = seal->node.id;
		if (seal->recall && seal->recall->phase == RECALL_ASKED) {
			command->deadline = seal->recall->deadline;
			command->hard_limit = seal->recall->hard;
		}
	} else if (by) {
		command->blocking_break = by->node.id;
		if (by->state == REQUEST_HELD)
			command->deadline = command->hard_limit = by->until;
	}
	core_account_attach(core, request, command);
	core->stats.refusals++;
	return command;
}

void core_request_refuse_by(struct core *core, struct request *request, int error,
			    struct seal *seal, struct request *by)
{
	if (request->type == REQUEST_TRIM) {
		core_request_leave(core, request);
		return;
	}
	refuse(core, request, error, seal, by);
	if (error == CORE_E_TRY_LATER && (request->flags & CORE_F_WANT_AVAIL))
		watch(core, request, seal);
	else
		core_request_leave(core, request);
}

void core_request_refuse(struct core *core, struct request *request, int error)
{
	struct seal *seal = NULL;

	for (size_t i = 0; i < request->n_entries && !seal; i++)
		seal = request->entries[i]->seal;
	core_request_refuse_by(core, request, error, seal, request->ahead);
}

void core_request_refuse_io(struct core *core, struct request *request, struct seal *seal,
			    int error)
{
	refuse(core, request, CORE_E_IO, seal, NULL)->quarantine_errno = error < 0 ? -error : error;
	core_request_leave(core, request);
}

void core_request_withdraw(struct core *core, struct request *request)
{
	if (request->state == REQUEST_HELD)
		core_hold_end(core, request, false);
	else if (request->state == REQUEST_WATCHING)
		core_request_leave(core, request);
	else
		core_request_refuse(core, request, CORE_E_HOLDER_GONE);
}

int core_withdraw(struct core *core, uint64_t id, uint64_t now)
{
	struct request *request = core_request_find(core, id);

	if (!request || request->type == REQUEST_PARKED || request->type == REQUEST_TRIM)
		return CORE_E_BAD_BREAK;
	core->now = now;
	core_request_withdraw(core, request);
	core_admit_run(core);
	return 0;
}
