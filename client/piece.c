/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pieces: what is left of a seal, as the supervisor counts it.
 *
 * A piece exists from the reply that made it (GRANTED, or RETURNED for the upper half of a split)
 * to the message that ended it. A split keeps a recall that runs: each half is asked for as far as
 * it was asked for before.
 *
 * The gate follows from the pieces: it is open only while all that is left is held, and nobody
 * wants or takes any of it. A seal of which a piece was revoked stays closed, since its holder
 * cannot know which bytes are gone; one that gave a part back knows.
 */

#include <stdlib.h>

#include "client/agent.h"
#include "client/direct.h"
#include "client/seal.h"

struct piece *piece_new(void)
{
	struct piece *piece = calloc(1, sizeof(*piece));

	if (piece) {
		list_init(&piece->link);
		list_init(&piece->bucket_link);
		list_init(&piece->agent_link);
	}
	return piece;
}

static struct list *bucket(struct mapseal *m, uint64_t id)
{
	return &m->pieces[id % CONNECTION_BUCKETS];
}

void piece_link(struct piece *piece, struct mapseal_seal *seal, uint64_t id, uint32_t seq,
		uint64_t start, uint64_t end)
{
	struct list *before = &seal->pieces;

	piece->seal = seal;
	piece->id = id;
	piece->seq = seq;
	piece->start = start;
	piece->end = end;
	list_for_each(l, &seal->pieces)
		if (list_entry(l, struct piece, link)->start > start) {
			before = l;
			break;
		}
	list_append(before, &piece->link);
	list_append(bucket(seal->m, id), &piece->bucket_link);
}

struct piece *piece_find(struct mapseal *m, uint64_t id)
{
	list_for_each(l, bucket(m, id)) {
		struct piece *piece = list_entry(l, struct piece, bucket_link);

		if (piece->id == id)
			return piece;
	}
	return NULL;
}

void piece_end(struct piece *piece)
{
	piece->seal->last_seq = piece->seq;
	list_unlink(&piece->link);
	list_unlink(&piece->bucket_link);
	list_unlink(&piece->agent_link);
	free(piece);
}

struct piece *piece_first(struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	list_for_each(l, &seal->pieces) {
		struct piece *piece = list_entry(l, struct piece, link);

		if (piece->start < end && start < piece->end)
			return piece;
	}
	return NULL;
}

/* A recall reaches as far as the piece does. */
static void clip_recall(struct piece *piece)
{
	if (piece->stage == PIECE_HELD)
		return;
	if (piece->recall_start < piece->start)
		piece->recall_start = piece->start;
	if (piece->recall_end > piece->end)
		piece->recall_end = piece->end;
	if (piece->recall_start >= piece->recall_end)
		agent_settle(piece);
}

static void split(struct piece *piece, uint64_t start, uint64_t end, uint64_t id, uint32_t seq)
{
	struct piece *upper = piece_new();

	/* Without memory the upper half is forgotten, which a recall of it will be told. */
	if (upper) {
		/* The verdict of a handler that is running goes for the lower half alone: it is
		 * asked again for this one. */
		upper->stage = piece->stage == PIECE_ASKING ? PIECE_DRAINING : piece->stage;
		upper->recall = piece->recall;
		upper->recall_start = piece->recall_start;
		upper->recall_end = piece->recall_end;
		upper->map_will_change = piece->map_will_change;
		upper->unanswered = piece->unanswered;
		upper->deadline = piece->deadline;
		upper->hard = piece->hard;
		upper->again = piece->again;
		piece_link(upper, piece->seal, id, seq, end, piece->end);
		if (upper->stage != PIECE_HELD)
			list_append(&piece->seal->m->agent.recalls, &upper->agent_link);
		clip_recall(upper);
	}
	piece->end = start;
}

/* [start, end) was given back; what is left above the middle is called @upper. */
static void carve(struct piece *piece, uint64_t start, uint64_t end, uint64_t upper,
		  uint32_t upper_seq)
{
	if (start <= piece->start && end >= piece->end) {
		piece_end(piece);
		return;
	}
	if (upper && start > piece->start && end < piece->end)
		split(piece, start, end, upper, upper_seq);
	else if (start > piece->start)
		piece->end = start;
	else if (end > piece->start)
		piece->start = end;
	clip_recall(piece);
}

bool piece_on_returned(struct piece *piece, uint32_t seq, const struct proto_message *reply)
{
	const struct proto_returned *returned;

	piece->returning = false;
	if (reply && reply->type == PROTO_RETURNED) {
		returned = &reply->returned;
		struct mapseal_seal *seal = piece->seal;

		piece->seq = returned->seq;
		carve(piece, returned->offset, returned->offset + returned->length,
		      returned->upper, returned->upper_seq);
		/* who came late has to show itself again, now that it can be asked for */
		if (seal->direct)
			fence_wake(seal, returned->offset,
				   returned->offset + returned->length);
		return true;
	}
	if (reply && reply->type == PROTO_REFUSED && reply->refused.code == PROTO_E_OLD_SEQ)
		piece->refused_seq = seq;
	return false;
}

void seal_update_gate(struct mapseal_seal *seal)
{
	bool closed = seal->mapping || seal->revoked || seal->closers || seal->m->wire.lost ||
		      list_empty(&seal->pieces);
	bool draining = false;

	list_for_each(l, &seal->pieces) {
		struct piece *piece = list_entry(l, struct piece, link);

		closed |= piece->stage != PIECE_HELD || piece->returning || piece->parked;
		draining |= piece->stage == PIECE_DRAINING;
	}
	if (draining != seal->watched) {
		if (draining)
			gate_watch(&seal->gate);
		else
			gate_unwatch(&seal->gate);
		seal->watched = draining;
	}
	if (closed && !gate_is_closed(&seal->gate))
		gate_close(&seal->gate);
	else if (!closed && gate_is_closed(&seal->gate))
		gate_open(&seal->gate);
	seal->m->agent.barrier_due |= draining;
}
