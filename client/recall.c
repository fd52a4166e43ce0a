/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Recalls, from the closed gate to the return.
 *
 *	RECALL ──▶ DRAINING ──▶ ASKING ──▶ DUE ──▶ RETURN sent ──▶ over
 *		      ▲           │ │ DELAY  ▲          │ OLD_SEQ: again, when
 *		      │           │ └▶ DELAYED          │ what is newer was read
 *		      │ asked     │ LATER                ▼ other refusal: OWED
 *		      │ for more  └──▶ OWED ──▶ the owner returns it, or the deadline does
 *		      └───────────
 *
 * How it begins is in event.c. This is the agent's part, and it never waits: neither for threads
 * inside the gate (they kick the agent when they leave) nor for the reply to RETURN.
 *
 * What has no handler and nobody inside is returned in the same breath in which the RECALL was read;
 * that says as much as an answer, and saves one. Everything else is answered first. A handler is
 * called after that, however quick it may be: nobody knows.
 *
 * While a handler runs, messages go on being read, by whoever waits for a reply. LAPSED puts a
 * recall back from any stage, REVOKED ends the piece in any stage, a wider RECALL begins anew. So a
 * verdict counts only if the piece is still there and still ASKING.
 */

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "client/agent.h"
#include "client/direct.h"
#include "client/error.h"

uint64_t agent_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint32_t left(uint64_t at)
{
	uint64_t now = agent_now();

	if (at <= now)
		return 0;
	return at - now > UINT32_MAX ? UINT32_MAX : (uint32_t)(at - now);
}

/* What a post was about; the piece may be gone when the reply comes. */
struct about {
	struct mapseal *m;
	uint64_t id;
	uint32_t seq;
};

static struct about *about_new(struct piece *piece)
{
	struct about *about = malloc(sizeof(*about));

	if (about)
		*about = (struct about){ .m = piece->seal->m, .id = piece->id, .seq = piece->seq };
	return about;
}

/* ---- returning --------------------------------------------------------------------------- */

static void on_returned(const struct proto_message *reply, void *data)
{
	_cleanup_free_ struct about *about = data;
	struct piece *piece = piece_find(about->m, about->id);
	struct mapseal_event event = { .type = MAPSEAL_EVENT_RETURNED };

	if (!reply || !piece)
		return;
	event.seal = piece->seal;
	if (piece_on_returned(piece, about->seq, reply)) {
		event.offset = reply->returned.offset;
		event.length = reply->returned.length;
		agent_tell(about->m, &event);
	} else if (piece->stage == PIECE_DUE && piece->refused_seq != about->seq) {
		piece->stage = PIECE_OWED;
	}
	/* it stays held, unless it is to be returned once more */
	piece = piece_find(about->m, about->id);
	if (piece && event.length == 0 && event.seal->direct && piece->stage != PIECE_DUE &&
	    !piece->parked)
		direct_lift(event.seal, piece->start, piece->end);
	seal_update_gate(event.seal);
	agent_kick(about->m);
	wire_wake(&about->m->wire);
}

static void post_return(struct piece *piece)
{
	struct mapseal *m = piece->seal->m;
	struct about *about = about_new(piece);
	uint64_t page = connection_page();
	uint64_t start = piece->recall_start / page * page;
	uint64_t end = piece->end - piece->recall_end < page
			       ? piece->end
			       : (piece->recall_end + page - 1) / page * page;
	struct proto_message message = {
		.type = PROTO_RETURN,
		.return_ = {
			.seal = piece->id,
			.seq = piece->seq,
			.offset = start,
			.length = end - start,
		},
	};

	if (about && piece->seal->direct)
		direct_fence(piece->seal, start, end);
	if (!about || wire_post(&m->wire, &message, on_returned, about) < 0) {
		free(about);
		if (!m->wire.lost) {
			piece->stage = PIECE_OWED;
			if (piece->seal->direct)
				direct_lift(piece->seal, start, end);
		}
		return;
	}
	piece->returning = true;
	piece->unanswered = false;
}

/* ---- asking ------------------------------------------------------------------------------ */

static void want_whole(struct mapseal_seal *seal)
{
	list_for_each(l, &seal->pieces) {
		struct piece *piece = list_entry(l, struct piece, link);

		if (piece->parked)
			continue;
		if (piece->stage == PIECE_HELD)
			list_append(&seal->m->agent.recalls, &piece->agent_link);
		piece->stage = PIECE_DUE;
		piece->recall_start = piece->start;
		piece->recall_end = piece->end;
	}
}

/* How much of a delay was granted. The handler is called again while there is time to return. */
static void on_delayed(const struct proto_message *reply, void *data)
{
	_cleanup_free_ struct about *about = data;
	struct piece *piece = piece_find(about->m, about->id);
	uint64_t latest;

	if (!reply || !piece || reply->type != PROTO_ANSWERED || piece->stage != PIECE_DELAYED)
		return;
	piece->deadline = agent_now() + reply->answered.deadline_ms;
	latest = piece->deadline - reply->answered.deadline_ms / 2;
	if (piece->again > latest)
		piece->again = latest;
	agent_kick(about->m);
}

static void delay(struct piece *piece, uint32_t delay_ms)
{
	struct mapseal *m = piece->seal->m;
	struct about *about = about_new(piece);
	struct proto_message message = {
		.type = PROTO_ANSWER,
		.answer = {
			.recall = piece->recall,
			.seal = piece->recall ? 0 : piece->id,
			.seq = piece->recall ? 0 : piece->seq,
			.answer = PROTO_ANSWER_DELAY,
			.delay_ms = delay_ms ? delay_ms : 1,
		},
	};

	piece->stage = PIECE_DELAYED;
	piece->again = agent_now() + message.answer.delay_ms;
	if (about && wire_post(&m->wire, &message, on_delayed, about) < 0)
		free(about);
}

static bool has_handler(const struct mapseal_seal *seal)
{
	return seal->on_recall && !seal->transparent;
}

/* Calls the handler; @piece may be gone afterwards. */
static void ask(struct mapseal *m, struct piece *piece)
{
	struct mapseal_seal *seal = piece->seal;
	struct mapseal_recall recall = {
		.seal = seal,
		.offset = piece->recall_start,
		.length = piece->recall_end - piece->recall_start,
		.map_will_change = piece->map_will_change,
		.deadline_ms = left(piece->deadline),
		.hard_ms = left(piece->hard),
	};
	enum mapseal_verdict verdict = MAPSEAL_RETURN;
	uint64_t id = piece->id;

	piece->stage = PIECE_ASKING;
	if (has_handler(seal)) {
		m->agent.showing = seal;
		wire_unlock(&m->wire);
		verdict = seal->on_recall(&recall, seal->data);
		wire_lock(&m->wire);
		m->agent.showing = NULL;
		wire_wake(&m->wire);
	}
	piece = piece_find(m, id);
	if (!piece || piece->stage != PIECE_ASKING)
		return;
	if (verdict == MAPSEAL_DELAY) {
		delay(piece, recall.delay_ms);
	} else if (verdict == MAPSEAL_LATER) {
		piece->stage = PIECE_OWED;
	} else {
		piece->stage = PIECE_DUE;
		if (recall.whole)
			want_whole(piece->seal);
	}
	seal_update_gate(piece->seal);
}

/* ---- all of them ------------------------------------------------------------------------- */

static bool nobody_inside(const struct mapseal_seal *seal)
{
	/* Until it is mapped nobody is inside, and nothing can be returned of it. */
	return !seal->mapping && !gate_inside(&seal->gate);
}

/* A recall of a wider scope is answered once. */
static void answer(struct mapseal *m, struct piece *piece)
{
	uint64_t recall = piece->recall;

	piece->unanswered = false;
	agent_answer(m, recall, recall ? 0 : piece->id, recall ? 0 : piece->seq, PROTO_ANSWER_OK);
	list_for_each(l, &m->agent.recalls) {
		struct piece *other = list_entry(l, struct piece, agent_link);

		if (recall && other->recall == recall)
			other->unanswered = false;
	}
}

static void close_gates(struct mapseal *m)
{
	if (!m->agent.barrier_due)
		return;
	m->agent.barrier_due = false;
	gate_barrier();
}

bool agent_prompt(struct mapseal *m)
{
	bool left = false;

	close_gates(m);
	list_for_each(l, &m->agent.recalls) {
		struct piece *piece = list_entry(l, struct piece, agent_link);

		if (piece->stage == PIECE_DRAINING && !has_handler(piece->seal) &&
		    nobody_inside(piece->seal)) {
			piece->stage = PIECE_DUE;
			seal_update_gate(piece->seal);
		}
		if (piece->stage == PIECE_DUE && piece_can_return(piece))
			post_return(piece);
		if (m->wire.lost)
			return true; /* and the list is empty */
		if (piece->stage == PIECE_DUE)
			left |= piece_can_return(piece);
		else
			left |= piece->stage != PIECE_OWED;
	}
	list_for_each(l, &m->agent.recalls) {
		struct piece *piece = list_entry(l, struct piece, agent_link);

		if (piece->unanswered)
			answer(m, piece);
		if (m->wire.lost)
			return true;
	}
	return left;
}

/* Whether something was done after which the list has to be looked at anew. */
static bool advance(struct mapseal *m, struct piece *piece)
{
	struct mapseal_seal *seal = piece->seal;

	switch (piece->stage) {
	case PIECE_DRAINING:
		if (!nobody_inside(seal))
			return false;
		ask(m, piece);
		return true;
	case PIECE_DELAYED:
		if (piece->again > agent_now())
			return false;
		ask(m, piece);
		return true;
	case PIECE_DUE:
		if (piece_can_return(piece))
			post_return(piece);
		return m->wire.lost;
	default:
		return false;
	}
}

void agent_recalls(struct mapseal *m)
{
	bool again = true;

	fence_ask_due(m);

	agent_prompt(m);
	while (again && !m->wire.lost) {
		again = false;
		close_gates(m);
		list_for_each(l, &m->agent.recalls)
			if (advance(m, list_entry(l, struct piece, agent_link))) {
				again = true;
				break;
			}
	}
}

uint64_t agent_next(const struct mapseal *m)
{
	uint64_t next = fence_next(m);

	list_for_each(l, &m->agent.recalls) {
		const struct piece *piece = list_entry(l, struct piece, agent_link);

		if (piece->stage == PIECE_DELAYED && (next == 0 || piece->again < next))
			next = piece->again;
	}
	return next;
}
