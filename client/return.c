/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Returning, as the application asks for it, and for the ends of seal and connection.
 *
 * The gate is closed, threads inside leave, the supervisor flushes and takes the pages, piece by
 * piece. Only one RETURN of a piece is under way at a time, the agent's or a caller's; the other
 * waits and then looks again at what is left. A RETURN that crossed a newer message of the
 * supervisor (OLD_SEQ) is repeated, since that message was read before the refusal.
 */

#include <errno.h>
#include <string.h>

#include "client/agent.h"
#include "client/direct.h"
#include "client/error.h"
#include "client/seal.h"

struct returning {
	struct mapseal_seal *seal;
	uint64_t id;
	uint32_t seq;
	uint64_t end; /* how far it came back */
	bool over;    /* the reply was seen: piece->returning may be somebody else's by now */
};

static void on_returned(const struct proto_message *reply, void *data)
{
	struct returning *returning = data;
	struct piece *piece = piece_find(returning->seal->m, returning->id);

	returning->over = true;
	if (!piece)
		return;
	if (piece_on_returned(piece, returning->seq, reply))
		returning->end = reply->returned.offset + reply->returned.length;
	agent_kick(returning->seal->m);
}

/* 0 says that it came back up to *ret_end, or that it is worth another look. */
static int return_piece(struct mapseal_seal *seal, struct piece *piece, uint64_t start,
			uint64_t end, unsigned int flags, uint64_t *ret_end)
{
	struct returning returning = {
		.seal = seal,
		.id = piece->id,
		.seq = piece->seq,
		.end = end,
	};
	struct proto_message message = {
		.type = PROTO_RETURN,
		.return_ = {
			.seal = piece->id,
			.seq = piece->seq,
			.offset = start,
			.length = end - start,
			.flags = flags,
		},
	};
	int r;

	piece->returning = true;
	if (seal->direct)
		direct_fence(seal, start, end);
	r = wire_call(&seal->m->wire, &message, NULL, 0, on_returned, &returning, PROTO_RETURNED,
		      NULL);
	piece = piece_find(seal->m, returning.id);
	if (piece && !returning.over)
		piece->returning = false;
	wire_wake(&seal->m->wire);
	if (r == 0)
		*ret_end = returning.end;
	else if (strcmp(mapseal_last_error()->code, proto_error_name(PROTO_E_OLD_SEQ)) == 0)
		r = 0;
	if (r < 0 && piece && seal->direct && !seal->m->wire.lost)
		direct_lift(seal, start, end);
	return r;
}

int seal_return(struct mapseal_seal *seal, uint64_t start, uint64_t end, unsigned int flags,
		bool drain)
{
	struct wire *w = &seal->m->wire;
	int r = 0;

	seal->closers++;
	seal_update_gate(seal);
	if (drain) {
		wire_unlock(w);
		gate_wait_empty(&seal->gate);
		wire_lock(w);
	}
	while (start < end && r == 0) {
		struct piece *piece = piece_first(seal, start, end);

		if (w->lost) {
			r = wire_error_lost(w);
			break;
		}
		if (!piece)
			break;
		if (!piece_can_return(piece)) {
			wire_wait(w);
			continue;
		}
		if (start < piece->start)
			start = piece->start;
		r = return_piece(seal, piece, start, end < piece->end ? end : piece->end, flags,
				 &start);
	}
	seal->closers--;
	seal_update_gate(seal);
	return r;
}

int mapseal_return(struct mapseal_seal *seal, uint64_t offset, uint64_t length, unsigned int flags)
{
	struct mapseal *m = seal->m;
	uint64_t page = connection_page(), end;
	bool drain;
	int r = connection_check(m);

	if (r < 0)
		return r;
	if (flags & ~(unsigned int)MAPSEAL_DISCARD)
		return error_set(EINVAL, "Unknown flag 0x%x in a return",
				 flags & ~(unsigned int)MAPSEAL_DISCARD);
	r = seal_check_range(seal, offset, length);
	if (r < 0)
		return r;
	end = offset + length;
	if (offset % page || (end % page && end != seal->offset + seal->length))
		return error_set(EINVAL, "%llu+%llu does not begin and end at pages of %llu bytes",
				 (unsigned long long)offset, (unsigned long long)length,
				 (unsigned long long)page);
	if (gate_inside_self(&seal->gate))
		return error_set(EDEADLK, "This thread is between mapseal_enter() and "
					  "mapseal_exit() of the seal: it would wait for itself");
	wire_lock(&m->wire);
	drain = !(m->agent.showing == seal && connection_in_callback(m));
	r = piece_first(seal, offset, end) && !m->wire.lost
		    ? seal_return(seal, offset, end, flags, drain)
		    : seal_stale(seal);
	wire_unlock(&m->wire);
	return r;
}
