/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Seals: looking at one, and how it ends.
 *
 * The handle is the application's, who frees it when no other thread uses it. A handler or event
 * callback may free it too; one that runs in another thread is waited for.
 *
 * What the supervisor would not take back (a full disk) is forgotten here, and it will be told so
 * when it asks. Its window goes all the same: the written bytes are in the supervisor's memory.
 */

#include "client/seal.h"

#include <errno.h>
#include <stdlib.h>

#include "client/agent.h"
#include "client/direct.h"
#include "client/error.h"

/* ---- ranges ------------------------------------------------------------------------------ */

int seal_check_range(const struct mapseal_seal *seal, uint64_t offset, uint64_t length)
{
	uint64_t end = seal->offset + seal->length;

	if (length && offset >= seal->offset && offset < end && length <= end - offset)
		return 0;
	return error_set(EINVAL, "%llu+%llu is no range of the seal, which has %llu+%llu",
			 (unsigned long long)offset, (unsigned long long)length,
			 (unsigned long long)seal->offset, (unsigned long long)seal->length);
}

int seal_stale(const struct mapseal_seal *seal)
{
	if (seal->m->wire.lost)
		return wire_error_lost(&seal->m->wire);
	return error_set(ESTALE, "The range is not held any more: it was returned or revoked");
}

/* ---- the end ----------------------------------------------------------------------------- */

static void end_pieces(struct mapseal_seal *seal)
{
	while (!list_empty(&seal->pieces))
		piece_end(list_entry(list_first(&seal->pieces), struct piece, link));
}

void seal_destroy(struct mapseal_seal *seal)
{
	struct mapseal *m = seal->m;
	struct list windows = LIST_INIT(windows);
	bool lost;

	agent_forget(m, seal);
	end_pieces(seal);
	list_unlink(&seal->link);
	lost = m->wire.lost;
	if (seal->direct)
		direct_free(seal, true);
	if (seal->window->address)
		list_append(&windows, &seal->window->link);
	else
		free(seal->window);
	wire_unlock(&m->wire);
	window_unmap(&windows, m->wire.socket, m->space.uffd, lost);
	wire_lock(&m->wire);
	while (!list_empty(&windows)) {
		struct list *left = list_first(&windows);

		list_unlink(left);
		list_append(&m->space.retired, left);
	}
	free(seal);
}

void seal_forget(struct mapseal_seal *seal, struct list *windows)
{
	end_pieces(seal);
	list_unlink(&seal->link);
	if (seal->direct)
		direct_free(seal, windows != NULL);
	if (windows && seal->window->address)
		list_append(windows, &seal->window->link);
	else
		free(seal->window);
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
		/* There is no window here, and the list is the parent's. */
		seal_forget(seal, NULL);
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
	return seal->window->address;
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
	return __atomic_load_n(&seal->id, __ATOMIC_RELAXED);
}

enum mapseal_guard mapseal_seal_guard(const struct mapseal_seal *seal)
{
	return seal->guard;
}

bool mapseal_seal_is_weak(const struct mapseal_seal *seal)
{
	return seal->weak;
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
