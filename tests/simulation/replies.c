/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What holders say when they are asked, and when they are not: answers that come late, twice, out
 * of order or to the wrong seal, ranges that are returned as a whole or in parts. Every result is
 * checked against what the arrays say it has to be.
 */

#include "tests/simulation/actions.h"

#include <string.h>

static bool older(uint32_t a, uint32_t b)
{
	/* Few steps lead from the older to the newer, in a run as short as this. */
	for (unsigned int i = 0; i < 4096; i++) {
		a = seq_after(a);
		if (a == b)
			return true;
	}
	return false;
}

/* What any call that names a seal has to get, if it is not CORE_OK. */
static int expect_seal(struct world *w, uint64_t holder, uint64_t id, uint32_t seq)
{
	const struct sim_seal *seal = world_seal(w, id);

	if (!world_holder(w, holder))
		return CORE_E_BAD_HOLDER;
	if (!seal || seal->holder != holder)
		return CORE_E_BAD_SEAL;
	if (seq != seal->seq)
		return seq && older(seq, seal->seq) ? CORE_E_OLD_SEQ : CORE_E_BAD_SEAL;
	return CORE_OK;
}

static void answer_one(struct world *w, uint64_t holder, uint64_t id, uint32_t seq,
		       enum core_answer answer, uint32_t delay_ms)
{
	struct sim_seal *seal = world_seal(w, id);
	int expected = expect_seal(w, holder, id, seq), r;
	uint32_t ms = 0;

	if (expected == CORE_OK && (seal->state != SIM_HELD || !seal->recalled || leaving(seal)))
		expected = CORE_E_STATE;
	r = core_answer(w->core, holder, id, seq, answer, delay_ms, w->now, &ms);
	world_trace(w, "holder %llu answers %d for seal %llu seq %#x delay %u: %s, %u ms left",
		    ull(holder), answer, ull(id), seq, delay_ms, core_error_string(r), ms);
	world_check(w, r == expected, INV_ANSWERS, "answer for seal %llu: %s, not %s", ull(id),
		    core_error_string(r), core_error_string(expected));
	if (r == CORE_OK) {
		shadow_answered(w, seal, answer, delay_ms);
		if (answer == CORE_ANSWER_DELAY)
			world_check(w, later(w->now, ms) <= seal->hard_limit || !ms, INV_BOUNDED,
				    "seal %llu is promised %u ms, past its hard limit", ull(id),
				    ms);
	}
	world_drain(w, r);
}

static bool under(const struct world *w, const struct sim_recall *recall,
		  const struct sim_seal *seal)
{
	for (size_t i = 0; i < w->n_asked; i++)
		if (w->asked[i].request == recall->request && w->asked[i].seal == seal->id &&
		    w->asked[i].wide)
			return seal->holder == recall->holder;
	return false;
}

static void answer_wide(struct world *w, const struct sim_recall *recall, enum core_answer answer,
			uint32_t delay_ms)
{
	const struct sim_request *request = world_request(w, recall->request);
	bool any = false;
	uint32_t ms = 0;
	int r;

	r = core_answer_all(w->core, recall->holder, recall->request, answer, delay_ms, w->now,
			    &ms);
	world_trace(w, "holder %llu answers %d for all of request %llu delay %u: %s, %u ms left",
		    ull(recall->holder), answer, ull(recall->request), delay_ms,
		    core_error_string(r), ms);
	for (size_t i = 0; i < w->n_seals; i++) {
		struct sim_seal *seal = &w->seals[i];

		if (seal->state != SIM_HELD || !seal->recalled || leaving(seal) ||
		    !under(w, recall, seal))
			continue;
		any = true;
		if (r == CORE_OK)
			shadow_answered(w, seal, answer, delay_ms);
	}
	world_check(w, (r == CORE_OK) == (any && request), INV_ANSWERS,
		    "answer for all of request %llu: %s", ull(recall->request),
		    core_error_string(r));
	world_drain(w, r);
}

struct answered {
	struct world *w;
	const struct sim_seal *seal;
	uint64_t request;
};

static void is_answered(const struct core_account_entry *line, void *data)
{
	const struct answered *answered = data;

	world_check(answered->w,
		    line->seal != answered->seal->id || line->answer ||
			line->result != CORE_RESULT_PENDING,
		    INV_ACCOUNT, "seal %llu is being returned, and for %llu not answered",
		    ull(line->seal), ull(answered->request));
}

static bool all_answered(const struct core_request_view *view, void *data)
{
	struct answered *answered = data;

	answered->request = view->id;
	if (table_conflict(answered->seal, view->want) == SIM_RECALL)
		core_request_account(answered->w->core, view->id, is_answered, answered);
	return true;
}

/* Who returns what was asked for has answered. */
static void return_answers(struct world *w, struct sim_seal *seal)
{
	if (!seal->recalled || !overlap(seal->return_start, seal->return_end, seal->recall_start,
					seal->recall_end))
		return;
	if (!seal->answer)
		shadow_answered(w, seal, CORE_ANSWER_OK, 0);
	core_request_each(w->core, all_answered, &(struct answered){.w = w, .seal = seal});
}

void action_return(struct world *w, uint64_t holder, uint64_t id, uint32_t seq, uint64_t start,
		   uint64_t end, bool discard)
{
	struct sim_seal *seal = world_seal(w, id);
	int expected = expect_seal(w, holder, id, seq), r;

	if (start >= end || (expected == CORE_OK && !overlap(start, end, seal->start, seal->end)))
		expected = CORE_E_BAD_RANGE;
	else if (expected == CORE_OK && (seal->state == SIM_FENCING || seal->returning))
		expected = CORE_E_STATE;
	r = core_return(w->core, holder, id, seq, start, end, discard, w->now);
	world_trace(w, "holder %llu returns seal %llu seq %#x [%#llx, %#llx): %s", ull(holder),
		    ull(id), seq, ull(start), ull(end), core_error_string(r));
	world_check(w, r == expected, INV_ANSWERS, "return of seal %llu: %s, not %s", ull(id),
		    core_error_string(r), core_error_string(expected));
	if (r == CORE_OK) {
		seal->returning = true;
		seal->fenced = false;
		seal->job = 0;
		seal->return_start = start > seal->start ? start : seal->start;
		seal->return_end = end < seal->end ? end : seal->end;
		return_answers(w, seal);
	}
	world_drain(w, r);
}

/* Works through its mailbox, late, out of order, sometimes twice. */
void action_answer(struct world *w)
{
	struct sim_recall *pick = PICK(w, recalls), recall;
	enum core_answer answer = CORE_ANSWER_OK;
	unsigned int dice = (unsigned int)rng_below(&w->rng, 100);
	struct sim_holder *holder;
	uint32_t delay_ms = 0;

	if (!pick)
		return;
	holder = world_holder(w, pick->holder);
	if (!holder || (holder->stuck && !rng_percent(&w->rng, 2)))
		return;
	if (dice < 30) {
		answer = CORE_ANSWER_DELAY;
		delay_ms = action_ms(w, 100);
	} else if (dice < 42) {
		answer = CORE_ANSWER_NO_MATCHING;
	}
	recall = *pick;
	if (!rng_percent(&w->rng, 10))
		world_recall_taken(w, pick);
	if (recall.scope == CORE_SCOPE_RANGE)
		answer_one(w, recall.holder, recall.seal, recall.seq, answer, delay_ms);
	else
		answer_wide(w, &recall, answer, delay_ms);
}

void action_give_back(struct world *w)
{
	size_t from = rng_below(&w->rng, w->n_seals + 1);
	unsigned int dice = (unsigned int)rng_below(&w->rng, 100);
	bool wanted = rng_percent(&w->rng, 75), early = !wanted && rng_percent(&w->rng, 50);
	struct sim_seal *seal = NULL;
	uint64_t start, end, pages;

	/* Rather what was asked for, or will be in a moment. */
	for (size_t i = 0; i < w->n_seals && !seal; i++) {
		struct sim_seal *s = &w->seals[(from + i) % w->n_seals];
		struct sim_holder *holder = world_holder(w, s->holder);

		if (holder && (!wanted || (s->recalled && !holder->stuck)) &&
		    (!early || (s->wanted_since && !s->recalled)))
			seal = s;
	}
	if (!seal)
		return;
	start = seal->start;
	end = seal->end;
	pages = end == CORE_INFINITY ? 1000 : (end - start) / PAGE;
	if (pages > 1 && dice < 18)
		end = start + rng_between(&w->rng, 1, pages - 1) * PAGE;
	else if (pages > 1 && dice < 34)
		start += rng_between(&w->rng, 1, pages - 1) * PAGE;
	else if (pages > 2 && dice < 50) {
		start += rng_between(&w->rng, 1, pages - 2) * PAGE;
		end = start + PAGE;
	} else if (dice < 60) {
		end = end == CORE_INFINITY ? end : end + PAGE; /* is clipped */
	} else if (dice < 65) {
		start = 0;
		end = CORE_INFINITY;
	}
	action_return(w, seal->holder, seal->id, seal->seq, start, end, rng_percent(&w->rng, 20));
}

void action_recall_any(struct world *w)
{
	struct sim_holder *holder = PICK(w, holders);
	uint32_t keep = (uint32_t)rng_below(&w->rng, 4);
	int r;

	if (!holder)
		return;
	r = core_recall_any(w->core, holder->id, keep, w->now);
	world_trace(w, "holder %llu is to keep %u: %s", ull(holder->id), keep,
		    core_error_string(r));
	world_check(w, r == 0, INV_ANSWERS, "recall_any: %s", core_error_string(r));
	world_drain(w, r);
}

/* ---- and what they should not say ---------------------------------------------------------- */

static uint32_t other_seq(struct world *w, uint32_t seq)
{
	switch (rng_below(&w->rng, 4)) {
	case 0:
		return seq == 1 ? UINT32_MAX : seq - 1;
	case 1:
		return seq_after(seq);
	case 2:
		return 0;
	}
	return seq;
}

static void wrong_break_end(struct world *w)
{
	struct sim_request *request = PICK(w, requests);
	struct sim_holder *holder = PICK(w, holders);
	int r;

	if (!request || !holder)
		return;
	if (request->held && request->holder == holder->id)
		return;
	r = core_break_end(w->core, holder->id, request->id, request->own_token ^ 1, w->now);
	world_check(w, r == CORE_E_BAD_BREAK, INV_ANSWERS, "somebody else's break_end: %s",
		    core_error_string(r));
	world_drain(w, r);
}

static void wrong_request(struct world *w)
{
	struct sim_holder *holder = PICK(w, holders);
	struct sim_object *object = PICK(w, objects);
	struct core_acquire acquire = {.mode = CORE_READ, .kind = CORE_WINDOW};
	struct core_break brk = {.want = CORE_WANT_LAYOUT};
	uint64_t id = 0;
	int expected, r;

	if (!holder || !object)
		return;
	acquire.holder = holder->id;
	acquire.object = brk.object = object->id;
	acquire.start = brk.start = 4 * PAGE;
	acquire.end = brk.end = 5 * PAGE;
	switch (rng_below(&w->rng, 4)) {
	case 0:
		acquire.end = brk.end = rng_below(&w->rng, 5) * PAGE;
		expected = CORE_E_BAD_RANGE;
		break;
	case 1:
		acquire.holder = brk.holder = UINT64_C(1) << 60;
		expected = CORE_E_BAD_HOLDER;
		break;
	case 2:
		acquire.object = brk.object = UINT64_C(1) << 60;
		expected = CORE_E_BAD_OBJECT;
		break;
	default:
		acquire.token = brk.token = rng_next(&w->rng);
		expected = CORE_E_BAD_BREAK;
	}
	if (rng_percent(&w->rng, 50))
		r = core_acquire(w->core, &acquire, w->now, &id);
	else
		r = core_break(w->core, &brk, w->now, &id);
	if (holder->max_io_ms > object->policy.hard_ms && r == CORE_E_UNBOUNDED)
		expected = r;
	world_check(w, r == expected && !id, INV_ANSWERS, "a request out of order: %s, not %s",
		    core_error_string(r), core_error_string(expected));
	world_drain(w, r);
}

void action_nonsense(struct world *w)
{
	struct sim_seal *seal = PICK(w, seals);
	struct sim_holder *holder = PICK(w, holders);
	uint64_t id;
	uint32_t seq;

	if (!holder || rng_percent(&w->rng, 30)) {
		wrong_request(w);
		return;
	}
	if (rng_percent(&w->rng, 20)) {
		wrong_break_end(w);
		return;
	}
	if (!seal)
		return;
	id = seal->id;
	seq = other_seq(w, seal->seq);
	if (w->n_dead && rng_percent(&w->rng, 25))
		id = w->dead_seals[rng_below(&w->rng, w->n_dead < MAX_DEAD ? w->n_dead : MAX_DEAD)];
	if (rng_percent(&w->rng, 50) && world_holder(w, seal->holder))
		holder = world_holder(w, seal->holder);
	if (rng_percent(&w->rng, 50))
		answer_one(w, holder->id, id, seq, CORE_ANSWER_OK, 0);
	else
		action_return(w, holder->id, id, seq, seal->start + 1000 * PAGE, seal->start,
			      false);
}
