/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What has to be true between any two steps, whatever happened in them.
 *
 * Time: the tick of this moment has been done, so nothing that was due may still be outstanding.
 * Nobody forgotten: whoever waits has something in the way, and whatever is in the way of somebody
 * has been asked for as soon as it may be. That is stronger than to see everybody served in the
 * end, and says at which step it went wrong.
 */

#include "tests/simulation/actions.h"

/* Since when somebody has been waiting for what @job brings back; CORE_NEVER: nobody. Who came before
 * the seal was granted, or only reads, may not have noticed it yet. */
static uint64_t awaited_since(const struct world *w, const struct sim_seal *seal,
			      const struct sim_job *job)
{
	uint64_t since = CORE_NEVER;

	for (size_t i = 0; i < w->n_line; i++) {
		const struct sim_request *request = &w->line[i];

		if (elsewhere(request, seal->object) || request->held ||
		    request->want == CORE_WANT_FOREIGN_READ ||
		    request->place < seal->granted_place || !disturbs(w, seal, request))
			continue;
		if (request->since < since)
			since = request->since;
	}
	return since < job->sent_at ? job->sent_at : since;
}

static void job_in_time(struct world *w, const struct sim_seal *seal, const struct sim_job *job)
{
	const struct sim_object *object = world_object(w, seal->object);
	uint64_t since = job->sent_at;

	if (job->cause == CORE_CAUSE_RETURN || job->cause == CORE_CAUSE_DEATH)
		since = awaited_since(w, seal, job);
	if (since == CORE_NEVER || job->forced)
		return;
	if (job->cause != CORE_CAUSE_RETURN)
		world_check(w, w->now < later(since, object->policy.fence_ms), INV_BOUNDED,
			    "job %llu was not forced", ull(job->id));
	else if (leaving(seal) && !seal->recalled)
		world_check(w, w->now < later(since, patience_ms(w, seal)), INV_BOUNDED,
			    "seal %llu was not revoked while its return takes its time",
			    ull(seal->id));
}

static void seal_in_time(struct world *w, const struct sim_seal *seal)
{
	const struct sim_object *object = world_object(w, seal->object);
	const struct sim_job *job = seal->job ? world_job(w, seal->job) : NULL;

	world_check(w, seal->state != SIM_ENDING, INV_LIVING, "seal %llu should have ended",
		    ull(seal->id));
	if (seal->state == SIM_HELD && seal->recalled) {
		world_check(w, w->now < seal->deadline, INV_BOUNDED,
			    "seal %llu was not revoked at its deadline", ull(seal->id));
		world_check(
		    w,
		    seal->deadline <= seal->hard_limit &&
			seal->hard_limit == later(seal->recalled_at, object->policy.hard_ms),
		    INV_BOUNDED, "seal %llu: its deadline is past its hard limit", ull(seal->id));
	}
	world_check(w, !seal->job || job, INV_NONE_LOST, "seal %llu waits for a job that was done",
		    ull(seal->id));
	world_check(w, seal->state != SIM_FENCING || job, INV_NONE_LOST,
		    "seal %llu is fenced by no job", ull(seal->id));
	if (job)
		job_in_time(w, seal, job);
}

/* Whoever waits because of a recall that somebody earlier began waits for that one, longer than for
 * the recall. */
static void note_soft(struct world *w, struct sim_request *request)
{
	struct sim_request *original = world_request(w, request->id);
	struct sim_seal *parked = world_seal(w, request->id);

	for (size_t i = 0; i < w->n_seals && !request->soft; i++)
		request->soft =
		    w->seals[i].wanted_since && recall_in_the_way(w, &w->seals[i], request);
	if (original)
		original->soft = request->soft;
	if (parked)
		parked->soft = request->soft;
}

static void request_in_time(struct world *w, struct sim_request *request)
{
	if (request->held) {
		world_check(w, w->now < request->hold_until, INV_BOUNDED,
			    "break %llu is held for too long", ull(request->id));
		return;
	}
	world_check(w, !request->wait_ms || w->now < later(request->since, request->wait_ms),
		    INV_BOUNDED, "request %llu waits longer than it wanted to", ull(request->id));
	note_soft(w, request);
	world_check(w, in_the_way(w, request), INV_NONE_LOST,
		    "request %llu waits, and nothing is in the way", ull(request->id));
}

/* By when @seal has to be asked for. A recall of a wider scope is one message for several seals, and
 * goes out when the youngest of them may be asked for. */
static uint64_t asked_by(struct world *w, const struct sim_seal *seal,
			 const struct sim_request *request)
{
	const struct sim_object *object = world_object(w, seal->object);
	uint64_t since = seal->granted_at;

	if (request->scope == CORE_SCOPE_RANGE)
		return later(since, object->policy.min_hold_ms);
	if (since < request->since)
		since = request->since;
	if (since < seal->kept_at)
		since = seal->kept_at;
	return later(since, w->longest_min_hold);
}

/* Somebody has been waiting for this seal since before it last changed hands: is it asked for? */
static void seal_asked(struct world *w, struct sim_seal *seal)
{
	const struct sim_holder *holder = world_holder(w, seal->holder);
	bool wanted = false;

	for (size_t i = 0; i < w->n_line; i++) {
		const struct sim_request *request = &w->line[i];

		if (elsewhere(request, seal->object) || request->held ||
		    !disturbs(w, seal, request))
			continue;
		wanted = true;
		if (!seal->wanted_since)
			seal->wanted_since = request->since;
		if (seal->state != SIM_HELD || seal->recalled || seal->returning ||
		    (seal->flags & (CORE_F_TRANSPARENT | CORE_F_HARD)) ||
		    request->want == CORE_WANT_FOREIGN_READ || request->place < seal->granted_place || blocked(w, holder->process))
			continue;
		world_check(w, w->now < asked_by(w, seal, request), INV_NONE_LOST,
			    "request %llu waits for seal %llu, which nobody asks for",
			    ull(request->id), ull(seal->id));
	}
	if (!wanted)
		seal->wanted_since = 0;
}

static bool own_in_the_way(const struct world *w, const struct sim_request *request)
{
	for (size_t i = 0; i < w->n_seals; i++) {
		struct sim_request own = parked_request(&w->seals[i]);

		if (own.holder == request->holder && requests_meet(w, &own, request) &&
		    clash(&own, request))
			return true;
	}
	return false;
}

/* Those that were refused and want to hear when they would not be. */
static void told_in_time(struct world *w)
{
	for (size_t i = 0; i < w->n_requests; i++) {
		struct sim_request last = w->requests[i];

		if (!last.avail)
			continue;
		last.rank = last.place = UINT64_MAX;
		world_check(w, own_in_the_way(w, &last) || in_the_way(w, &last), INV_NONE_LOST,
			    "request %llu would be granted, and is not told", ull(last.id));
	}
}

void invariants_step(struct world *w)
{
	lined_up(w);
	for (size_t i = 0; i < w->n_seals; i++) {
		seal_in_time(w, &w->seals[i]);
		seal_asked(w, &w->seals[i]);
	}
	for (size_t i = 0; i < w->n_line; i++)
		request_in_time(w, &w->line[i]);
	told_in_time(w);
}

/* ---- what the core shows ----------------------------------------------------------------- */

struct count {
	struct world *w;
	size_t seals, requests, others;
	uint64_t start;
};

static bool count_seal(const struct core_seal_view *view, void *data)
{
	struct count *count = data;

	world_check(count->w, world_seal(count->w, view->id), INV_VIEW,
		    "the core shows seal %llu, which is no more", ull(view->id));
	count->seals++;
	return true;
}

static bool count_request(const struct core_request_view *view, void *data)
{
	struct count *count = data;
	const struct sim_request *request = world_request(count->w, view->id);

	if (!request) {
		count->others++; /* parked seals, RECALL_ANY */
		return true;
	}
	world_check(count->w,
		    request->held == view->held && request->is_break == view->is_break &&
			request->since == view->since && request->want == view->want &&
			!request->avail,
		    INV_VIEW, "request %llu is shown as another", ull(view->id));
	if (view->held)
		world_check(count->w, view->until == request->hold_until, INV_VIEW,
			    "break %llu is shown with another end", ull(view->id));
	count->requests++;
	return true;
}

static enum core_seal_state state_of(const struct sim_seal *seal)
{
	if (leaving(seal))
		return CORE_SEAL_FENCING;
	if (seal->state == SIM_PARKED)
		return CORE_SEAL_PARKED;
	return seal->recalled ? CORE_SEAL_RECALLED : CORE_SEAL_HELD;
}

static void view_seal(struct world *w, const struct sim_seal *seal)
{
	struct core_seal_view view;

	world_check(w, core_seal_find(w->core, seal->id, &view), INV_VIEW,
		    "the core does not know seal %llu", ull(seal->id));
	world_check(w, view.start == seal->start && view.end == seal->end, INV_VIEW,
		    "seal %llu is shown with another range", ull(seal->id));
	world_check(w, view.seq == seal->seq, INV_SEQ, "seal %llu moved from %#x to %#x unseen",
		    ull(seal->id), seal->seq, view.seq);
	world_check(w, view.state == state_of(seal), INV_VIEW, "seal %llu is shown in state %d",
		    ull(seal->id), view.state);
	world_check(w,
		    view.holder == seal->holder && view.object == seal->object &&
			view.window == seal->window && view.mode == seal->mode &&
			view.kind == seal->kind,
		    INV_VIEW, "seal %llu is shown as another's", ull(seal->id));
	world_check(w, view.granted_at == seal->granted_at, INV_VIEW,
		    "seal %llu is shown with another age", ull(seal->id));
	if (view.state == CORE_SEAL_RECALLED)
		world_check(
		    w, view.deadline == seal->deadline && view.hard_limit == seal->hard_limit,
		    INV_BOUNDED, "seal %llu: deadline %.3f, hard %.3f; %.3f, %.3f expected",
		    ull(seal->id), (double)view.deadline / (double)MS,
		    (double)view.hard_limit / (double)MS, (double)seal->deadline / (double)MS,
		    (double)seal->hard_limit / (double)MS);
}

void invariants_view(struct world *w)
{
	const struct tally *t = &w->tally;
	struct count count = {.w = w};
	struct core_stats stats;
	size_t line = 0;

	for (size_t i = 0; i < w->n_seals; i++)
		view_seal(w, &w->seals[i]);
	core_seal_each(w->core, 0, 0, CORE_INFINITY, count_seal, &count);
	world_check(w, count.seals == w->n_seals, INV_VIEW, "%zu seals are shown, there are %zu",
		    count.seals, w->n_seals);
	for (size_t i = 0; i < w->n_requests; i++)
		line += !w->requests[i].avail;
	core_request_each(w->core, count_request, &count);
	world_check(w, count.requests == line, INV_VIEW, "%zu requests are shown, there are %zu",
		    count.requests, line);
	core_stats(w->core, &stats);
	world_check(w,
		    stats.seals == w->n_seals && stats.holders == w->n_holders &&
			stats.objects == w->n_objects &&
			stats.requests == count.requests + count.others,
		    INV_VIEW, "what is there is counted wrongly");
	world_check(w,
		    stats.grants == t->grants && stats.regrants == t->regrants &&
			stats.splits == t->splits && stats.parks == t->parks &&
			stats.partial_returns == t->partial_returns &&
			stats.seq_wraps == t->seq_wraps && stats.holds == t->holds &&
			stats.holds_expired == t->holds_expired && stats.lapses == t->lapses &&
			stats.forced == t->forced_fences && stats.quarantines == t->quarantines &&
			stats.avails == t->avails && stats.answers_no_matching == t->no_matching &&
			stats.answers_delay == t->delays,
		    INV_VIEW, "what happened is counted wrongly");
}
