/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Answers to requests: whoever goes on does so in its turn, over nobody's seal, recall or hold,
 * with an account that is complete and true; whoever is refused is refused for a reason that is
 * there.
 */

#include "tests/simulation/shadow.h"

#include <string.h>

/* Who came first is passed by nobody but who is held by a guard, and then because of a hold or a read. */
static bool passes(struct world *w, const struct sim_request *request, struct sim_request *other)
{
	if (!clash(request, other))
		return true;
	if (!(request->flags & CORE_F_GUARD) || !may_be_passed(w, other))
		return false;
	w->tally.passed++;
	return true;
}

/* A token brings nobody before a thread that a guard held already. */
static bool overtakes(const struct world *w, const struct sim_request *request,
		      const struct sim_request *other)
{
	return request->token && !(request->flags & CORE_F_GUARD) &&
	       request->want != CORE_WANT_FOREIGN_READ && (other->flags & CORE_F_GUARD) &&
	       !other->held && !other->avail && other->place < request->place &&
	       before(request, other) && requests_meet(w, request, other) && clash(request, other);
}

void shadow_in_turn(struct world *w, const struct sim_request *request)
{
	lined_up(w);
	for (size_t i = 0; i < w->n_line; i++) {
		struct sim_request *other = &w->line[i];

		if (other->id == request->id || !requests_meet(w, other, request))
			continue;
		if (other->held)
			world_check(w,
				    part_of(w, request, other) || request->flags & CORE_F_GUARD,
				    INV_RECALL_BARS,
				    "%llu goes on over the held break %llu", ull(request->id),
				    ull(other->id));
		else if (overtakes(w, request, other))
			world_fail(w, INV_ORDER, "%llu overtakes %llu, which is held by a guard",
				   ull(request->id), ull(other->id));
		else if (before(other, request))
			world_check(w, passes(w, request, other), INV_ORDER,
				    "%llu goes on before %llu, which was first", ull(request->id),
				    ull(other->id));
	}
}

/* No recall by somebody earlier runs over what is granted; who carries a token knows of it. */
void shadow_over_no_recall(struct world *w, const struct sim_request *request)
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
		/* One that is ready waits no more, though others do; shadow_in_turn() looks at it. */
		asker = world_request(w, seal->recalled_by);
		world_check(w,
			    !asker || asker->held || !before(asker, request) ||
				!covers(w, asker, request->object, request->start, request->end),
			    INV_RECALL_BARS,
			    "%llu is granted over the recall of seal %llu, that %llu waits for",
			    ull(request->id), ull(seal->id), ull(seal->recalled_by));
	}
}

void shadow_exclusive(struct world *w, const struct sim_seal *granted)
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

		world_check(
		    w, line->seal && line->seal <= w->last_seal && line->holder && line->process,
		    INV_ACCOUNT, "the account of request %llu names seal %llu", ull(request->id),
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
		world_check(
		    w, seen, INV_ACCOUNT,
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

void shadow_on_grant(struct world *w, const struct core_command *c)
{
	struct sim_request *request = shadow_request(w, c, "a grant");
	struct sim_seal *seal = &w->seals[w->n_seals];

	world_check(w, !request->is_break && !request->avail, INV_LIVING,
		    "a grant for what is no acquire: %llu", ull(request->id));
	world_check(w,
		    c->holder == request->holder && c->object == request->object &&
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
	shadow_exclusive(w, seal);
	shadow_in_turn(w, request);
	shadow_over_no_recall(w, request);
	w->n_seals++;
	w->tally.grants++;
	w->tally.waiters_served += w->now > request->since;
	w->tally.token_grants += request->token != 0;
	world_request_gone(w, request);
}

/* What the breaker itself promised to keep as it is. */
static bool own_promise(struct world *w, const struct sim_seal *seal,
			const struct sim_request *request)
{
	const struct sim_holder *holder = world_holder(w, seal->holder);

	return (request->flags & CORE_F_GUARD) && holder && holder->process == request->process &&
	       (request->want == CORE_WANT_LAYOUT ||
		(request->want == CORE_WANT_FOREIGN_EXTEND && seal->kind == CORE_DIRECT));
}

void shadow_on_refuse(struct world *w, const struct core_command *c)
{
	struct sim_request *request = shadow_request(w, c, "a refusal");
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
		hard |= (seal->flags & CORE_F_HARD || own_promise(w, seal, request)) &&
			disturbs(w, seal, request);
	}
	for (size_t i = 0; i < w->n_requests; i++)
		held |= (w->requests[i].held && requests_meet(w, &w->requests[i], request) &&
			 !part_of(w, request, &w->requests[i])) ||
			overtakes(w, request, &w->requests[i]);
	w->tally.conflicts++;
	switch (c->error) {
	case CORE_E_TIMED_OUT:
		w->tally.timeouts++;
		world_check(w,
			    request->wait_ms && w->now >= later(request->since, request->wait_ms),
			    INV_ANSWERS, "request %llu timed out early", ull(request->id));
		break;
	case CORE_E_TRY_LATER:
		lined_up(w);
		world_check(w,
			    held || ((request->flags & CORE_F_NO_WAIT) && in_the_way(w, request)),
			    INV_ANSWERS, "request %llu: TRY_LATER, nothing is in the way",
			    ull(request->id));
		break;
	case CORE_E_DENIED:
		w->tally.denied++;
		world_check(w, hard && !(request->flags & CORE_F_UNDENIABLE), INV_ANSWERS,
			    "request %llu denied, and no hard seal there", ull(request->id));
		break;
	case CORE_E_OWN_CONFLICT:
	case CORE_E_RECALL_CONFLICT:
	case CORE_E_RETURN_CONFLICT:
		world_check(w,
			    c->error == CORE_E_RECALL_CONFLICT || c->error == CORE_E_RETURN_CONFLICT
				? asked
				: own,
			    INV_ANSWERS, "request %llu: %s, without a seal of its own",
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
		world_check(w,
			    request->id == w->withdrawing ||
				(request->holder && !world_holder(w, request->holder)),
			    INV_ANSWERS, "request %llu: its holder is there", ull(request->id));
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

void shadow_on_break_ready(struct world *w, const struct core_command *c)
{
	struct sim_request *request = shadow_request(w, c, "a break's go-ahead");
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
	shadow_in_turn(w, request);
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

void shadow_on_break_over(struct world *w, const struct core_command *c)
{
	struct sim_request *request = shadow_request(w, c, "the end of a hold");

	world_check(w, request->held, INV_LIVING, "break %llu was not held", ull(request->id));
	world_request_gone(w, request);
}

void shadow_on_break_expired(struct world *w, const struct core_command *c)
{
	struct sim_request *request = shadow_request(w, c, "an expiry");

	world_check(w, request->held && w->now >= request->hold_until, INV_BOUNDED,
		    "break %llu expires early", ull(request->id));
	w->tally.holds_expired++;
}

void shadow_on_avail(struct world *w, const struct core_command *c)
{
	struct sim_request *request = shadow_request(w, c, "an AVAIL");

	world_check(w, request->avail, INV_LIVING, "request %llu did not ask to hear",
		    ull(request->id));
	for (size_t i = 0; i < w->n_seals; i++)
		world_check(w, !disturbs(w, &w->seals[i], request), INV_BREAKER_WAITS,
			    "request %llu is told to come, seal %llu is in force", ull(request->id),
			    ull(w->seals[i].id));
	w->tally.avails++;
	world_request_gone(w, request);
}
