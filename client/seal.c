/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Seals: what the application asks of one, and how it ends.
 *
 * Calls on a range are made for each piece of the seal that the range touches, in order; a range of
 * which some part is not held any more is refused before anything is asked.
 *
 * Returning: the gate is closed, threads inside leave, the supervisor flushes and takes the pages.
 * Only one RETURN of a piece is under way at a time, the agent's or the application's; the other
 * waits and then looks again at what is left. A RETURN that crossed a newer message of the
 * supervisor (OLD_SEQ) is repeated, since that message was read before the refusal.
 *
 * A window is unmapped when the supervisor serves none of it any more. If it would not take the
 * seal back (a full disk), the window is put away until the connection ends, inaccessible, so that
 * nothing else is mapped at an address it still works on.
 */

#include "client/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/agent.h"
#include "client/error.h"

/* ---- ranges ------------------------------------------------------------------------------ */

static int check_range(const struct mapseal_seal *seal, uint64_t offset, uint64_t length)
{
	uint64_t end = seal->offset + seal->length;

	if (length && offset >= seal->offset && offset < end && length <= end - offset)
		return 0;
	return error_set(EINVAL, "%llu+%llu is no range of the seal, which has %llu+%llu",
			 (unsigned long long)offset, (unsigned long long)length,
			 (unsigned long long)seal->offset, (unsigned long long)seal->length);
}

static int stale(const struct mapseal_seal *seal)
{
	if (seal->m->wire.lost)
		return wire_error_lost(&seal->m->wire);
	return error_set(ESTALE, "The range is not held any more: it was returned or revoked");
}

/* Asks for one thing piece by piece. @fill puts the clipped range into the message. */
static int each_piece(struct mapseal_seal *seal, uint64_t start, uint64_t end,
		      struct proto_message *message,
		      void (*fill)(struct proto_message *message, const struct piece *piece,
				   uint64_t start, uint64_t end))
{
	uint64_t at;
	int r = 0;

	for (at = start; at < end;) {
		const struct piece *piece = piece_first(seal, at, end);

		if (!piece || piece->start > at || seal->m->wire.lost)
			return stale(seal);
		at = piece->end;
	}
	for (at = start; r == 0 && at < end;) {
		const struct piece *piece = piece_first(seal, at, end);
		uint64_t to;

		if (!piece || piece->start > at)
			return stale(seal);
		to = piece->end < end ? piece->end : end;
		fill(message, piece, at, to);
		r = wire_call(&seal->m->wire, message, NULL, 0, NULL, NULL, PROTO_DONE, NULL);
		at = to;
	}
	return r;
}

/* POPULATE, FLUSH and COMMIT begin alike. */
static void fill_populate(struct proto_message *message, const struct piece *piece, uint64_t start,
			  uint64_t end)
{
	message->populate.seal = piece->id;
	message->populate.offset = start;
	message->populate.length = end - start;
}

static void fill_flush(struct proto_message *message, const struct piece *piece, uint64_t start,
		       uint64_t end)
{
	message->flush.seal = piece->id;
	message->flush.offset = start;
	message->flush.length = end - start;
}

static void fill_commit(struct proto_message *message, const struct piece *piece, uint64_t start,
			uint64_t end)
{
	message->commit.seal = piece->id;
	message->commit.offset = start;
	message->commit.length = end - start;
}

int mapseal_populate(struct mapseal_seal *seal, uint64_t offset, uint64_t length,
		     enum mapseal_mode mode)
{
	struct proto_message message = { .type = PROTO_POPULATE, .populate.mode = mode };
	int r = connection_check(seal->m);

	if (r < 0)
		return r;
	if (mode != MAPSEAL_READ && mode != MAPSEAL_WRITE)
		return error_set(EINVAL, "Pages are populated to READ or to WRITE, not for %d",
				 (int)mode);
	if (mode == MAPSEAL_WRITE && seal->mode != MAPSEAL_WRITE)
		return error_set(EACCES, "Pages of a READ seal are never writable");
	r = check_range(seal, offset, length);
	if (r < 0)
		return r;
	wire_lock(&seal->m->wire);
	r = each_piece(seal, offset, offset + length, &message, fill_populate);
	wire_unlock(&seal->m->wire);
	return r;
}

static int write_back(struct mapseal_seal *seal, uint64_t offset, uint64_t length,
		      enum proto_type type)
{
	struct proto_message message = { .type = type };
	int r = connection_check(seal->m);

	if (r < 0)
		return r;
	if (seal->mode != MAPSEAL_WRITE)
		return error_set(EACCES, "Nothing is written through a READ seal");
	r = check_range(seal, offset, length);
	if (r < 0)
		return r;
	wire_lock(&seal->m->wire);
	r = each_piece(seal, offset, offset + length, &message,
		       type == PROTO_FLUSH ? fill_flush : fill_commit);
	wire_unlock(&seal->m->wire);
	return r;
}

int mapseal_flush(struct mapseal_seal *seal, uint64_t offset, uint64_t length)
{
	return write_back(seal, offset, length, PROTO_FLUSH);
}

int mapseal_commit(struct mapseal_seal *seal, uint64_t offset, uint64_t length)
{
	return write_back(seal, offset, length, PROTO_COMMIT);
}

/* ---- returning --------------------------------------------------------------------------- */

struct returning {
	struct mapseal_seal *seal;
	uint64_t id;
	uint64_t end; /* how far it came back */
	bool over;    /* the reply was seen: piece->returning may be somebody else's by now */
};

static void on_returned(const struct proto_message *reply, void *data)
{
	struct returning *returning = data;
	struct piece *piece = piece_find(returning->seal->m, returning->id);
	const struct proto_returned *returned;

	returning->over = true;
	if (!piece)
		return;
	piece->returning = false;
	if (reply && reply->type == PROTO_RETURNED) {
		returned = &reply->returned;
		returning->end = returned->offset + returned->length;
		piece_returned(piece, returned->seq, returned->offset, returning->end,
			       returned->upper, returned->upper_seq);
	}
	agent_kick(returning->seal->m);
}

/* 0 says that it came back up to *ret_end, or that it is worth another look. */
static int return_piece(struct mapseal_seal *seal, struct piece *piece, uint64_t start,
			uint64_t end, unsigned int flags, uint64_t *ret_end)
{
	struct returning returning = { .seal = seal, .id = piece->id, .end = end };
	uint32_t seq = piece->seq;
	struct proto_message message = {
		.type = PROTO_RETURN,
		.return_ = {
			.seal = piece->id,
			.seq = seq,
			.offset = start,
			.length = end - start,
			.flags = flags,
		},
	};
	int r;

	piece->returning = true;
	r = wire_call(&seal->m->wire, &message, NULL, 0, on_returned, &returning, PROTO_RETURNED,
		      NULL);
	piece = piece_find(seal->m, returning.id);
	if (piece && !returning.over)
		piece->returning = false;
	wire_wake(&seal->m->wire);
	if (r == 0)
		*ret_end = returning.end;
	else if (strcmp(mapseal_last_error()->code, proto_error_name(PROTO_E_OLD_SEQ)) == 0)
		r = piece && piece->seq == seq ? stale(seal) : 0;
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
		if (piece->returning) {
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
	r = check_range(seal, offset, length);
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
		    : stale(seal);
	wire_unlock(&m->wire);
	return r;
}

/* ---- the end ----------------------------------------------------------------------------- */

void seal_destroy(struct mapseal_seal *seal)
{
	struct mapseal *m = seal->m;
	struct window *retired = NULL;
	bool served;

	agent_forget(m, seal);
	served = !list_empty(&seal->pieces) && !m->wire.lost;
	while (!list_empty(&seal->pieces))
		piece_end(list_entry(list_first(&seal->pieces), struct piece, link));
	list_unlink(&seal->link);
	if (served && seal->window.address) {
		mprotect(seal->window.address, seal->window.length, PROT_NONE);
		retired = malloc(sizeof(*retired));
		if (retired) {
			*retired = seal->window;
			list_init(&retired->link);
			list_append(&m->space.retired, &retired->link);
		}
	} else {
		wire_unlock(&m->wire);
		window_unmap(&seal->window, m->space.uffd);
		wire_lock(&m->wire);
	}
	free(seal);
}

/* In a child there is no window, and the list is the parent's. */
static void forget_in_child(struct mapseal_seal *seal)
{
	while (!list_empty(&seal->pieces))
		piece_end(list_entry(list_first(&seal->pieces), struct piece, link));
	list_unlink(&seal->link);
	free(seal);
}

struct mapseal_seal *mapseal_seal_free(struct mapseal_seal *seal)
{
	struct mapseal *m;
	bool drain;

	if (!seal)
		return NULL;
	m = seal->m;
	if (connection_check(m) < 0) {
		forget_in_child(seal);
		return NULL;
	}
	wire_lock(&m->wire);
	drain = !gate_inside_self(&seal->gate) &&
		!(m->agent.showing == seal && connection_in_callback(m));
	if (!list_empty(&seal->pieces) && !m->wire.lost)
		seal_return(seal, seal->offset, seal->offset + seal->length, 0, drain);
	seal_destroy(seal);
	wire_unlock(&m->wire);
	return NULL;
}

/* ---- looking ----------------------------------------------------------------------------- */

void *mapseal_address(const struct mapseal_seal *seal)
{
	return seal->window.address;
}

uint64_t mapseal_offset(const struct mapseal_seal *seal)
{
	return seal->offset;
}

uint64_t mapseal_length(const struct mapseal_seal *seal)
{
	return seal->length;
}

uint64_t mapseal_id(const struct mapseal_seal *seal)
{
	return seal->id;
}

enum mapseal_guard mapseal_seal_guard(const struct mapseal_seal *seal)
{
	return seal->guard;
}

uint64_t mapseal_object_size(const struct mapseal_seal *seal)
{
	uint64_t size;

	wire_lock(&seal->m->wire);
	size = seal->object_size;
	wire_unlock(&seal->m->wire);
	return size;
}

uint32_t mapseal_seq(const struct mapseal_seal *seal)
{
	struct list *first;
	uint32_t seq;

	wire_lock(&seal->m->wire);
	first = list_first(&seal->pieces);
	seq = first ? list_entry(first, struct piece, link)->seq : seal->last_seq;
	wire_unlock(&seal->m->wire);
	return seq;
}

enum mapseal_state mapseal_seal_state(const struct mapseal_seal *seal)
{
	enum mapseal_state state = MAPSEAL_HELD;

	wire_lock(&seal->m->wire);
	list_for_each(l, &seal->pieces) {
		const struct piece *piece = list_entry(l, struct piece, link);

		if (piece->parked || seal->m->wire.lost)
			state = MAPSEAL_PARKED;
		else if (piece->stage != PIECE_HELD && state == MAPSEAL_HELD)
			state = MAPSEAL_RECALLED;
	}
	if (seal->revoked)
		state = MAPSEAL_REVOKED;
	else if (list_empty(&seal->pieces))
		state = MAPSEAL_RETURNED;
	wire_unlock(&seal->m->wire);
	return state;
}
