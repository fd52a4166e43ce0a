/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fences and what follows from them: nothing is taken back without a reason or before its time, and
 * nothing ends, shrinks, parks or comes back before its fence is done.
 */

#include "tests/simulation/shadow.h"

#include <string.h>

static void cooperative_first(struct world *w, const struct sim_seal *seal)
{
	const struct sim_holder *holder = world_holder(w, seal->holder);
	struct sim_request self = parked_request(seal);
	uint64_t since = w->now, hard_ms = world_object(w, seal->object)->policy.hard_ms;

	if (!holder || blocked(w, holder->process) || other_request(w, 0, &self))
		return;
	if (seal->wanted_since && seal->wanted_since < since)
		since = seal->wanted_since;
	for (size_t i = 0; i < w->n_requests; i++)
		if (disturbs(w, seal, &w->requests[i]) && w->requests[i].since < since)
			since = w->requests[i].since;
	if (w->now >= later(since, hard_ms))
		return;
	for (size_t i = 0; i < w->n_seals; i++) {
		const struct sim_seal *other = &w->seals[i];
		const struct sim_holder *whose = world_holder(w, other->holder);

		world_check(w,
			    !whose || whose->process != holder->process || !other->recalled ||
				other->state != SIM_HELD || (other->flags & CORE_F_TRANSPARENT) ||
				other->unsure || (leaving(other) && !shadow_still_wanted(w, other)),
			    INV_ORDER,
			    "transparent seal %llu is fenced, cooperative %llu is not "
			    "back",
			    ull(seal->id), ull(other->id));
	}
}

/* Somebody for whom a fence that would take its time has to be hurried. RECALL_ANY's are the core's own. */
static bool somebody_waits(struct world *w, const struct sim_seal *seal)
{
	struct sim_request self = parked_request(seal);

	lined_up(w);
	for (size_t i = 0; i < w->n_line; i++)
		if (!w->line[i].held && disturbs(w, seal, &w->line[i]))
			return true;
	return other_request(w, 0, &self);
}

/* A return of the whole takes too long for whoever came to it, though nobody had asked for it. */
static bool return_is_overdue(struct world *w, const struct sim_seal *seal)
{
	const struct sim_job *job = seal->job ? world_job(w, seal->job) : NULL;

	return job && leaving(seal) && !seal->recalled && somebody_waits(w, seal) &&
	       w->now >= later(job->sent_at, patience_ms(w, seal));
}

void shadow_on_fence(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = shadow_seal(w, c, "a fence");
	const struct sim_holder *holder = world_holder(w, seal->holder);
	bool whole = c->start <= seal->start && c->end >= seal->end, early;
	unsigned int results = 1u << CORE_RESULT_RETURNED;
	struct sim_job *job;

	world_check(w, c->job && !world_job(w, c->job), INV_LIVING, "job id %llu used again",
		    ull(c->job));
	if (c->job > w->last_job)
		w->last_job = c->job;
	shadow_stays(w, seal, c->seq, "a fence");
	world_check(w, seal->state != SIM_FENCING, INV_LIVING, "seal %llu is fenced twice",
		    ull(seal->id));
	early = !(seal->recalled && w->now >= seal->deadline) && !return_is_overdue(w, seal);
	switch (c->cause) {
	case CORE_CAUSE_RETURN:
		world_check(w,
			    seal->returning && !seal->job && c->start == seal->return_start &&
				c->end == seal->return_end,
			    INV_LIVING, "seal %llu was not returned so", ull(seal->id));
		break;
	case CORE_CAUSE_REVOKE:
		results = 1u << CORE_RESULT_REVOKED;
		if (seal->answer == CORE_ANSWER_NO_MATCHING)
			results |= 1u << CORE_RESULT_NO_MATCHING;
		if (seal->answer != CORE_ANSWER_NO_MATCHING) {
			world_check(w, !early, INV_BOUNDED, "seal %llu is revoked early",
				    ull(seal->id));
			w->tally.revocations++;
			w->tally.overdue_returns += !seal->recalled;
		}
		break;
	case CORE_CAUSE_PARK:
		results = 1u << CORE_RESULT_PARKED;
		if (seal->flags & CORE_F_TRANSPARENT) {
			world_check(w, shadow_due(w, seal), INV_MIN_HOLD,
				    "seal %llu is parked early", ull(seal->id));
			cooperative_first(w, seal);
		} else if (holder && blocked(w, holder->process)) {
			world_check(w, seal->kind == CORE_WINDOW, INV_LIVING,
				    "seal %llu cannot be parked", ull(seal->id));
			world_check(w, shadow_due(w, seal), INV_MIN_HOLD,
				    "seal %llu is parked early", ull(seal->id));
			results = 1u << CORE_RESULT_PARKED | 1u << CORE_RESULT_REVOKED;
		} else {
			results = 1u << CORE_RESULT_REVOKED;
			world_check(w, !leaving(seal), INV_LIVING,
				    "seal %llu is parked while it is returned", ull(seal->id));
			world_check(w, (seal->flags & CORE_F_REVOKE_PARK) && !early, INV_BOUNDED,
				    "seal %llu is parked early", ull(seal->id));
			w->tally.revocations++;
		}
		break;
	case CORE_CAUSE_DEATH:
		results = 1u << CORE_RESULT_GONE;
		world_check(w, !holder, INV_LIVING, "seal %llu ends by a death that was none",
			    ull(seal->id));
		break;
	}
	world_check(w, c->cause == CORE_CAUSE_RETURN || whole, INV_LIVING,
		    "seal %llu is taken back in part", ull(seal->id));
	if (c->cause != CORE_CAUSE_RETURN) {
		seal->state = SIM_FENCING;
		seal->returning = false;
		seal->fenced = false;
	}
	seal->cause = c->cause;
	seal->job = c->job;
	world_check(w, w->n_jobs < MAX_JOBS, INV_VIEW, "the simulation's table is too small");
	job = &w->jobs[w->n_jobs++];
	*job = (struct sim_job){.id = c->job,
				.seal = c->seal,
				.window = c->window,
				.object = c->object,
				.start = c->start,
				.end = c->end,
				.cause = c->cause,
				.discard = c->discard,
				.sent_at = w->now,
				.results = results};
}

void shadow_on_flush(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = shadow_seal(w, c, "a flush");

	world_check(w, c->job && !world_job(w, c->job), INV_LIVING, "job id %llu used again",
		    ull(c->job));
	if (c->job > w->last_job)
		w->last_job = c->job;
	world_check(w, seal->kind == CORE_WINDOW && seal->mode == CORE_WRITE, INV_LIVING,
		    "seal %llu has nothing to flush", ull(seal->id));
	world_check(w, w->n_jobs < MAX_JOBS, INV_VIEW, "the simulation's table is too small");
	w->jobs[w->n_jobs++] = (struct sim_job){
	    .id = c->job,
	    .seal = c->seal,
	    .window = c->window,
	    .object = c->object,
	    .start = c->start,
	    .end = c->end,
	    .flush = true,
	    .sent_at = w->now,
	    .request = c->request,
	    .place = ++w->next_place,
	};
	w->tally.flushes++;
}

void shadow_on_fence_force(struct world *w, const struct core_command *c)
{
	struct sim_job *job = world_job(w, c->job);
	const struct sim_seal *seal = shadow_seal(w, c, "force");

	world_check(w, job && !job->flush && !job->forced && job->cause != CORE_CAUSE_RETURN,
		    INV_LIVING, "job %llu cannot be forced", ull(c->job));
	world_check(w, job->cause != CORE_CAUSE_DEATH || somebody_waits(w, seal), INV_BOUNDED,
		    "job %llu is forced for nobody", ull(c->job));
	world_check(w, w->now >= later(job->sent_at, world_object(w, job->object)->policy.fence_ms),
		    INV_BOUNDED, "job %llu is forced early", ull(c->job));
	job->forced = true;
	job->forced_at = w->now;
	w->tally.forced_fences++;
	w->tally.hurried_deaths += job->cause == CORE_CAUSE_DEATH;
}

void shadow_on_forgiven(struct world *w, const struct core_command *c)
{
	world_check(w, c->job && c->job == w->reporting && !world_job(w, c->job), INV_LIVING,
		    "job %llu is forgiven, and was not reported", ull(c->job));
}

void shadow_fenced(struct world *w, struct sim_seal *seal, const struct sim_job *job,
		   const struct core_fence_result *result)
{
	if (result->error) {
		w->tally.failed_returns++;
		return;
	}
	seal->fenced = true;
	shadow_outcome(w, seal->id, job->results);
	if (job->cause == CORE_CAUSE_PARK && world_holder(w, seal->holder)) {
		seal->state = SIM_PARKED;
		seal->parked = true;
		seal->soft = false;
		seal->parked_at = ++w->next_place;
		seal->parked_since = w->now;
		seal->job = 0;
		seal->recalled = seal->fenced = false;
		w->tally.parks++;
	}
}

/* What is left of a recall on what is left of a seal. Whether everybody has lost interest in the
 * rest is the core's to say (some wait without having asked), unless somebody known has not. */
static void rest_recalled(struct world *w, struct sim_seal *seal)
{
	const struct sim_object *object = world_object(w, seal->object);
	uint64_t to = later(w->now, object->policy.progress_ms);
	struct core_seal_view view;

	if (!seal->recalled)
		return;
	world_check(w, core_seal_find(w->core, seal->id, &view), INV_VIEW, "seal %llu is not there",
		    ull(seal->id));
	if (view.state == CORE_SEAL_HELD) {
		world_check(w, !shadow_still_wanted(w, seal), INV_NONE_LOST,
			    "the recall of seal %llu is forgotten after a part came back",
			    ull(seal->id));
		seal->recalled = false;
		return;
	}
	seal->unsure = !shadow_still_wanted(w, seal);
	if (to > seal->hard_limit)
		to = seal->hard_limit;
	if (to > seal->deadline)
		seal->deadline = to;
}

void shadow_on_returned(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = shadow_seal(w, c, "a return's reply"), *upper;
	bool head, tail;

	world_check(w, seal->returning, INV_LIVING, "seal %llu was not returned", ull(seal->id));
	seal->returning = false;
	seal->job = 0;
	if (c->error) {
		world_check(w, !seal->fenced, INV_ANSWERS,
			    "seal %llu was returned, the reply "
			    "says %d",
			    ull(seal->id), c->error);
		seal->kept_at = w->now;
		shadow_stays(w, seal, c->seq, "a failed return");
		return;
	}
	world_check(w, seal->fenced, INV_BREAKER_WAITS, "the return of seal %llu is not fenced yet",
		    ull(seal->id));
	shadow_moved_on(w, seal, c->seq, "a return");
	seal->fenced = false;
	head = seal->return_start > seal->start;
	tail = seal->return_end < seal->end;
	world_check(w, (head && tail) == (c->split_seal != 0), INV_ANSWERS,
		    "seal %llu: a split that is none, or none that is one", ull(seal->id));
	w->tally.partial_returns += head || tail;
	if (!head && !tail) {
		seal->state = SIM_ENDING;
		return;
	}
	if (head && tail) {
		world_check(w, c->split_seal > w->last_seal, INV_LIVING, "seal id %llu used again",
			    ull(c->split_seal));
		world_check(w, c->split_seq == 1 || c->split_seq == w->first_seq, INV_SEQ,
			    "the upper half of seal %llu starts with seq %#x", ull(seal->id),
			    c->split_seq);
		world_check(w, w->n_seals < MAX_SEALS, INV_VIEW,
			    "the simulation's table is too small");
		w->last_seal = c->split_seal;
		upper = &w->seals[w->n_seals++];
		*upper = *seal;
		upper->id = c->split_seal;
		upper->seq = c->split_seq;
		upper->start = seal->return_end;
		w->tally.splits++;
		for (size_t i = 0, n = w->n_asked; i < n; i++)
			if (w->asked[i].seal == seal->id && world_request(w, w->asked[i].request) &&
			    disturbs(w, upper, world_request(w, w->asked[i].request)))
				shadow_note_asked(w, w->asked[i].request, upper->id,
						  w->asked[i].wide);
		rest_recalled(w, upper);
	}
	if (head)
		seal->end = seal->return_start;
	else
		seal->start = seal->return_end;
	rest_recalled(w, seal);
}

void shadow_on_revoked(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = shadow_seal(w, c, "a revocation");

	shadow_stays(w, seal, c->seq, "a revocation");
	if (seal->state == SIM_PARKED && c->cause == CORE_CAUSE_REVOKE) {
		/* It can't come back, for good: somebody sits there who never leaves, or its own
		 * session does. */
		seal->state = SIM_ENDING;
		return;
	}
	world_check(w,
		    c->cause == seal->cause &&
			(seal->state == SIM_PARKED || (seal->state == SIM_FENCING && seal->fenced)),
		    INV_LIVING, "seal %llu is not being revoked", ull(seal->id));
}

void shadow_on_regrant(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = shadow_seal(w, c, "a regrant");
	struct sim_request request;

	world_check(w, seal->state == SIM_PARKED && world_holder(w, seal->holder), INV_LIVING,
		    "seal %llu is not parked", ull(seal->id));
	shadow_moved_on(w, seal, c->seq, "a regrant");
	world_check(w, c->start == seal->start && c->end == seal->end, INV_LIVING,
		    "seal %llu comes back with another range", ull(seal->id));
	request = parked_request(seal);
	seal->state = SIM_HELD;
	seal->parked = seal->recalled = false;
	seal->answer = 0;
	seal->granted_at = w->now;
	seal->granted_place = ++w->next_place;
	shadow_exclusive(w, seal);
	shadow_in_turn(w, &request);
	shadow_over_no_recall(w, &request);
	w->tally.regrants++;
}

void shadow_on_seal_ended(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = shadow_seal(w, c, "an end");
	bool returned = seal->state == SIM_ENDING;
	bool fenced = seal->state == SIM_FENCING && seal->fenced &&
		      (seal->cause != CORE_CAUSE_PARK || !world_holder(w, seal->holder));
	bool parked = seal->state == SIM_PARKED && !world_holder(w, seal->holder);

	world_check(w, returned || fenced || parked, INV_BREAKER_WAITS,
		    "seal %llu ends, and is not fenced", ull(seal->id));
	world_seal_dead(w, seal);
}
