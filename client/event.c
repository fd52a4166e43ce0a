/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What messages change that no call asked for.
 *
 * This is done by whoever reads the message, under the lock and at once, whatever else is going on:
 * recalled gates are closed and the answer OK is sent, so that the supervisor knows that somebody
 * is there. Where the agent itself reads, the answer is left to it, since it may be able to return at
 * once, and that is an answer too. What the application is to hear of is queued; everything that may
 * take time is left to the agent (recall.c).
 *
 * Recalls of an object, a device or everything are recalls of each seal they match, answered once.
 * Which device an object is on is not known here; then every seal matches, and returning more than
 * was asked for is allowed.
 *
 * A seal that is not known here counts as forgotten: NO_MATCHING.
 */

#include "client/agent.h"
#include "client/break.h"
#include "client/direct.h"

void agent_settle(struct piece *piece)
{
	piece->stage = PIECE_HELD;
	piece->recall = 0;
	piece->unanswered = false;
	list_unlink(&piece->agent_link);
}

void agent_answer(struct mapseal *m, uint64_t recall, uint64_t id, uint32_t seq,
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
	piece->unanswered = piece->seal->m->agent.reading;
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
	if (!any)
		agent_answer(m, recall->recall, 0, 0, PROTO_ANSWER_NO_MATCHING);
	else if (!m->agent.reading)
		agent_answer(m, recall->recall, 0, 0, PROTO_ANSWER_OK);
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
		agent_answer(m, 0, recall->seal, recall->seq, PROTO_ANSWER_NO_MATCHING);
		return;
	}
	piece->seq = recall->seq;
	if (__builtin_add_overflow(recall->offset, recall->length, &end))
		end = UINT64_MAX;
	recall_piece(piece, recall, recall->offset, end);
	if (!m->agent.reading)
		agent_answer(m, 0, piece->id, piece->seq, PROTO_ANSWER_OK);
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
	if (event.seal->direct && parked)
		direct_fence(event.seal, piece->start, piece->end);
	else if (event.seal->direct)
		direct_poison(event.seal, piece->start, piece->end);
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
	if (piece->seal->direct)
		direct_lift(piece->seal, piece->start, piece->end);
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
	/* a RETURN that crossed this was refused, and found that out before */
	if (piece->seal->direct && !piece->returning && !piece->parked)
		direct_lift(piece->seal, piece->start, piece->end);
	seal_update_gate(piece->seal);
}

static void on_broken(struct mapseal *m, const struct proto_broken *broken)
{
	struct piece *piece = piece_find(m, broken->seal);
	struct mapseal_event event = {
		.type = MAPSEAL_EVENT_BROKEN,
		.offset = broken->offset,
		.length = broken->length,
	};

	if (!piece)
		return;
	event.seal = piece->seal;
	agent_tell(m, &event);
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
		if (fence_on_avail(m, message->avail.request))
			break;
		event.type = MAPSEAL_EVENT_AVAIL;
		event.object = message->avail.object;
		event.offset = message->avail.offset;
		event.length = message->avail.length;
		agent_tell(m, &event);
		break;
	case PROTO_BROKEN:
		on_broken(m, &message->broken);
		break;
	case PROTO_BREAK_EXPIRED:
		break_on_expired(m, message->break_expired.id);
		break;
	case PROTO_CHANGED:
		agent_tell_change(m, take_ptr(owned));
		break;
	}
}

/* The supervisor is gone, and its promises with it. Windows park: nobody serves them; so do files. */
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
			if (seal->direct)
				direct_fence(seal, piece->start, piece->end);
		}
		seal_update_gate(seal);
	}
	agent_tell(m, &event);
}

