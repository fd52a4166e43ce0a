/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What meets and disturbs what. No index, no shortcut: everything is looked at. */

#include "tests/simulation/world.h"

static const struct sim_object *object_of(const struct world *w, uint64_t id)
{
	for (size_t i = 0; i < w->n_objects; i++)
		if (w->objects[i].id == id)
			return &w->objects[i];
	return NULL;
}

bool covers(const struct world *w, const struct sim_request *request, uint64_t object,
	    uint64_t start, uint64_t end)
{
	switch (request->scope) {
	case CORE_SCOPE_ALL:
		return true;
	case CORE_SCOPE_DEVICE:
		return object_of(w, object)->device == request->device;
	case CORE_SCOPE_OBJECT:
		return request->object == object;
	case CORE_SCOPE_RANGE:
		break;
	}
	return request->object == object && overlap(request->start, request->end, start, end);
}

bool requests_meet(const struct world *w, const struct sim_request *a, const struct sim_request *b)
{
	if (a->scope <= CORE_SCOPE_OBJECT)
		return covers(w, b, a->object, a->start, a->end);
	if (b->scope <= CORE_SCOPE_OBJECT)
		return covers(w, a, b->object, b->start, b->end);
	return a->scope == CORE_SCOPE_ALL || b->scope == CORE_SCOPE_ALL || a->device == b->device;
}

bool leaving(const struct sim_seal *seal)
{
	return seal->state == SIM_FENCING ||
	       (seal->returning && seal->return_start == seal->start &&
		seal->return_end == seal->end);
}

uint32_t patience_ms(struct world *w, const struct sim_seal *seal)
{
	const struct core_policy *policy = &world_object(w, seal->object)->policy;
	const struct sim_holder *holder = world_holder(w, seal->holder);
	uint32_t ms = policy->deadline_ms;

	if (holder && holder->max_io_ms > ms)
		ms = holder->max_io_ms;
	return ms < policy->hard_ms ? ms : policy->hard_ms;
}

bool in_force(const struct sim_seal *seal, uint64_t start, uint64_t end)
{
	if (seal->parked || seal->state == SIM_ENDING ||
	    !overlap(seal->start, seal->end, start, end))
		return false;
	if (!seal->fenced)
		return true;
	if (seal->state == SIM_FENCING)
		return false;
	/* A part of it was fenced for a return: what remains is at its sides. */
	return overlap(seal->start, seal->return_start, start, end) ||
	       overlap(seal->return_end, seal->end, start, end);
}

bool disturbs(const struct world *w, const struct sim_seal *seal, const struct sim_request *request)
{
	if (!covers(w, request, seal->object, seal->start, seal->end))
		return false;
	if (request->scope == CORE_SCOPE_RANGE ? !in_force(seal, request->start, request->end)
					       : !in_force(seal, 0, CORE_INFINITY))
		return false;
	/* Breaks ask for their own session's seals as well. */
	return (request->is_break || request->holder != seal->holder) &&
	       table_conflict(seal, request->want) == SIM_RECALL;
}

/* ---- the line ---------------------------------------------------------------------------- */

bool before(const struct sim_request *a, const struct sim_request *b)
{
	return a->rank < b->rank || (a->rank == b->rank && a->place < b->place);
}

bool clash(const struct sim_request *a, const struct sim_request *b)
{
	struct sim_seal seal = {.mode = a->mode, .kind = a->kind};
	bool a_reads = a->is_break && a->want == CORE_WANT_FOREIGN_READ;
	bool b_reads = b->is_break && b->want == CORE_WANT_FOREIGN_READ;

	if (a->is_break && b->is_break)
		return !a_reads || !b_reads;
	if (a->is_break)
		return clash(b, a);
	if (b->is_break && !b_reads)
		return true;
	if (a->holder == b->holder && !b->is_break)
		return (a->kind == CORE_WINDOW && a->mode == CORE_WRITE) ||
		       (b->kind == CORE_WINDOW && b->mode == CORE_WRITE);
	return table_conflict(&seal, b->want) != SIM_SHARE;
}

bool part_of(const struct world *w, const struct sim_request *request,
	     const struct sim_request *hold)
{
	uint64_t token = request->token;

	while (token) {
		uint64_t next = 0;

		if (token == hold->own_token)
			return true;
		for (size_t i = 0; i < w->n_requests; i++)
			if (w->requests[i].held && w->requests[i].own_token == token)
				next = w->requests[i].token;
		token = next;
	}
	return false;
}

struct sim_request parked_request(const struct sim_seal *seal)
{
	return (struct sim_request){
	    .id = seal->id,
	    .place = seal->parked_at,
	    .rank = seal->parked_at,
	    .since = seal->parked_since,
	    .holder = seal->holder,
	    .scope = CORE_SCOPE_RANGE,
	    .object = seal->object,
	    .start = seal->start,
	    .end = seal->end,
	    .mode = seal->mode,
	    .kind = seal->kind,
	    .want = table_want(seal->kind, seal->mode),
	    .flags = seal->flags,
	    .soft = seal->soft,
	};
}

bool blocked(const struct world *w, uint64_t process)
{
	if (w->blocked[process])
		return true;
	for (size_t i = 0; i < w->n_requests; i++)
		if ((w->requests[i].flags & CORE_F_GUARD) && w->requests[i].process == process)
			return true;
	return false;
}

/* Longer than any recall: a hold, or a flush. */
static bool takes_its_time(const struct sim_request *request)
{
	return request->held || (request->is_break && request->want == CORE_WANT_FOREIGN_READ);
}

static bool queued_before(const struct world *w, const struct sim_request *other,
			  const struct sim_request *request)
{
	if (other->id == request->id || other->avail || !requests_meet(w, other, request))
		return false;
	if (takes_its_time(other) && (request->flags & CORE_F_GUARD))
		return false;
	if (other->held)
		return !part_of(w, request, other);
	return before(other, request) && (request->soft || clash(other, request));
}

/* Whether an earlier one's recall of @seal runs over where @request wants to be. */
bool recall_in_the_way(const struct world *w, const struct sim_seal *seal,
		       const struct sim_request *request)
{
	if (request->is_break || elsewhere(request, seal->object) ||
	    !covers(w, request, seal->object, seal->start, seal->end))
		return false;
	for (size_t i = 0; i < w->n_line; i++) {
		const struct sim_request *other = &w->line[i];

		if (other->id != request->id && !other->held && before(other, request) &&
		    requests_meet(w, other, request) && disturbs(w, seal, other))
			return true;
	}
	return false;
}

static bool flush_in_the_way(const struct world *w, const struct sim_request *request)
{
	if (!request->is_break || request->want != CORE_WANT_FOREIGN_READ)
		return false;
	for (size_t i = 0; i < w->n_jobs; i++)
		if (w->jobs[i].flush && w->jobs[i].request == request->id)
			return true;
	for (size_t i = 0; i < w->n_seals; i++)
		if (covers(w, request, w->seals[i].object, w->seals[i].start, w->seals[i].end) &&
		    in_force(&w->seals[i], 0, CORE_INFINITY) &&
		    table_conflict(&w->seals[i], request->want) == SIM_FLUSH &&
		    (w->seals[i].flushed < request->place || leaving(&w->seals[i])))
			return true;
	return false;
}

static bool no_request_in_the_way(struct world *w, const struct sim_request *request)
{
	for (size_t i = 0; i < w->n_seals; i++)
		if (!elsewhere(request, w->seals[i].object) && disturbs(w, &w->seals[i], request))
			return true;
	for (size_t i = 0; i < w->n_seals; i++)
		if (recall_in_the_way(w, &w->seals[i], request))
			return true;
	return flush_in_the_way(w, request) || other_request(w, 0, request);
}

bool may_be_passed(struct world *w, struct sim_request *request)
{
	if (request->may_be_passed)
		return request->may_be_passed == SIM_YES;
	request->may_be_passed = takes_its_time(request) ? SIM_YES : SIM_NO;
	if (takes_its_time(request) || (request->flags & CORE_F_GUARD))
		return takes_its_time(request);
	for (size_t i = 0; i < w->n_line; i++) {
		struct sim_request *other = &w->line[i];

		if (queued_before(w, other, request) && may_be_passed(w, other))
			request->may_be_passed = SIM_YES;
	}
	return request->may_be_passed == SIM_YES;
}

/* Whether holds and reads alone keep it waiting, directly or by others. */
static bool has_to_be_passed(struct world *w, struct sim_request *request)
{
	bool any = false;

	if (request->has_to_be_passed)
		return request->has_to_be_passed == SIM_YES;
	request->has_to_be_passed = takes_its_time(request) ? SIM_YES : SIM_NO;
	if (takes_its_time(request) || (request->flags & CORE_F_GUARD))
		return takes_its_time(request);
	for (size_t i = 0; i < w->n_line; i++) {
		struct sim_request *other = &w->line[i];

		if (!queued_before(w, other, request))
			continue;
		if (!has_to_be_passed(w, other))
			return false;
		any = true;
	}
	if (any && !no_request_in_the_way(w, request))
		request->has_to_be_passed = SIM_YES;
	return request->has_to_be_passed == SIM_YES;
}

bool in_the_way(struct world *w, const struct sim_request *request)
{
	for (size_t i = 0; i < w->n_line; i++)
		if (queued_before(w, &w->line[i], request) &&
		    !((request->flags & CORE_F_GUARD) && has_to_be_passed(w, &w->line[i])))
			return true;
	return no_request_in_the_way(w, request);
}

void lined_up(struct world *w)
{
	w->n_line = 0;
	for (size_t i = 0; i < w->n_requests; i++)
		if (!w->requests[i].avail)
			w->line[w->n_line++] = w->requests[i];
	for (size_t i = 0; i < w->n_seals; i++)
		if (w->seals[i].state == SIM_PARKED && !w->seals[i].returning)
			w->line[w->n_line++] = parked_request(&w->seals[i]);
}

struct search {
	struct world *w;
	uint64_t id;
	const struct sim_request *over;
	bool found;
};

static bool is_other(const struct core_request_view *view, void *data)
{
	struct search *search = data;

	if (world_request(search->w, view->id))
		return true;
	if (search->id)
		search->found = view->id == search->id;
	else if (view->is_break)
		search->found =
		    covers(search->w, search->over, view->object, view->start, view->end);
	return !search->found;
}

/* Parked seals stand in line as requests of the core's own, and a RECALL_ANY that is carried
 * through makes some. Their ids, and the latter altogether, can only be seen by asking: whether @id
 * is one of them, or if it is 0, whether a RECALL_ANY's meets @over. */
bool other_request(struct world *w, uint64_t id, const struct sim_request *over)
{
	struct search search = {.w = w, .id = id, .over = over};

	core_request_each(w->core, is_other, &search);
	return search.found;
}
