/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Recalls: who is asked, when at the earliest, until when, and who may be forgotten again.
 */

#include "tests/simulation/shadow.h"

/* Whether that begins a recall, rather than joins one. */
static bool asked_now(struct world *w, struct sim_seal *seal, uint64_t request, bool wide)
{
	const struct sim_object *object = world_object(w, seal->object);
	struct core_seal_view view;

	world_check(w, shadow_due(w, seal), INV_MIN_HOLD,
		    "seal %llu is recalled %.3f ms after its grant", ull(seal->id),
		    (double)(w->now - seal->granted_at) / (double)MS);
	shadow_note_asked(w, request, seal->id, wide);
	seal->answer = 0;
	/* It may have ended and begun anew, even at the same time: then without what it was given. */
	if (seal->recalled && seal->unsure && core_seal_find(w->core, seal->id, &view) &&
	    (w->now != seal->recalled_at ? view.hard_limit != seal->hard_limit
					 : view.deadline != seal->deadline))
		seal->recalled = false;
	if (seal->recalled)
		return false;
	seal->recalled = true;
	seal->recalled_at = w->now;
	seal->recalled_by = request;
	seal->deadline = later(w->now, patience_ms(w, seal));
	seal->hard_limit = later(w->now, object->policy.hard_ms);
	return true;
}

struct lines {
	const struct sim_seal *seal;
	bool visible, found;
};

static void in_lines(const struct core_account_entry *line, void *data)
{
	struct lines *lines = data;

	lines->found |= line->seal == lines->seal->id && line->result == CORE_RESULT_PENDING;
}

static uint64_t fresh_limit(struct world *w, const struct sim_seal *seal)
{
	return later(w->now, world_object(w, seal->object)->policy.hard_ms);
}

/* A recall that names no seal goes for those in the request's account, in which have to be all that
 * were there before the request. If that has given up within the same call there is no account to
 * be seen any more: then it may have been all of them, until shadow_settle() has looked; *ret_known is
 * false of those that it need not have heard of. */
static bool asked_wide(struct world *w, struct sim_seal *seal, const struct sim_request *request,
		       bool *ret_exact, bool *ret_known)
{
	struct lines lines = {.seal = seal};
	struct core_request_view shown;
	bool may = seal->state == SIM_HELD && !leaving(seal) && disturbs(w, seal, request);
	struct core_seal_view view;

	lines.visible = core_request_show(w->core, request->id, &shown);
	core_request_account(w->core, request->id, in_lines, &lines);
	*ret_known = lines.visible || seal->granted_place <= request->place;
	if (!may)
		return false;
	core_seal_find(w->core, seal->id, &view);
	if (view.state == CORE_SEAL_FENCING)
		*ret_exact = false;
	if (!lines.visible) {
		*ret_exact = false;
		seal->unsure = true;
		if (view.state == CORE_SEAL_RECALLED)
			return seal->recalled || view.hard_limit == fresh_limit(w, seal);
		return shadow_due(w, seal) && !(seal->flags & CORE_F_TRANSPARENT);
	}
	world_check(w, lines.found || seal->granted_place > request->place, INV_ACCOUNT,
		    "seal %llu is in the way of request %llu, its account does not say so",
		    ull(seal->id), ull(request->id));
	return lines.found && view.state == CORE_SEAL_RECALLED;
}

void shadow_on_recall(struct world *w, const struct core_command *c)
{
	struct sim_holder *holder = world_holder(w, c->holder);
	const struct sim_request *request = world_request(w, c->request);
	uint64_t deadline = CORE_NEVER, hard = CORE_NEVER;
	uint64_t fresh_deadline = CORE_NEVER, fresh_hard = CORE_NEVER;
	bool exact = true;

	world_check(w, holder, INV_LIVING, "a recall to holder %llu, who is gone", ull(c->holder));
	world_check(w, request || other_request(w, c->request, NULL), INV_LIVING,
		    "a recall for request %llu, which is no more", ull(c->request));
	w->tally.recalls++;
	if (c->scope == CORE_SCOPE_RANGE) {
		struct sim_seal *seal = shadow_seal(w, c, "a recall");

		world_check(w, seal->state == SIM_HELD && !(seal->flags & CORE_F_TRANSPARENT),
			    INV_LIVING, "seal %llu cannot be asked", ull(seal->id));
		world_check(w, c->start >= seal->start && c->end <= seal->end && c->start < c->end,
			    INV_LIVING, "the recall of seal %llu asks for what it does not have",
			    ull(seal->id));
		shadow_moved_on(w, seal, c->seq, "a recall");
		asked_now(w, seal, c->request, false);
		seal->recall_start = c->start;
		seal->recall_end = c->end;
		deadline = fresh_deadline = seal->deadline;
		hard = fresh_hard = seal->hard_limit;
	} else {
		world_check(w, request && request->scope == c->scope, INV_LIVING,
			    "a recall for request %llu, of another scope", ull(c->request));
		w->tally.wide_recalls++;
		for (size_t i = 0; i < w->n_seals; i++) {
			struct sim_seal *seal = &w->seals[i];
			bool fresh, known;

			if (seal->holder != holder->id ||
			    !asked_wide(w, seal, request, &exact, &known))
				continue;
			fresh = asked_now(w, seal, known ? c->request : 0, true);
			seal->recall_start = seal->start;
			seal->recall_end = seal->end;
			if (seal->deadline < deadline)
				deadline = seal->deadline;
			if (seal->hard_limit < hard)
				hard = seal->hard_limit;
			if (fresh && seal->deadline < fresh_deadline)
				fresh_deadline = seal->deadline;
			if (fresh && seal->hard_limit < fresh_hard)
				fresh_hard = seal->hard_limit;
		}
	}
	world_check(w,
		    !exact || (c->deadline >= deadline && c->hard_limit >= hard &&
			       c->deadline <= fresh_deadline && c->hard_limit <= fresh_hard),
		    INV_BOUNDED,
		    "a recall says deadline %.3f, hard limit %.3f; they are %.3f and %.3f",
		    (double)c->deadline / (double)MS, (double)c->hard_limit / (double)MS,
		    (double)deadline / (double)MS, (double)hard / (double)MS);
	if (w->n_recalls == MAX_RECALLS)
		world_recall_taken(w, &w->recalls[0]);
	w->recalls[w->n_recalls++] = (struct sim_recall){
	    .holder = c->holder,
	    .seal = c->seal,
	    .request = c->request,
	    .object = c->object,
	    .scope = c->scope,
	    .start = c->start,
	    .end = c->end,
	    .seq = c->seq,
	};
}

void shadow_answered(struct world *w, struct sim_seal *seal, enum core_answer answer,
		     uint32_t delay_ms)
{
	uint64_t to = later(w->now, delay_ms);

	seal->answer = answer;
	if (answer == CORE_ANSWER_NO_MATCHING)
		w->tally.no_matching++;
	if (answer != CORE_ANSWER_DELAY)
		return;
	w->tally.delays++;
	if (to > seal->hard_limit)
		to = seal->hard_limit;
	if (to > seal->deadline)
		seal->deadline = to;
}

bool shadow_still_wanted(struct world *w, const struct sim_seal *seal)
{
	for (size_t i = 0; i < w->n_asked; i++) {
		const struct sim_request *request = world_request(w, w->asked[i].request);

		if (w->asked[i].seal == seal->id && request && !request->held && !request->avail &&
		    disturbs(w, seal, request))
			return true;
	}
	return false;
}

/* While the whole seal is on its way back, a recall that nobody waits for any more ends without a
 * word: the holder has nothing to stop. Only the core's view shows it. */
void shadow_settle(struct world *w)
{
	for (size_t i = 0; i < w->n_seals; i++) {
		struct sim_seal *seal = &w->seals[i];
		bool unsure = seal->unsure;
		struct core_seal_view view;

		seal->unsure = false;
		if (seal->state != SIM_HELD || !seal->recalled || (!leaving(seal) && !unsure) ||
		    !core_seal_find(w->core, seal->id, &view) || view.deadline != CORE_NEVER)
			continue;
		world_check(w, !shadow_still_wanted(w, seal), INV_NONE_LOST,
			    "the recall of seal %llu is forgotten, and somebody waits for it",
			    ull(seal->id));
		seal->recalled = false;
	}
}

void shadow_on_lapsed(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = shadow_seal(w, c, "a lapse");

	shadow_stays(w, seal, c->seq, "a lapse");
	world_check(w, seal->recalled, INV_LIVING, "seal %llu was not recalled", ull(seal->id));
	world_check(w, !shadow_still_wanted(w, seal), INV_NONE_LOST,
		    "the recall of seal %llu lapses, and somebody waits for it", ull(seal->id));
	seal->recalled = false;
	w->tally.lapses++;
}
