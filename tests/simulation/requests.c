/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who wants something: acquires of all modes, kinds and flags, breaks of all wants and scopes, with
 * and without holds, patience and tokens; and those who lose interest.
 */

#include "tests/simulation/actions.h"

#include <string.h>

static uint64_t some_token(struct world *w, unsigned int percent)
{
	size_t from = rng_below(&w->rng, w->n_requests + 1);

	if (!rng_percent(&w->rng, percent))
		return 0;
	for (size_t i = 0; i < w->n_requests; i++) {
		struct sim_request *request = &w->requests[(from + i) % w->n_requests];

		if (request->held && request->own_token)
			return request->own_token;
	}
	return 0;
}

static void some_range(struct world *w, uint64_t *ret_start, uint64_t *ret_end)
{
	*ret_start = rng_below(&w->rng, w->pages) * PAGE;
	*ret_end = *ret_start + rng_between(&w->rng, 1, 1 + w->pages / 3) * PAGE;
	if (rng_percent(&w->rng, 4))
		*ret_end = CORE_INFINITY;
	if (rng_percent(&w->rng, 4))
		*ret_start = 0;
}

static struct sim_request *request_slot(struct world *w)
{
	struct sim_request *request = &w->requests[w->n_requests];

	if (w->n_requests >= MAX_REQUESTS || w->n_seals > MAX_SEALS - 64 ||
	    w->n_requests > 12 + w->pages)
		return NULL;
	memset(request, 0, sizeof(*request));
	return request;
}

static void request_made(struct world *w, struct sim_request *request, int r)
{
	world_check(w, r == 0, INV_ANSWERS, "a request that is in order: %s", core_error_string(r));
	world_check(w, request->id > w->last_request, INV_LIVING, "request id %llu used again",
		    ull(request->id));
	w->last_request = request->id;
	request->place = request->rank = ++w->next_place;
	for (size_t i = 0; request->token && i < w->n_requests; i++)
		if (w->requests[i].held && w->requests[i].own_token == request->token)
			request->rank = w->requests[i].rank;
	request->since = w->now;
	w->n_requests++;
	world_drain(w, 0);
}

void action_acquire(struct world *w)
{
	struct sim_request *request = request_slot(w);
	struct sim_holder *holder = PICK(w, holders);
	struct sim_object *object = PICK(w, objects);
	struct core_acquire acquire = {0};
	unsigned int dice = (unsigned int)rng_below(&w->rng, 100);
	int r;

	if (!request || !holder || !object)
		return;
	acquire.holder = request->holder = holder->id;
	acquire.object = request->object = object->id;
	some_range(w, &acquire.start, &acquire.end);
	acquire.mode = rng_percent(&w->rng, 45) ? CORE_WRITE : CORE_READ;
	acquire.kind = rng_percent(&w->rng, 25) ? CORE_DIRECT : CORE_WINDOW;
	if (dice < 10)
		acquire.flags |= CORE_F_NO_WAIT;
	else if (dice < 18)
		acquire.flags |= CORE_F_NO_WAIT | CORE_F_WANT_AVAIL;
	if (acquire.kind == CORE_WINDOW && acquire.mode == CORE_WRITE && rng_percent(&w->rng, 25))
		acquire.flags |= CORE_F_PINNABLE;
	if (acquire.kind == CORE_WINDOW && rng_percent(&w->rng, 25))
		acquire.flags |= CORE_F_TRANSPARENT;
	else if (acquire.kind == CORE_WINDOW && rng_percent(&w->rng, 30))
		acquire.flags |= CORE_F_REVOKE_PARK;
	if (rng_percent(&w->rng, 2))
		acquire.flags |= CORE_F_HARD;
	acquire.token = some_token(w, 25);
	acquire.wait_ms = rng_percent(&w->rng, 15) ? 1 + action_ms(w, 50) : 0;

	r = core_acquire(w->core, &acquire, w->now, &request->id);
	world_trace(w,
		    "acquire: holder %llu object %llu [%#llx, %#llx) %s %s flags %#x token %d "
		    "wait %u -> %s %llu",
		    ull(holder->id), ull(object->id), ull(acquire.start), ull(acquire.end),
		    acquire.mode == CORE_READ ? "READ" : "WRITE",
		    acquire.kind == CORE_WINDOW ? "WINDOW" : "DIRECT", acquire.flags,
		    acquire.token != 0, acquire.wait_ms, core_error_string(r),
		    r ? 0 : ull(request->id));
	if (holder->max_io_ms > object->policy.hard_ms) {
		world_check(w, r == CORE_E_UNBOUNDED, INV_ANSWERS, "max_io over the limit: %s",
			    core_error_string(r));
		world_drain(w, r);
		return;
	}
	request->scope = CORE_SCOPE_RANGE;
	request->process = holder->process;
	request->start = acquire.start;
	request->end = acquire.end;
	request->mode = acquire.mode;
	request->kind = acquire.kind;
	request->want = table_want(acquire.kind, acquire.mode);
	request->flags = acquire.flags;
	request->token = acquire.token;
	request->wait_ms = acquire.wait_ms;
	request_made(w, request, r);
}

void action_break(struct world *w, enum core_want want)
{
	struct sim_request *request = request_slot(w);
	struct sim_holder *holder = PICK(w, holders);
	struct sim_object *object = PICK(w, objects);
	struct core_break brk = {0};
	unsigned int dice = (unsigned int)rng_below(&w->rng, 100);
	int r;

	if (!request || !holder || !object)
		return;
	brk.holder = rng_percent(&w->rng, 60) ? holder->id : 0;
	if (dice < 70)
		brk.scope = CORE_SCOPE_RANGE;
	else if (dice < 84)
		brk.scope = CORE_SCOPE_OBJECT;
	else if (dice < 94)
		brk.scope = CORE_SCOPE_DEVICE;
	else
		brk.scope = CORE_SCOPE_ALL;
	if (brk.scope <= CORE_SCOPE_OBJECT)
		brk.object = object->id;
	if (brk.scope == CORE_SCOPE_DEVICE)
		brk.device = rng_between(&w->rng, 1, 3);
	if (brk.scope == CORE_SCOPE_RANGE)
		some_range(w, &brk.start, &brk.end);
	brk.want = want;
	if (rng_percent(&w->rng, 12))
		brk.flags |= CORE_F_NO_WAIT;
	if (rng_percent(&w->rng, 20))
		brk.flags |= CORE_F_MAP_WILL_CHANGE;
	if (!brk.holder)
		brk.process = rng_percent(&w->rng, 30) ? rng_between(&w->rng, 1, MAX_PROCESSES) : 0;
	if ((brk.holder || brk.process) && rng_percent(&w->rng, 20))
		brk.flags |= CORE_F_GUARD;
	if ((brk.flags & CORE_F_GUARD) && rng_percent(&w->rng, 30))
		brk.flags |= CORE_F_UNDENIABLE;
	brk.token = some_token(w, 12);
	brk.wait_ms = rng_percent(&w->rng, 20) ? 1 + action_ms(w, 60) : 0;
	if (want != CORE_WANT_FOREIGN_READ && rng_percent(&w->rng, 55))
		brk.hold_ms = 1 + action_ms(w, 80);

	r = core_break(w->core, &brk, w->now, &request->id);
	world_trace(w,
		    "break: holder %llu process %llu scope %d object %llu device %llu "
		    "[%#llx, %#llx) want %d flags %#x token %d wait %u hold %u -> %s %llu",
		    ull(brk.holder), ull(brk.process), brk.scope, ull(brk.object), ull(brk.device),
		    ull(brk.start), ull(brk.end), brk.want, brk.flags, brk.token != 0, brk.wait_ms,
		    brk.hold_ms, core_error_string(r), r ? 0 : ull(request->id));
	request->is_break = true;
	request->scope = brk.scope;
	request->holder = brk.holder;
	request->process = brk.holder ? holder->process : brk.process;
	request->object = brk.object;
	request->device = brk.device;
	request->start = brk.scope == CORE_SCOPE_RANGE ? brk.start : 0;
	request->end = brk.scope == CORE_SCOPE_RANGE ? brk.end : CORE_INFINITY;
	request->want = brk.want;
	request->flags = brk.flags;
	request->token = brk.token;
	request->wait_ms = brk.wait_ms;
	request->hold_ms = brk.hold_ms;
	request_made(w, request, r);
}

void action_break_end(struct world *w)
{
	size_t from = rng_below(&w->rng, w->n_requests + 1);

	for (size_t i = 0; i < w->n_requests; i++) {
		struct sim_request *request = &w->requests[(from + i) % w->n_requests];
		uint64_t id = request->id;
		int r;

		if (!request->held)
			continue;
		r = core_break_end(w->core, request->holder, id, request->own_token, w->now);
		world_trace(w, "end of break %llu: %s", ull(id), core_error_string(r));
		world_check(w, r == 0, INV_ANSWERS, "the end of break %llu: %s", ull(id),
			    core_error_string(r));
		world_drain(w, r);
		world_check(w, !world_request(w, id), INV_LIVING, "break %llu outlives its end",
			    ull(id));
		return;
	}
}

void action_withdraw(struct world *w)
{
	struct sim_request *request = PICK(w, requests);
	uint64_t id;
	int r;

	if (!request)
		return;
	id = w->withdrawing = request->id;
	r = core_withdraw(w->core, id, w->now);
	world_trace(w, "withdraw %llu: %s", ull(id), core_error_string(r));
	world_check(w, r == 0, INV_ANSWERS, "withdraw: %s", core_error_string(r));
	if (request->avail)
		world_request_gone(w, request);
	world_drain(w, r);
	w->withdrawing = 0;
	world_check(w, !world_request(w, id), INV_LIVING, "request %llu outlives its withdrawal",
		    ull(id));
}
