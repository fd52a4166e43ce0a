/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A seal as the application holds it, and the pieces of it that the supervisor knows.
 *
 * Returning the middle of a seal leaves two that the supervisor tells apart by id and seq; here
 * they are pieces of one object with one window and one gate. Everything but the constants is under
 * the connection's lock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/connection.h"
#include "client/gate.h"
#include "mapseal.h"
#include "util/list.h"

enum piece_stage {
	PIECE_HELD,
	PIECE_DRAINING, /* recalled: the gate is closed, threads are leaving */
	PIECE_ASKING,	/* the handler runs */
	PIECE_DELAYED,	/* the handler is called again at `again` */
	PIECE_OWED,	/* the handler's owner returns it, or the deadline takes it */
	PIECE_DUE,	/* the agent is to return it */
};

struct piece {
	struct list link;	 /* seal->pieces, in order of offset */
	struct list bucket_link; /* connection, by id */
	struct list agent_link;	 /* agent.recalls, while there is something to do */
	struct mapseal_seal *seal;
	uint64_t id;
	uint32_t seq;
	uint32_t refused_seq; /* a RETURN with it was refused: what is newer is on its way */
	uint64_t start, end;  /* in the object */
	enum piece_stage stage;
	bool returning; /* a RETURN is under way */
	bool parked;
	/* what is recalled; meaningless while HELD */
	uint64_t recall; /* of a scope wider than a seal: names it; else 0 */
	uint64_t recall_start, recall_end;
	bool map_will_change;
	bool unanswered; /* neither ANSWER nor RETURN was sent since */
	uint64_t deadline, hard, again; /* CLOCK_MONOTONIC, ms */
};

struct mapseal_seal {
	struct gate gate; /* first: mapseal_enter() */
	struct mapseal *m;
	struct list link; /* connection */
	struct list pieces;
	struct window *window;
	struct direct *direct; /* NULL: a WINDOW seal */
	uint64_t id, object, offset, length;
	uint64_t object_size;
	uint32_t last_seq;
	enum mapseal_mode mode;
	enum mapseal_guard guard;
	bool weak;
	mapseal_recall_fn on_recall;
	void *data;
	bool transparent;
	bool mapping;	/* acquired, window not open yet */
	bool revoked;	/* a piece of it was */
	bool watched;	/* by the agent, see gate_watch() */
	uint32_t closers; /* threads in mapseal_return() */
};

/* The piece may be linked before the seal's window exists. -ENOMEM leaves everything as it was. */
struct piece *piece_new(void);
void piece_link(struct piece *piece, struct mapseal_seal *seal, uint64_t id, uint32_t seq,
		uint64_t start, uint64_t end);
struct piece *piece_find(struct mapseal *m, uint64_t id);
void piece_end(struct piece *piece);

/* The first piece that overlaps [start, end), NULL if there is none. */
struct piece *piece_first(struct mapseal_seal *seal, uint64_t start, uint64_t end);

/* The reply to a RETURN that was sent with @seq; NULL: there is none. Whether it was RETURNED. */
bool piece_on_returned(struct piece *piece, uint32_t seq, const struct proto_message *reply);

/* Whether a RETURN can be sent now. */
static inline bool piece_can_return(const struct piece *piece)
{
	return !piece->returning && piece->refused_seq != piece->seq;
}

/* Whether it is a range of the seal, which may have been given back: -EINVAL. */
int seal_check_range(const struct mapseal_seal *seal, uint64_t offset, uint64_t length);

/* The error for a range that is not held any more: -ESTALE, or -ECONNRESET. */
int seal_stale(const struct mapseal_seal *seal);

/* Opens or closes the gate, as the state of the pieces wants it. */
void seal_update_gate(struct mapseal_seal *seal);

/*
 * Gives [start, end) back, piece by piece; waits for threads inside if @drain. Under the lock,
 * which it drops. Returns when it is done, the first failure ends it.
 */
int seal_return(struct mapseal_seal *seal, uint64_t start, uint64_t end, unsigned int flags,
		bool drain);

/* Frees the object alone; its window goes to @windows, or, in a child, is not there. */
void seal_forget(struct mapseal_seal *seal, struct list *windows);

/* Ends the object; what is left of it the supervisor gets when it asks. Drops the lock. */
void seal_destroy(struct mapseal_seal *seal);
