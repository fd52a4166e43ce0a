/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A command comes out of the core: may it, now, there? Then it becomes part of what is known.
 *
 * Everything is judged from what went in and came out before. The few places that ask the core
 * itself say so; they ask for what is only allowed, not required, and check that it was.
 */

#include "tests/simulation/actions.h"

#include <string.h>

static struct sim_seal *the_seal(struct world *w, const struct core_command *c, const char *what)
{
	struct sim_seal *seal = world_seal(w, c->seal);

	world_check(w, seal, INV_LIVING, "%s for seal %llu, which is no more", what, ull(c->seal));
	world_check(w, c->holder == seal->holder && c->object == seal->object &&
			       c->window == seal->window,
		    INV_LIVING, "%s for seal %llu names other people", what, ull(c->seal));
	return seal;
}

static struct sim_request *the_request(struct world *w, const struct core_command *c,
				       const char *what)
{
	struct sim_request *request = world_request(w, c->request);

	world_check(w, request, INV_LIVING, "%s for request %llu, which is no more", what,
		    ull(c->request));
	return request;
}

static void moved_on(struct world *w, struct sim_seal *seal, uint32_t seq, const char *what)
{
	world_check(w, seq == seq_after(seal->seq), INV_SEQ, "%s moves seal %llu from %#x to %#x",
		    what, ull(seal->id), seal->seq, seq);
	if (seq < seal->seq)
		w->tally.seq_wraps++;
	seal->seq = seq;
}

static void stays(struct world *w, const struct sim_seal *seal, uint32_t seq, const char *what)
{
	world_check(w, seq == seal->seq, INV_SEQ, "%s shows seal %llu with seq %#x, not %#x", what,
		    ull(seal->id), seq, seal->seq);
}

static uint64_t min_time(const struct sim_object *object, const struct sim_seal *seal)
{
	return later(seal->granted_at, object->policy.min_hold_ms);
}

static bool due(struct world *w, const struct sim_seal *seal)
{
	return w->now >= min_time(world_object(w, seal->object), seal);
}

static void note_asked(struct world *w, uint64_t request, uint64_t seal, bool wide)
{
	size_t kept = 0;

	if (!world_request(w, request))
		return;

	for (size_t i = 0; i < w->n_asked; i++) {
		if (w->asked[i].request == request && w->asked[i].seal == seal) {
			w->asked[i].wide |= wide;
			return;
		}
	}
	if (w->n_asked == MAX_ASKED) {
		for (size_t i = 0; i < w->n_asked; i++)
			if (world_request(w, w->asked[i].request))
				w->asked[kept++] = w->asked[i];
		w->n_asked = kept;
	}
	world_check(w, w->n_asked < MAX_ASKED, INV_VIEW, "the simulation's table is too small");
	w->asked[w->n_asked++] = (struct sim_asked){ request, seal, wide };
}

void shadow_outcome(struct world *w, uint64_t seal, unsigned int results)
{
	size_t n = w->n_outcomes < MAX_ASKED ? w->n_outcomes : MAX_ASKED;

	for (size_t i = 0; i < n; i++) {
		if (w->outcomes[i].seal == seal) {
			w->outcomes[i].results |= results;
			return;
		}
	}
	w->outcomes[w->n_outcomes++ % MAX_ASKED] = (struct sim_outcome){ seal, results };
}

/* ---- what may go on ---------------------------------------------------------------------- */

static void in_turn(struct world *w, const struct sim_request *request)
{
	lined_up(w);
	for (size_t i = 0; i < w->n_line; i++) {
		const struct sim_request *other = &w->line[i];

		if (other->id == request->id || !requests_meet(w, other, request))
			continue;
		if (other->held)
			world_check(w, part_of(w, request, other), INV_RECALL_BARS,
				    "%llu goes on over the held break %llu", ull(request->id),
				    ull(other->id));
		else if (before(other, request))
			world_check(w, !clash(request, other), INV_ORDER,
				    "%llu goes on before %llu, which was first", ull(request->id),
				    ull(other->id));
	}
}

/* No recall by somebody earlier runs over what is granted; who carries a token knows of it. */
static void over_no_recall(struct world *w, const struct sim_request *request)
{
	for (size_t i = 0; i < w->n_seals; i++) {
		const struct sim_seal *seal = &w->seals[i];
		const struct sim_request *asker;

		if (seal->object != request->object || seal->id == request->id ||
		    seal->state != SIM_HELD || !seal->recalled ||
		    !in_force(seal, request->start, request->end) ||
		    !overlap(seal->recall_start, seal->recall_end, request->start, request->end))
			continue;
		/* Its own session's recall answers a new request (RECALL_CONFLICT); it holds back
		 * nobody who is in line, or a thread would park on the other of its seals. */
		if (seal->holder == request->holder &&
		    (!world_request(w, request->id) || seal->recalled_at >= request->since))
			continue;
		asker = world_request(w, seal->recalled_by);
		world_check(w, !asker || !before(asker, request) ||
				       !covers(w, asker, request->object, request->start,
					       request->end),
			    INV_RECALL_BARS,
			    "%llu is granted over the recall of seal %llu, that %llu waits for",
			    ull(request->id), ull(seal->id), ull(seal->recalled_by));
	}
}

static void exclusive(struct world *w, const struct sim_seal *granted)
{
	enum core_want want = table_want(granted->kind, granted->mode);

	for (size_t i = 0; i < w->n_seals; i++) {
		const struct sim_seal *seal = &w->seals[i];
		bool bad;

		if (seal->id == granted->id || seal->object != granted->object ||
		    !in_force(seal, granted->start, granted->end))
			continue;
		if (seal->holder == granted->holder)
			bad = (seal->kind == CORE_WINDOW && seal->mode == CORE_WRITE) ||
			      (granted->kind == CORE_WINDOW && granted->mode == CORE_WRITE);
		else
			bad = table_conflict(seal, want) != SIM_SHARE;
		world_check(w, !bad, INV_EXCLUSIVE, "seals %llu and %llu are both in force",
			    ull(seal->id), ull(granted->id));
	}
}

static void check_account(struct world *w, const struct sim_request *request,
			  const struct core_command *c, bool over)
{
	size_t n = w->n_outcomes < MAX_ASKED ? w->n_outcomes : MAX_ASKED;

	for (size_t i = 0; i < c->n_account; i++) {
		const struct core_account_entry *line = &c->account[i];
		bool seen = false;

		world_check(w, line->seal && line->seal <= w->last_seal && line->holder &&
				       line->process, INV_ACCOUNT,
			    "the account of request %llu names seal %llu", ull(request->id),
			    ull(line->seal));
		if (line->result == CORE_RESULT_PENDING) {
			world_check(w, !over, INV_ACCOUNT,
				    "request %llu goes on, its account still waits for seal %llu",
				    ull(request->id), ull(line->seal));
			continue;
		}
		for (size_t j = 0; j < n; j++)
			if (w->outcomes[j].seal == line->seal)
				seen |= w->outcomes[j].results & (1u << line->result);
		world_check(w, seen, INV_ACCOUNT,
			    "the account of request %llu says %d of seal %llu, which did not happen",
			    ull(request->id), line->result, ull(line->seal));
	}
	for (size_t i = 0; i < w->n_asked; i++) {
		bool seen = w->asked[i].request != request->id;

		for (size_t j = 0; j < c->n_account; j++)
			seen |= c->account[j].seal == w->asked[i].seal;
		world_check(w, seen, INV_ACCOUNT,
			    "seal %llu was asked for request %llu, its account does not say so",
			    ull(w->asked[i].seal), ull(request->id));
	}
}

/* ---- answers to requests ----------------------------------------------------------------- */

static void on_grant(struct world *w, const struct core_command *c)
{
	struct sim_request *request = the_request(w, c, "a grant");
	struct sim_seal *seal = &w->seals[w->n_seals];

	world_check(w, !request->is_break && !request->avail, INV_LIVING,
		    "a grant for what is no acquire: %llu", ull(request->id));
	world_check(w, c->holder == request->holder && c->object == request->object &&
			       c->start == request->start && c->end == request->end &&
			       c->mode == request->mode && c->kind == request->kind &&
			       world_holder(w, c->holder),
		    INV_LIVING, "request %llu is granted something else", ull(request->id));
	world_check(w, c->seal > w->last_seal && c->window, INV_LIVING, "seal id %llu used again",
		    ull(c->seal));
	world_check(w, c->seq == w->first_seq, INV_SEQ, "seal %llu starts with seq %#x",
		    ull(c->seal), c->seq);
	w->last_seal = c->seal;
	world_check(w, w->n_seals < MAX_SEALS, INV_VIEW, "the simulation's table is too small");
	memset(seal, 0, sizeof(*seal));
	seal->id = c->seal;
	seal->window = c->window;
	seal->holder = c->holder;
	seal->object = c->object;
	seal->start = c->start;
	seal->end = c->end;
	seal->seq = c->seq;
	seal->mode = c->mode;
	seal->kind = c->kind;
	seal->flags = request->flags;
	seal->granted_at = w->now;
	seal->granted_place = ++w->next_place;
	exclusive(w, seal);
	in_turn(w, request);
	over_no_recall(w, request);
	w->n_seals++;
	w->tally.grants++;
	w->tally.waiters_served += w->now > request->since;
	w->tally.token_grants += request->token != 0;
	world_request_gone(w, request);
}

static void on_refuse(struct world *w, const struct core_command *c)
{
	struct sim_request *request = the_request(w, c, "a refusal");
	bool own = false, asked = false, hard = false, held = false;

	world_check(w, !request->held && !request->avail, INV_LIVING,
		    "a refusal of what was served: %llu", ull(request->id));
	check_account(w, request, c, false);
	for (size_t i = 0; i < w->n_seals; i++) {
		const struct sim_seal *seal = &w->seals[i];

		asked |= seal->holder == request->holder;
		if (!covers(w, request, seal->object, seal->start, seal->end))
			continue;
		own |= seal->holder == request->holder;
		hard |= seal->flags & CORE_F_HARD && disturbs(w, seal, request);
	}
	for (size_t i = 0; i < w->n_requests; i++)
		held |= w->requests[i].held && requests_meet(w, &w->requests[i], request) &&
			!part_of(w, request, &w->requests[i]);
	w->tally.conflicts++;
	switch (c->error) {
	case CORE_E_TIMED_OUT:
		w->tally.timeouts++;
		world_check(w, request->wait_ms && w->now >= later(request->since, request->wait_ms),
			    INV_ANSWERS, "request %llu timed out early", ull(request->id));
		break;
	case CORE_E_TRY_LATER:
		lined_up(w);
		world_check(w, held || ((request->flags & CORE_F_NO_WAIT) && in_the_way(w, request)),
			    INV_ANSWERS, "request %llu: TRY_LATER, nothing is in the way",
			    ull(request->id));
		break;
	case CORE_E_DENIED:
		w->tally.denied++;
		world_check(w, hard, INV_ANSWERS, "request %llu denied, and no hard seal there",
			    ull(request->id));
		break;
	case CORE_E_OWN_CONFLICT:
	case CORE_E_RECALL_CONFLICT:
	case CORE_E_RETURN_CONFLICT:
		world_check(w, c->error == CORE_E_RECALL_CONFLICT ||
				       c->error == CORE_E_RETURN_CONFLICT ? asked : own, INV_ANSWERS, "request %llu: %s, without a seal of its own",
			    ull(request->id), core_error_string(c->error));
		break;
	case CORE_E_DEADLOCK:
		w->tally.deadlocks++;
		world_check(w, request->flags & CORE_F_GUARD, INV_ANSWERS,
			    "request %llu: %s, held by no guard", ull(request->id),
			    core_error_string(c->error));
		break;
	case CORE_E_IO:
		world_check(w, request->want == CORE_WANT_FOREIGN_READ, INV_ANSWERS,
			    "request %llu refused by a flush it does not need", ull(request->id));
		break;
	case CORE_E_HOLDER_GONE:
		world_check(w, request->id == w->withdrawing ||
				       (request->holder && !world_holder(w, request->holder)),
			    INV_ANSWERS,
			    "request %llu: its holder is there", ull(request->id));
		break;
	default:
		world_fail(w, INV_ANSWERS, "request %llu refused with %d", ull(request->id),
			   c->error);
	}
	if (c->error == CORE_E_TRY_LATER && (request->flags & CORE_F_WANT_AVAIL))
		request->avail = true;
	else
		world_request_gone(w, request);
}

static void on_break_ready(struct world *w, const struct core_command *c)
{
	struct sim_request *request = the_request(w, c, "a break's go-ahead");
	uint32_t longest = w->policy.hold_ms;

	world_check(w, request->is_break && !request->held, INV_LIVING, "break %llu is ready twice",
		    ull(request->id));
	for (size_t i = 0; i < w->n_seals; i++) {
		const struct sim_seal *seal = &w->seals[i];

		world_check(w, !disturbs(w, seal, request), INV_BREAKER_WAITS,
			    "break %llu goes on, seal %llu is still in force", ull(request->id),
			    ull(seal->id));
		if (request->want == CORE_WANT_FOREIGN_READ &&
		    covers(w, request, seal->object, seal->start, seal->end) &&
		    in_force(seal, request->start, request->end) &&
		    table_conflict(seal, request->want) == SIM_FLUSH)
			world_check(w, seal->flushed > request->place, INV_BREAKER_WAITS,
				    "read %llu goes on, seal %llu was not flushed",
				    ull(request->id), ull(seal->id));
	}
	if (request->scope <= CORE_SCOPE_OBJECT)
		longest = world_object(w, request->object)->policy.hold_ms;
	if (longest > request->hold_ms)
		longest = request->hold_ms;
	check_account(w, request, c, true);
	in_turn(w, request);
	w->tally.waiters_served += w->now > request->since;
	world_check(w, !c->token == !request->hold_ms, INV_ANSWERS, "break %llu: %s",
		    ull(request->id), c->token ? "a hold not asked for" : "no hold");
	if (!c->token) {
		world_request_gone(w, request);
		return;
	}
	world_check(w, c->hold_ms == longest, INV_BOUNDED, "break %llu may hold for %u ms, not %u",
		    ull(request->id), c->hold_ms, longest);
	request->held = true;
	request->own_token = c->token;
	request->hold_until = later(w->now, c->hold_ms);
	w->tally.holds++;
}

static void on_break_over(struct world *w, const struct core_command *c)
{
	struct sim_request *request = the_request(w, c, "the end of a hold");

	world_check(w, request->held, INV_LIVING, "break %llu was not held", ull(request->id));
	world_request_gone(w, request);
}

static void on_break_expired(struct world *w, const struct core_command *c)
{
	struct sim_request *request = the_request(w, c, "an expiry");

	world_check(w, request->held && w->now >= request->hold_until, INV_BOUNDED,
		    "break %llu expires early", ull(request->id));
	w->tally.holds_expired++;
}

static void on_avail(struct world *w, const struct core_command *c)
{
	struct sim_request *request = the_request(w, c, "an AVAIL");

	world_check(w, request->avail, INV_LIVING, "request %llu did not ask to hear",
		    ull(request->id));
	for (size_t i = 0; i < w->n_seals; i++)
		world_check(w, !disturbs(w, &w->seals[i], request), INV_BREAKER_WAITS,
			    "request %llu is told to come, seal %llu is in force", ull(request->id),
			    ull(w->seals[i].id));
	w->tally.avails++;
	world_request_gone(w, request);
}

/* ---- recalls ----------------------------------------------------------------------------- */

/* Whether that begins a recall, rather than joins one. */
static bool asked_now(struct world *w, struct sim_seal *seal, uint64_t request, bool wide)
{
	const struct sim_object *object = world_object(w, seal->object);
	const struct sim_holder *holder = world_holder(w, seal->holder);
	uint32_t ms = object->policy.deadline_ms;
	struct core_seal_view view;

	world_check(w, due(w, seal), INV_MIN_HOLD, "seal %llu is recalled %.3f ms after its grant",
		    ull(seal->id), (double)(w->now - seal->granted_at) / (double)MS);
	note_asked(w, request, seal->id, wide);
	seal->answer = 0;
	if (seal->recalled && seal->unsure && w->now != seal->recalled_at &&
	    core_seal_find(w->core, seal->id, &view) && view.hard_limit != seal->hard_limit)
		seal->recalled = false;
	if (seal->recalled)
		return false;
	if (holder->max_io_ms > ms)
		ms = holder->max_io_ms;
	if (ms > object->policy.hard_ms)
		ms = object->policy.hard_ms;
	seal->recalled = true;
	seal->recalled_at = w->now;
	seal->recalled_by = request;
	seal->deadline = later(w->now, ms);
	seal->hard_limit = later(w->now, object->policy.hard_ms);
	return true;
}

struct lines {
	const struct sim_request *request;
	const struct sim_seal *seal;
	bool visible, found;
};

static bool in_lines(const struct core_request_view *view, void *data)
{
	struct lines *lines = data;

	lines->visible |= view->id == lines->request->id;
	for (size_t i = 0; view->id == lines->request->id && i < view->n_account; i++)
		lines->found |= view->account[i].seal == lines->seal->id &&
				view->account[i].result == CORE_RESULT_PENDING;
	return true;
}

static uint64_t fresh_limit(struct world *w, const struct sim_seal *seal)
{
	return later(w->now, world_object(w, seal->object)->policy.hard_ms);
}

/* A recall that names no seal goes for those in the request's account, in which have to be all that
 * were there before the request. If that has given up within the same call there is no account to be
 * seen any more: then it may have been all of them, until shadow_settle() has looked. */
static bool asked_wide(struct world *w, struct sim_seal *seal, const struct sim_request *request,
		       bool *ret_exact)
{
	struct lines lines = { .request = request, .seal = seal };
	bool may = seal->state == SIM_HELD && !leaving(seal) && disturbs(w, seal, request);
	struct core_seal_view view;

	core_request_each(w->core, in_lines, &lines);
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
		return due(w, seal) && !(seal->flags & CORE_F_TRANSPARENT);
	}
	world_check(w, lines.found || seal->granted_place > request->place, INV_ACCOUNT,
		    "seal %llu is in the way of request %llu, its account does not say so",
		    ull(seal->id), ull(request->id));
	return lines.found && view.state == CORE_SEAL_RECALLED;
}

static void on_recall(struct world *w, const struct core_command *c)
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
		struct sim_seal *seal = the_seal(w, c, "a recall");

		world_check(w, seal->state == SIM_HELD && !(seal->flags & CORE_F_TRANSPARENT),
			    INV_LIVING, "seal %llu cannot be asked", ull(seal->id));
		world_check(w, c->start >= seal->start && c->end <= seal->end && c->start < c->end,
			    INV_LIVING, "the recall of seal %llu asks for what it does not have",
			    ull(seal->id));
		moved_on(w, seal, c->seq, "a recall");
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
			bool fresh;

			if (seal->holder != holder->id || !asked_wide(w, seal, request, &exact))
				continue;
			fresh = asked_now(w, seal, c->request, true);
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
	world_check(w, !exact || (c->deadline >= deadline && c->hard_limit >= hard &&
				  c->deadline <= fresh_deadline && c->hard_limit <= fresh_hard),
		    INV_BOUNDED,
		    "a recall says deadline %.3f, hard limit %.3f; they are %.3f and %.3f",
		    (double)c->deadline / (double)MS, (double)c->hard_limit / (double)MS,
		    (double)deadline / (double)MS, (double)hard / (double)MS);
	if (w->n_recalls == MAX_RECALLS)
		world_recall_taken(w, &w->recalls[0]);
	w->recalls[w->n_recalls++] = (struct sim_recall){
		.holder = c->holder, .seal = c->seal, .request = c->request, .object = c->object,
		.scope = c->scope, .start = c->start, .end = c->end, .seq = c->seq,
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

static bool still_wanted(struct world *w, const struct sim_seal *seal)
{
	for (size_t i = 0; i < w->n_asked; i++) {
		const struct sim_request *request = world_request(w, w->asked[i].request);

		if (w->asked[i].seal == seal->id && request && !request->held &&
		    !request->avail && disturbs(w, seal, request))
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
		world_check(w, !still_wanted(w, seal), INV_NONE_LOST,
			    "the recall of seal %llu is forgotten, and somebody waits for it",
			    ull(seal->id));
		seal->recalled = false;
	}
}

static void on_lapsed(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = the_seal(w, c, "a lapse");

	stays(w, seal, c->seq, "a lapse");
	world_check(w, seal->recalled, INV_LIVING, "seal %llu was not recalled", ull(seal->id));
	world_check(w, !still_wanted(w, seal), INV_NONE_LOST,
		    "the recall of seal %llu lapses, and somebody waits for it", ull(seal->id));
	seal->recalled = false;
	w->tally.lapses++;
}

/* ---- fences ------------------------------------------------------------------------------ */

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

		world_check(w, !whose || whose->process != holder->process || !other->recalled ||
				       other->state != SIM_HELD ||
				       (other->flags & CORE_F_TRANSPARENT) ||
				       other->unsure ||
				       (leaving(other) && !still_wanted(w, other)),
			    INV_ORDER, "transparent seal %llu is fenced, cooperative %llu is not "
				       "back", ull(seal->id), ull(other->id));
	}
}

static void on_fence(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = the_seal(w, c, "a fence");
	const struct sim_holder *holder = world_holder(w, seal->holder);
	bool whole = c->start <= seal->start && c->end >= seal->end, early;
	unsigned int results = 1u << CORE_RESULT_RETURNED;
	struct sim_job *job;

	world_check(w, c->job && !world_job(w, c->job), INV_LIVING, "job id %llu used again",
		    ull(c->job));
	if (c->job > w->last_job)
		w->last_job = c->job;
	stays(w, seal, c->seq, "a fence");
	world_check(w, seal->state != SIM_FENCING, INV_LIVING, "seal %llu is fenced twice",
		    ull(seal->id));
	early = !seal->recalled || w->now < seal->deadline;
	switch (c->cause) {
	case CORE_CAUSE_RETURN:
		world_check(w, seal->returning && !seal->job && c->start == seal->return_start &&
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
		}
		break;
	case CORE_CAUSE_PARK:
		results = 1u << CORE_RESULT_PARKED;
		if (seal->flags & CORE_F_TRANSPARENT) {
			world_check(w, due(w, seal), INV_MIN_HOLD, "seal %llu is parked early",
				    ull(seal->id));
			cooperative_first(w, seal);
		} else if (holder && blocked(w, holder->process)) {
			world_check(w, seal->kind == CORE_WINDOW, INV_LIVING,
				    "seal %llu cannot be parked", ull(seal->id));
			world_check(w, due(w, seal), INV_MIN_HOLD, "seal %llu is parked early",
				    ull(seal->id));
			results = 1u << CORE_RESULT_PARKED | 1u << CORE_RESULT_REVOKED;
		} else {
			results = 1u << CORE_RESULT_REVOKED;
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
	*job = (struct sim_job){ .id = c->job, .seal = c->seal, .window = c->window,
				 .object = c->object, .start = c->start, .end = c->end,
				 .cause = c->cause, .discard = c->discard, .sent_at = w->now,
				 .results = results };
}

static void on_flush(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = the_seal(w, c, "a flush");

	world_check(w, c->job && !world_job(w, c->job), INV_LIVING, "job id %llu used again",
		    ull(c->job));
	if (c->job > w->last_job)
		w->last_job = c->job;
	world_check(w, seal->kind == CORE_WINDOW && seal->mode == CORE_WRITE, INV_LIVING,
		    "seal %llu has nothing to flush", ull(seal->id));
	world_check(w, w->n_jobs < MAX_JOBS, INV_VIEW, "the simulation's table is too small");
	w->jobs[w->n_jobs++] = (struct sim_job){
		.id = c->job, .seal = c->seal, .window = c->window, .object = c->object,
		.start = c->start, .end = c->end, .flush = true, .sent_at = w->now, .request = c->request,
		.place = ++w->next_place,
	};
	w->tally.flushes++;
}

static void on_fence_force(struct world *w, const struct core_command *c)
{
	struct sim_job *job = world_job(w, c->job);

	world_check(w, job && !job->flush && !job->forced, INV_LIVING, "job %llu cannot be forced",
		    ull(c->job));
	world_check(w, w->now >= later(job->sent_at, world_object(w, job->object)->policy.fence_ms),
		    INV_BOUNDED, "job %llu is forced early", ull(c->job));
	job->forced = true;
	job->forced_at = w->now;
	w->tally.forced_fences++;
}

static void on_forgiven(struct world *w, const struct core_command *c)
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
	w->tally.quarantines += result->quarantined > 0;
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
		world_check(w, !still_wanted(w, seal), INV_NONE_LOST,
			    "the recall of seal %llu is forgotten after a part came back",
			    ull(seal->id));
		seal->recalled = false;
		return;
	}
	seal->unsure = !still_wanted(w, seal);
	if (to > seal->hard_limit)
		to = seal->hard_limit;
	if (to > seal->deadline)
		seal->deadline = to;
}

static void on_returned(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = the_seal(w, c, "a return's reply"), *upper;
	bool head, tail;

	world_check(w, seal->returning, INV_LIVING, "seal %llu was not returned", ull(seal->id));
	seal->returning = false;
	seal->job = 0;
	if (c->error) {
		world_check(w, !seal->fenced, INV_ANSWERS, "seal %llu was returned, the reply "
			    "says %d", ull(seal->id), c->error);
		stays(w, seal, c->seq, "a failed return");
		return;
	}
	world_check(w, seal->fenced, INV_BREAKER_WAITS, "the return of seal %llu is not fenced yet",
		    ull(seal->id));
	moved_on(w, seal, c->seq, "a return");
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
				note_asked(w, w->asked[i].request, upper->id,
					   w->asked[i].wide);
		rest_recalled(w, upper);
	}
	if (head)
		seal->end = seal->return_start;
	else
		seal->start = seal->return_end;
	rest_recalled(w, seal);
}

static void on_revoked(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = the_seal(w, c, "a revocation");

	stays(w, seal, c->seq, "a revocation");
	if (seal->state == SIM_PARKED && c->cause == CORE_CAUSE_REVOKE) {
		/* It can't come back, for good: somebody sits there who never leaves, or its own
		 * session does. */
		seal->state = SIM_ENDING;
		return;
	}
	world_check(w, c->cause == seal->cause &&
			       (seal->state == SIM_PARKED ||
				(seal->state == SIM_FENCING && seal->fenced)),
		    INV_LIVING, "seal %llu is not being revoked", ull(seal->id));
}

static void on_regrant(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = the_seal(w, c, "a regrant");
	struct sim_request request;

	world_check(w, seal->state == SIM_PARKED && world_holder(w, seal->holder), INV_LIVING,
		    "seal %llu is not parked", ull(seal->id));
	moved_on(w, seal, c->seq, "a regrant");
	world_check(w, c->start == seal->start && c->end == seal->end, INV_LIVING,
		    "seal %llu comes back with another range", ull(seal->id));
	request = parked_request(seal);
	seal->state = SIM_HELD;
	seal->parked = seal->recalled = false;
	seal->answer = 0;
	seal->granted_at = w->now;
	seal->granted_place = ++w->next_place;
	exclusive(w, seal);
	in_turn(w, &request);
	over_no_recall(w, &request);
	w->tally.regrants++;
}

static void on_seal_ended(struct world *w, const struct core_command *c)
{
	struct sim_seal *seal = the_seal(w, c, "an end");
	bool returned = seal->state == SIM_ENDING;
	bool fenced = seal->state == SIM_FENCING && seal->fenced &&
		      (seal->cause != CORE_CAUSE_PARK || !world_holder(w, seal->holder));
	bool parked = seal->state == SIM_PARKED && !world_holder(w, seal->holder);

	world_check(w, returned || fenced || parked, INV_BREAKER_WAITS,
		    "seal %llu ends, and is not fenced", ull(seal->id));
	world_seal_dead(w, seal);
}

static void on_recall_any(struct world *w, const struct core_command *c)
{
	world_check(w, world_holder(w, c->holder), INV_LIVING, "a RECALL_ANY to nobody");
	w->tally.recall_anys++;
}

static void on_quarantined(struct world *w, const struct core_command *c)
{
	world_check(w, c->job && c->job <= w->last_job && c->quarantined && c->quarantine_errno,
		    INV_LIVING, "a quarantine of nothing");
}

static const struct {
	const char *name;
	void (*fn)(struct world *w, const struct core_command *c);
} commands[] = {
	[CORE_CMD_GRANT] = { "GRANT", on_grant },
	[CORE_CMD_REFUSE] = { "REFUSE", on_refuse },
	[CORE_CMD_RECALL] = { "RECALL", on_recall },
	[CORE_CMD_RECALL_ANY] = { "RECALL_ANY", on_recall_any },
	[CORE_CMD_FENCE] = { "FENCE", on_fence },
	[CORE_CMD_FENCE_FORCE] = { "FENCE_FORCE", on_fence_force },
	[CORE_CMD_FLUSH] = { "FLUSH", on_flush },
	[CORE_CMD_RETURNED] = { "RETURNED", on_returned },
	[CORE_CMD_REVOKED] = { "REVOKED", on_revoked },
	[CORE_CMD_REGRANT] = { "REGRANT", on_regrant },
	[CORE_CMD_SEAL_ENDED] = { "SEAL_ENDED", on_seal_ended },
	[CORE_CMD_LAPSED] = { "LAPSED", on_lapsed },
	[CORE_CMD_BREAK_READY] = { "BREAK_READY", on_break_ready },
	[CORE_CMD_BREAK_EXPIRED] = { "BREAK_EXPIRED", on_break_expired },
	[CORE_CMD_BREAK_OVER] = { "BREAK_OVER", on_break_over },
	[CORE_CMD_AVAIL] = { "AVAIL", on_avail },
	[CORE_CMD_QUARANTINED] = { "QUARANTINED", on_quarantined },
	[CORE_CMD_FORGIVEN] = { "FORGIVEN", on_forgiven },
};

void shadow_command(struct world *w, const struct core_command *c)
{
	world_check(w, (size_t)c->type < sizeof(commands) / sizeof(commands[0]), INV_LIVING,
		    "a command %d", c->type);
	world_trace(w, "    %s request %llu seal %llu [%#llx, %#llx) seq %#x holder %llu job %llu "
		       "error %d cause %d account %zu", commands[c->type].name, ull(c->request),
		    ull(c->seal), ull(c->start), ull(c->end), c->seq, ull(c->holder), ull(c->job),
		    c->error, c->cause, c->n_account);
	commands[c->type].fn(w, c);
}
