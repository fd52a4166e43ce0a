/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Recalls, from the message to the return.
 *
 *	RECALL ──▶ DRAINING ──▶ ASKING ──▶ DUE ──▶ RETURN sent ──▶ over
 *		      ▲           │ │ DELAY  ▲          │ OLD_SEQ: what is newer was
 *		      │           │ └▶ DELAYED          │ taken in before, so again
 *		      │ asked     │ LATER                ▼ other refusal: OWED
 *		      │ for more  └──▶ OWED ──▶ the owner returns it, or the deadline does
 *		      └───────────
 *
 * The first step is done by whoever reads the message, whatever else is going on: the gate is
 * closed and the answer OK sent, so the supervisor knows that somebody is there. Everything that
 * may take time is the agent's, and it never waits: neither for threads inside the gate (they kick
 * it when they leave) nor for the reply to RETURN.
 *
 * LAPSED puts a recall back from any stage; REVOKED ends the piece in any stage. So after a handler
 * has run, its verdict counts only if the piece is still there and still ASKING.
 *
 * Recalls of an object, a device or everything are recalls of each seal they match, answered once.
 * Which device an object is on is not known here; then every seal matches, and returning more than
 * was asked for is allowed.
 */

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "client/agent.h"
#include "client/break.h"
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

void agent_settle(struct piece *piece)
{
	piece->stage = PIECE_HELD;
	piece->recall = 0;
	list_unlink(&piece->agent_link);
}

/* ---- answers ----------------------------------------------------------------------------- */

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

/* A refusal needs nothing: what is newer is on its way, or the recall is over. */
static void post_answer(struct mapseal *m, uint64_t recall, uint64_t id, uint32_t seq,
			enum proto_e_ANSWER answer)
{
	struct proto_message message = {
		.type = PROTO_ANSWER,
		.answer = {
			.recall = recall,
			.seal = recall ? 0 : id,
			.seq = recall ? 0 : seq,
			.answer = answer,
		},
	};

	wire_post(&m->wire, &message, NULL, NULL);
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

/* ---- events ------------------------------------------------------------------------------ */

static void recall_piece(struct piece *piece, const struct proto_recall *recall, uint64_t start,
			 uint64_t end)
{
	uint64_t now = agent_now();
	bool running = piece->stage != PIECE_HELD;

	if (start < piece->start)
		start = piece->start;
	if (end > piece->end)
		end = piece->end;
	if (start >= end) {
		start = piece->start;
		end = piece->end;
	}
	/* More than what a handler has agreed to: it is asked again, for all of it. */
	if (!running || start < piece->recall_start || end > piece->recall_end)
		piece->stage = PIECE_DRAINING;
	if (running && start > piece->recall_start)
		start = piece->recall_start;
	if (running && end < piece->recall_end)
		end = piece->recall_end;
	piece->recall = recall->scope == PROTO_SCOPE_RANGE ? 0 : recall->recall;
	piece->recall_start = start;
	piece->recall_end = end;
	piece->map_will_change = recall->flags & PROTO_RECALL_MAP_WILL_CHANGE;
	piece->deadline = now + recall->deadline_ms;
	piece->hard = now + recall->hard_ms;
	if (!running)
		list_append(&piece->seal->m->agent.recalls, &piece->agent_link);
	seal_update_gate(piece->seal);
}

static void on_recall_wide(struct mapseal *m, const struct proto_recall *recall)
{
	bool any = false;

	list_for_each(l, &m->seals) {
		struct mapseal_seal *seal = list_entry(l, struct mapseal_seal, link);

		if (recall->scope == PROTO_SCOPE_OBJECT && seal->object != recall->object)
			continue;
		list_for_each(p, &seal->pieces) {
			struct piece *piece = list_entry(p, struct piece, link);

			if (piece->parked)
				continue;
			recall_piece(piece, recall, piece->start, piece->end);
			any = true;
		}
	}
	post_answer(m, recall->recall, 0, 0, any ? PROTO_ANSWER_OK : PROTO_ANSWER_NO_MATCHING);
}

static void on_recall(struct mapseal *m, const struct proto_recall *recall)
{
	struct piece *piece;
	uint64_t end;

	if (recall->scope != PROTO_SCOPE_RANGE) {
		on_recall_wide(m, recall);
		return;
	}
	piece = piece_find(m, recall->seal);
	if (!piece) {
		post_answer(m, 0, recall->seal, recall->seq, PROTO_ANSWER_NO_MATCHING);
		return;
	}
	piece->seq = recall->seq;
	if (__builtin_add_overflow(recall->offset, recall->length, &end))
		end = UINT64_MAX;
	recall_piece(piece, recall, recall->offset, end);
	post_answer(m, 0, piece->id, piece->seq, PROTO_ANSWER_OK);
}

static void on_revoked(struct mapseal *m, const struct proto_revoked *revoked)
{
	struct piece *piece = piece_find(m, revoked->seal);
	bool parked = revoked->flags & PROTO_REVOKE_PARKED;
	struct mapseal_event event = {
		.type = parked ? MAPSEAL_EVENT_PARKED : MAPSEAL_EVENT_REVOKED,
		.fence = proto_text(PROTO_TEXT_FENCE, revoked->fence),
		.quarantined = revoked->quarantined,
	};

	if (!piece)
		return;
	event.seal = piece->seal;
	event.offset = piece->start;
	event.length = piece->end - piece->start;
	piece->seq = revoked->seq;
	piece->returning = false;
	agent_settle(piece);
	if (parked) {
		piece->parked = true;
	} else {
		piece->seal->revoked = true;
		piece_end(piece);
	}
	seal_update_gate(event.seal);
	agent_tell(m, &event);
}

static void on_regranted(struct mapseal *m, const struct proto_regranted *regranted)
{
	struct piece *piece = piece_find(m, regranted->seal);
	struct mapseal_event event = { .type = MAPSEAL_EVENT_REGRANTED };

	if (!piece)
		return;
	piece->seq = regranted->seq;
	piece->parked = false;
	piece->seal->object_size = regranted->size;
	seal_update_gate(piece->seal);
	event.seal = piece->seal;
	event.offset = piece->start;
	event.length = piece->end - piece->start;
	agent_tell(m, &event);
}

static void on_lapsed(struct mapseal *m, const struct proto_lapsed *lapsed)
{
	struct piece *piece = piece_find(m, lapsed->seal);

	if (!piece)
		return;
	piece->seq = lapsed->seq;
	agent_settle(piece);
	seal_update_gate(piece->seal);
}

void agent_on_event(struct wire_frame *frame, void *data)
{
	_cleanup_(wire_frame_freep) struct wire_frame *owned = frame;
	const struct proto_message *message = &frame->message;
	struct mapseal_event event = { 0 };
	struct mapseal *m = data;

	switch (message->type) {
	case PROTO_RECALL:
		on_recall(m, &message->recall);
		agent_kick(m);
		break;
	case PROTO_REVOKED:
		on_revoked(m, &message->revoked);
		break;
	case PROTO_REGRANTED:
		on_regranted(m, &message->regranted);
		break;
	case PROTO_LAPSED:
		on_lapsed(m, &message->lapsed);
		break;
	case PROTO_RECALL_ANY:
		event.type = MAPSEAL_EVENT_RECALL_ANY;
		event.keep = message->recall_any.keep;
		agent_tell(m, &event);
		break;
	case PROTO_AVAIL:
		event.type = MAPSEAL_EVENT_AVAIL;
		event.object = message->avail.object;
		event.offset = message->avail.offset;
		event.length = message->avail.length;
		agent_tell(m, &event);
		break;
	case PROTO_BREAK_EXPIRED:
		break_on_expired(m, message->break_expired.id);
		break;
	case PROTO_CHANGED:
		agent_tell_change(m, take_ptr(owned));
		break;
	}
}

/* The supervisor is gone, and its promises with it. Windows park: nobody serves them. */
void agent_on_lost(void *data)
{
	struct mapseal_event event = { .type = MAPSEAL_EVENT_DISCONNECTED };
	struct mapseal *m = data;

	list_for_each(l, &m->seals) {
		struct mapseal_seal *seal = list_entry(l, struct mapseal_seal, link);

		list_for_each(p, &seal->pieces) {
			struct piece *piece = list_entry(p, struct piece, link);

			piece->returning = false;
			agent_settle(piece);
		}
		seal_update_gate(seal);
	}
	agent_tell(m, &event);
}

/* ---- the agent's part -------------------------------------------------------------------- */

static void on_returned(const struct proto_message *reply, void *data)
{
	_cleanup_free_ struct about *about = data;
	struct piece *piece = piece_find(about->m, about->id);
	struct mapseal_event event = { .type = MAPSEAL_EVENT_RETURNED };
	const struct proto_returned *returned;

	if (!reply || !piece)
		return;
	event.seal = piece->seal;
	piece->returning = false;
	if (reply->type == PROTO_RETURNED) {
		returned = &reply->returned;
		event.offset = returned->offset;
		event.length = returned->length;
		piece_returned(piece, returned->seq, returned->offset,
			       returned->offset + returned->length, returned->upper,
			       returned->upper_seq);
		agent_tell(about->m, &event);
	} else if (piece->stage == PIECE_DUE &&
		   !(reply->type == PROTO_REFUSED && reply->refused.code == PROTO_E_OLD_SEQ &&
		     piece->seq != about->seq)) {
		piece->stage = PIECE_OWED;
	}
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

	if (!about || wire_post(&m->wire, &message, on_returned, about) < 0) {
		free(about);
		if (!m->wire.lost)
			piece->stage = PIECE_OWED;
		return;
	}
	piece->returning = true;
}

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
	if (seal->on_recall && !seal->transparent) {
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

/* Whether something was done after which the list has to be looked at anew. */
static bool advance(struct mapseal *m, struct piece *piece)
{
	struct mapseal_seal *seal = piece->seal;

	switch (piece->stage) {
	case PIECE_DRAINING:
		/* Until it is mapped nobody is inside, and nothing can be returned of it. */
		if (seal->mapping || gate_inside(&seal->gate))
			return false;
		ask(m, piece);
		return true;
	case PIECE_DELAYED:
		if (piece->again > agent_now())
			return false;
		ask(m, piece);
		return true;
	case PIECE_DUE:
		if (!piece->returning)
			post_return(piece);
		return m->wire.lost;
	default:
		return false;
	}
}

void agent_recalls(struct mapseal *m)
{
	bool again = true;

	while (again && !m->wire.lost) {
		again = false;
		if (m->agent.barrier_due) {
			m->agent.barrier_due = false;
			gate_barrier();
		}
		list_for_each(l, &m->agent.recalls)
			if (advance(m, list_entry(l, struct piece, agent_link))) {
				again = true;
				break;
			}
	}
}

uint64_t agent_next(const struct mapseal *m)
{
	uint64_t next = 0;

	list_for_each(l, &m->agent.recalls) {
		const struct piece *piece = list_entry(l, struct piece, agent_link);

		if (piece->stage == PIECE_DELAYED && (next == 0 || piece->again < next))
			next = piece->again;
	}
	return next;
}
