/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who is there: holders come and go, several of one process; objects come, go and change their
 * size; threads are held by guards.
 */

#include "tests/simulation/actions.h"

#include <string.h>

void action_holder_comes(struct world *w)
{
	struct sim_holder *holder = &w->holders[w->n_holders];
	struct core_holder_info info;
	int r;

	if (w->n_holders == MAX_HOLDERS)
		return;
	info.process = rng_between(&w->rng, 1, MAX_PROCESSES);
	info.uid = 1000 + (uid_t)(info.process % 3);
	info.max_io_ms = rng_percent(&w->rng, 20) ? (uint32_t)rng_between(&w->rng, 1, 40) : 0;
	memset(holder, 0, sizeof(*holder));
	r = core_holder_add(w->core, &info, &holder->id);
	world_check(w, r == 0, INV_ANSWERS, "holder_add: %d", r);
	holder->process = info.process;
	holder->uid = info.uid;
	holder->max_io_ms = info.max_io_ms;
	holder->stuck = rng_percent(&w->rng, 15);
	w->n_holders++;
	world_trace(w, "holder %llu of process %llu comes, max_io %u", ull(holder->id),
		    ull(holder->process), holder->max_io_ms);
	world_drain(w, 0);
}

void action_holder_goes(struct world *w)
{
	struct sim_holder *holder = PICK(w, holders);
	uint64_t id;

	if (!holder || w->n_holders < 4)
		return;
	id = holder->id;
	world_trace(w, "holder %llu goes", ull(id));
	for (size_t i = w->n_recalls; i-- > 0;)
		if (w->recalls[i].holder == id)
			world_recall_taken(w, &w->recalls[i]);
	for (size_t i = w->n_requests; i-- > 0;)
		if (w->requests[i].holder == id && w->requests[i].avail)
			world_request_gone(w, &w->requests[i]);
	world_holder_gone(w, holder);
	w->tally.deaths++;
	core_holder_gone(w->core, id, w->now);
	world_drain(w, 0);
	for (size_t i = 0; i < w->n_seals; i++)
		world_check(w, w->seals[i].holder != id || w->seals[i].state == SIM_FENCING,
			    INV_LIVING, "seal %llu outlives its holder", ull(w->seals[i].id));
	for (size_t i = 0; i < w->n_requests; i++)
		world_check(w, w->requests[i].holder != id, INV_LIVING,
			    "request %llu outlives its holder", ull(w->requests[i].id));
}

void action_object_comes(struct world *w)
{
	struct sim_object *object = &w->objects[w->n_objects];
	struct core_object_info info = {0};
	struct core_policy *policy = &info.policy;
	int r;

	if (w->n_objects == MAX_OBJECTS || w->n_objects > w->pages / 3)
		return;
	info.device = rng_below(&w->rng, 4);
	info.size = rng_below(&w->rng, 40) * PAGE + rng_below(&w->rng, PAGE);
	if (rng_percent(&w->rng, 60)) {
		policy->deadline_ms = 1 + action_ms(w, 30);
		policy->hard_ms = policy->deadline_ms + action_ms(w, 60);
		policy->progress_ms = action_ms(w, 20);
		policy->min_hold_ms = action_ms(w, 10);
		policy->hold_ms = 1 + action_ms(w, 50);
		policy->fence_ms = 1 + action_ms(w, 20);
	}
	memset(object, 0, sizeof(*object));
	r = core_object_add(w->core, &info, &object->id);
	world_check(w, r == 0, INV_ANSWERS, "object_add: %d", r);
	object->device = info.device;
	object->size = info.size;
	object->policy = policy->hard_ms ? *policy : w->policy;
	if (object->policy.min_hold_ms > w->longest_min_hold)
		w->longest_min_hold = object->policy.min_hold_ms;
	w->n_objects++;
	world_trace(w,
		    "object %llu on device %llu: deadline %u hard %u progress %u min %u hold %u "
		    "fence %u",
		    ull(object->id), ull(object->device), object->policy.deadline_ms,
		    object->policy.hard_ms, object->policy.progress_ms, object->policy.min_hold_ms,
		    object->policy.hold_ms, object->policy.fence_ms);
	world_drain(w, 0);
}

void action_object_goes(struct world *w)
{
	struct sim_object *object = PICK(w, objects);
	bool used = false;
	int r;

	if (!object || w->n_objects < 3)
		return;
	for (size_t i = 0; i < w->n_seals; i++)
		used |= w->seals[i].object == object->id;
	for (size_t i = 0; i < w->n_requests; i++)
		used |= w->requests[i].scope <= CORE_SCOPE_OBJECT &&
			w->requests[i].object == object->id;
	r = core_object_drop(w->core, object->id);
	world_trace(w, "drop object %llu: %s", ull(object->id), core_error_string(r));
	world_check(w, r == (used ? CORE_E_STATE : 0), INV_ANSWERS, "object_drop: %s, %s",
		    core_error_string(r), used ? "used" : "not used");
	world_drain(w, r);
	if (r == 0)
		world_object_gone(w, object);
}

void action_resize(struct world *w)
{
	struct sim_object *object = PICK(w, objects);

	if (!object)
		return;
	object->size = rng_below(&w->rng, 40 * PAGE);
	core_object_resized(w->core, object->id, object->size);
	world_drain(w, 0);
}

void action_process_blocked(struct world *w, bool blocked)
{
	uint64_t process = rng_between(&w->rng, 1, MAX_PROCESSES);

	if (!blocked) {
		for (uint64_t i = 0; i < MAX_PROCESSES && !w->blocked[process]; i++)
			process = process % MAX_PROCESSES + 1;
		if (!w->blocked[process])
			return;
	}
	w->blocked[process] += blocked ? 1u : -1u;
	world_trace(w, "process %llu blocked: %u", ull(process), w->blocked[process]);
	core_process_blocked(w->core, process, blocked, w->now);
	world_drain(w, 0);
}

void action_gets_stuck(struct world *w)
{
	struct sim_holder *holder = PICK(w, holders);

	if (holder)
		holder->stuck = rng_percent(&w->rng, 35);
}
