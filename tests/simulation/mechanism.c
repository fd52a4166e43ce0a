/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a pager would do: fences and flushes that take their time, fail, tear or leave bytes behind.
 *
 * A fence that was told to hurry (FENCE_FORCE) is done FORCED_MS later at the latest; that is the
 * mechanism's promise, on which the bound of a break rests. Jobs nobody waits for are reported all
 * the same now and then: the core has to shrug.
 */

#include "tests/simulation/world.h"

static void report_fence(struct world *w, const struct sim_job *job, bool may_fail)
{
	struct core_fence_result result = {.job = job->id, .fence = CORE_FENCE_FENCED};
	struct sim_seal *seal = world_seal(w, job->seal);

	if (may_fail && job->cause == CORE_CAUSE_RETURN &&
	    rng_percent(&w->rng, w->failing_fences)) {
		result.error = -28;
	} else if (seal && seal->kind == CORE_DIRECT) {
		result.fence = rng_percent(&w->rng, 50) ? CORE_FENCE_UNFENCED : CORE_FENCE_FENCED;
	} else {
		if (job->forced && rng_percent(&w->rng, 50))
			result.fence = CORE_FENCE_TORN_POSSIBLE;
		else if (job->discard)
			result.fence = CORE_FENCE_NONE;
		/* A return keeps nothing, unless it was overtaken and told too late. */
		if (may_fail && (job->cause != CORE_CAUSE_RETURN || !seal || seal->job != job->id) &&
		    !job->discard && rng_percent(&w->rng, 10)) {
			result.quarantined = rng_between(&w->rng, 1, 8) * PAGE;
			result.quarantine_errno = 28;
		}
	}
	world_trace(w, "job %llu, fence of seal %llu: error %d fence %d quarantined %llu",
		    (unsigned long long)job->id, (unsigned long long)job->seal, result.error,
		    result.fence, (unsigned long long)result.quarantined);
	w->tally.quarantines += result.quarantined > 0;
	if (seal && seal->job == job->id)
		shadow_fenced(w, seal, job, &result);
	core_fenced(w->core, &result, w->now);
	world_drain(w, 0);
	if (seal)
		world_check(w, !(seal = world_seal(w, job->seal)) || seal->job != job->id,
			    INV_LIVING, "nothing follows from the end of job %llu",
			    (unsigned long long)job->id);
}

static void report_flush(struct world *w, const struct sim_job *job, bool may_fail)
{
	int error = may_fail && rng_percent(&w->rng, w->failing_fences / 3) ? -5 : 0;
	struct sim_seal *seal = world_seal(w, job->seal);

	world_trace(w, "job %llu, flush of seal %llu: error %d", (unsigned long long)job->id,
		    (unsigned long long)job->seal, error);
	if (!error)
		shadow_outcome(w, job->seal, 1u << CORE_RESULT_FLUSHED);
	if (!error && seal && seal->flushed < job->place)
		seal->flushed = job->place;
	core_flushed(w->core, job->id, error, w->now);
	world_drain(w, 0);
}

void mechanism_done(struct world *w, struct sim_job *job, bool may_fail)
{
	struct sim_job copy = *job;

	world_job_gone(w, job);
	w->reporting = copy.id;
	w->reported_seal = copy.seal;
	if (copy.flush)
		report_flush(w, &copy, may_fail);
	else
		report_fence(w, &copy, may_fail);
}

void mechanism_run(struct world *w)
{
	for (size_t i = 0; i < w->n_jobs; i++) {
		struct sim_job *job = &w->jobs[i];

		if (job->forced && w->now >= later(job->forced_at, FORCED_MS)) {
			mechanism_done(w, job, true);
			i = (size_t)-1; /* the array has moved */
		}
	}
}
