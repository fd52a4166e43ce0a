/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Seals: looking at one, and how it ends.
 *
 * A window is unmapped when the supervisor serves none of it any more. If it would not take the
 * seal back (a full disk), the window is put away until the connection ends, inaccessible, so that
 * nothing else is mapped at an address it still works on.
 *
 * The handle is the application's, who frees it when no other thread uses it. A handler or event
 * callback may free it too; one that runs in another thread is waited for.
 */

#include "client/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/agent.h"
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
