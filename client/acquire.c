/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Acquiring a seal: attach, ask, map, say where, open.
 *
 * The seal exists, with its gate closed, from the moment the grant is read, since the next frame
 * may recall it. Such a recall is answered at once and goes on when the window is open; the
 * application then gets a seal whose mapseal_enter() fails, and its handler is called as for any
 * other.
 *
 * If the window cannot be made, the seal is given back: nothing was written to it.
 */

#include <errno.h>
#include <stdlib.h>

#include "client/agent.h"
#include "client/direct.h"
#include "client/error.h"
#include "client/seal.h"

#define ACQUIRE_FLAGS                                                                              \
	(MAPSEAL_NO_WAIT | MAPSEAL_WANT_AVAIL | MAPSEAL_PINNABLE | MAPSEAL_TRANSPARENT |           \
	 MAPSEAL_REVOKE_PARK | MAPSEAL_WEAK_OK | MAPSEAL_UNSHARE | MAPSEAL_HARD)

static int check(const struct mapseal_request *request)
{
	unsigned int unknown = request->flags & ~(unsigned int)ACQUIRE_FLAGS;

	if (unknown)
		return error_set(EINVAL, "Unknown flag 0x%x in a request", unknown);
	if ((request->flags & MAPSEAL_WANT_AVAIL) && !(request->flags & MAPSEAL_NO_WAIT))
		return error_set(EINVAL, "WANT_AVAIL is for requests with NO_WAIT: others wait");
	if (request->mode != MAPSEAL_READ && request->mode != MAPSEAL_WRITE)
		return error_set(EINVAL, "A seal's mode is READ or WRITE, not %d",
				 (int)request->mode);
	if (request->kind != MAPSEAL_WINDOW && request->kind != MAPSEAL_DIRECT)
		return error_set(EINVAL, "A seal's kind is WINDOW or DIRECT, not %d",
				 (int)request->kind);
	if (request->kind != MAPSEAL_DIRECT &&
	    (request->map_flags || request->flags & MAPSEAL_UNSHARE))
		return error_set(EINVAL, "map_flags and UNSHARE are for DIRECT seals");
	if ((request->flags & MAPSEAL_PINNABLE) && request->mode != MAPSEAL_WRITE)
		return error_set(EINVAL, "READ windows are not for pinning");
	if (request->object && !*request->object)
		return error_set(EINVAL, "The object's name is empty");
	if (!request->object && request->fd < 0)
		return error_set(EBADF, "Neither an object's name nor a descriptor");
	if (request->length == 0 && request->offset)
		return error_set(EINVAL, "The range from %llu is empty",
				 (unsigned long long)request->offset);
	return connection_check_range(request->offset, request->length);
}

/* Takes @direct over, also if it fails. */
static struct mapseal_seal *seal_new(struct mapseal *m, const struct mapseal_request *request,
				     struct direct *direct)
{
	struct mapseal_seal *seal = calloc(1, sizeof(*seal));

	if (!seal) {
		direct_drop(direct);
		return NULL;
	}
	seal->direct = direct;
	gate_init(&seal->gate, m->agent.kick);
	seal->m = m;
	seal->mode = request->mode;
	seal->on_recall = request->on_recall;
	seal->data = request->data;
	seal->mapping = true;
	list_init(&seal->link);
	list_init(&seal->pieces);
	seal->window = calloc(1, sizeof(*seal->window));
	if (!seal->window) {
		direct_drop(direct);
		free(seal);
		return NULL;
	}
	list_init(&seal->window->link);
	return seal;
}

struct granting {
	struct mapseal_seal *seal;
	struct piece *piece;
};

static void on_granted(const struct proto_message *reply, void *data)
{
	struct granting *granting = data;
	struct mapseal_seal *seal = granting->seal;
	const struct proto_granted *granted;

	if (!reply || reply->type != PROTO_GRANTED)
		return;
	granted = &reply->granted;
	seal->id = granted->seal;
	seal->object = granted->object;
	seal->offset = granted->offset;
	seal->length = granted->length;
	seal->object_size = granted->size;
	seal->guard = (enum mapseal_guard)granted->guard;
	seal->weak = granted->flags & PROTO_GRANT_WEAK;
	seal->transparent = granted->flags & PROTO_GRANT_TRANSPARENT;
	list_append(&seal->m->seals, &seal->link);
	piece_link(take_ptr(granting->piece), seal, granted->seal, granted->seq, granted->offset,
		   granted->offset + granted->length);
}

/* Under the lock. *ret_memory is the window's. */
static int ask(struct mapseal_seal *seal, const struct mapseal_request *request, int *ret_memory,
	       uint64_t *ret_offset)
{
	_cleanup_(wire_frame_freep) struct wire_frame *reply = NULL;
	bool whole = request->offset == 0 && request->length == 0;
	struct granting granting = { .seal = seal, .piece = piece_new() };
	struct proto_message message = {
		.type = PROTO_ACQUIRE,
		.acquire = {
			.object = request->object,
			.mode = request->mode,
			.kind = request->kind,
			.flags = request->flags | (whole ? PROTO_ACQUIRE_WHOLE : 0),
			.offset = request->offset,
			.length = request->length,
			.token = request->token,
			.wait_ms = request->wait_ms,
		},
	};
	int r;

	if (!granting.piece)
		return error_set(ENOMEM, "Out of memory");
	r = wire_call(&seal->m->wire, &message, &request->fd, request->object ? 0 : 1, on_granted,
		      &granting, PROTO_GRANTED, &reply);
	free(granting.piece);
	if (r < 0)
		return r;
	*ret_memory = fdlist_take(&reply->fds, 0);
	*ret_offset = reply->message.granted.memory_offset;
	return 0;
}

static int map(struct mapseal_seal *seal, int memory, uint64_t offset)
{
	bool write = seal->mode == MAPSEAL_WRITE;
	struct mapseal *m = seal->m;
	struct proto_message message = { .type = PROTO_MAP };
	int r;

	r = window_map(seal->window, memory, offset, seal->length, write);
	if (r < 0)
		return r;
	message.map.seal = seal->id;
	message.map.address = (uintptr_t)seal->window->address;
	message.map.length = seal->window->length;
	wire_lock(&m->wire);
	r = wire_call(&m->wire, &message, NULL, 0, NULL, NULL, PROTO_DONE, NULL);
	wire_unlock(&m->wire);
	if (r < 0)
		return r;
	return window_open(seal->window, write);
}

static int acquire(struct mapseal *m, const struct mapseal_request *request,
		   struct mapseal_seal *seal)
{
	_cleanup_fd_ int memory = -1;
	uint64_t offset = 0;
	int r;

	wire_lock(&m->wire);
	r = ask(seal, request, &memory, &offset);
	wire_unlock(&m->wire);
	if (r == 0)
		r = seal->direct ? direct_map(seal, take_fd(&memory), offset)
				 : map(seal, memory, offset);

	wire_lock(&m->wire);
	seal->mapping = false;
	if (r == 0 && seal->direct)
		direct_mapped(seal);
	seal_update_gate(seal);
	if (r == 0)
		agent_kick(m);
	wire_unlock(&m->wire);
	return r;
}

int mapseal_acquire(struct mapseal *m, const struct mapseal_request *given,
		    struct mapseal_seal **ret)
{
	struct mapseal_request request;
	struct mapseal_error why;
	struct mapseal_seal *seal;
	struct direct *direct = NULL;
	int r;

	r = connection_check(m);
	if (r == 0)
		r = connection_copy(&request, sizeof(request), given, "struct mapseal_request");
	if (r == 0)
		r = connection_token(request.token, &request.token);
	if (r < 0)
		return r;
	if (!request.kind)
		request.kind = MAPSEAL_WINDOW;
	r = check(&request);
	if (r == 0 && request.kind == MAPSEAL_DIRECT)
		r = direct_new(m, &request, &direct);
	else if (r == 0)
		r = space_attach(m, request.object, request.flags & MAPSEAL_TRANSPARENT);
	if (r < 0)
		return r;
	seal = seal_new(m, &request, direct);
	if (!seal)
		return error_set(ENOMEM, "Out of memory");
	r = acquire(m, &request, seal);
	if (r < 0) {
		why = *mapseal_last_error();
		wire_lock(&m->wire);
		if (!list_empty(&seal->pieces) && !m->wire.lost)
			seal_return(seal, seal->offset, seal->offset + seal->length,
				    MAPSEAL_DISCARD, false);
		seal_destroy(seal);
		wire_unlock(&m->wire);
		error_restore(&why);
		return r;
	}
	*ret = seal;
	return 0;
}
