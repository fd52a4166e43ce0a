/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Block maps: what was promised under a DIRECT seal, and how it compares with what is there now.
 *
 * A map comes in pages, each of which says where the next begins. As with other listings the
 * callback runs in the caller's thread without the lock, and one that stops early has the rest
 * dropped.
 */

#include <errno.h>

#include "client/connection.h"
#include "client/error.h"

struct looking {
	int (*extent)(const struct mapseal_extent *extent, void *data);
	int (*difference)(const struct mapseal_difference *difference, void *data);
	void *data;
	uint64_t next;			/* EXTENTS_GET: where to go on; 0: that was all */
	struct proto_verified verified; /* VERIFY */
};

static int show(const struct looking *looking, const struct proto_message *message)
{
	if (message->type == PROTO_EXTENT)
		return !looking->extent
			       ? 0
			       : looking->extent(
					 &(struct mapseal_extent){
						 .offset = message->extent.offset,
						 .physical = message->extent.physical,
						 .length = message->extent.length,
						 .flags = message->extent.flags,
					 },
					 looking->data);
	if (message->type == PROTO_DIFFERENCE)
		return !looking->difference
			       ? 0
			       : looking->difference(
					 &(struct mapseal_difference){
						 .offset = message->difference.offset,
						 .length = message->difference.length,
						 .promised = message->difference.promised,
						 .now = message->difference.now,
						 .flags = message->difference.flags,
					 },
					 looking->data);
	return error_set(EBADMSG, "A block map has a part of something else");
}

static int run(struct wire *w, struct wire_call *call, struct looking *looking)
{
	int result = 0;

	for (;;) {
		struct wire_frame *frame;
		const struct proto_message *message;
		int r = wire_next(w, call, &frame);

		if (r < 0)
			return r;
		message = &frame->message;
		if (message->type == PROTO_REFUSED)
			result = error_refused(&message->refused);
		else if (message->type == PROTO_DONE)
			looking->next = message->done.value;
		else if (message->type == PROTO_VERIFIED)
			looking->verified = message->verified;
		if (call->done && list_empty(&call->frames)) {
			wire_frame_free(frame);
			return result;
		}
		if (!result) {
			wire_unlock(w);
			result = show(looking, message);
			wire_lock(w);
		}
		wire_frame_free(frame);
	}
}

static int look(struct mapseal *m, struct proto_message *message, struct looking *looking)
{
	struct wire_call call;
	int r = connection_check(m);

	if (r < 0)
		return r;
	wire_lock(&m->wire);
	r = wire_begin(&m->wire, &call, message, NULL, 0, NULL, NULL);
	if (r == 0) {
		r = run(&m->wire, &call, looking);
		wire_end(&m->wire, &call);
	}
	wire_unlock(&m->wire);
	return r;
}

int mapseal_extents(struct mapseal *m, uint64_t seal,
		    int (*fn)(const struct mapseal_extent *extent, void *data), void *data)
{
	struct proto_message message = { .type = PROTO_EXTENTS_GET, .extents_get.seal = seal };
	struct looking looking = { .extent = fn, .data = data };
	int r;

	do {
		message.extents_get.offset = looking.next;
		looking.next = 0;
		r = look(m, &message, &looking);
	} while (r == 0 && looking.next);
	return r;
}

int mapseal_verify(struct mapseal *m, uint64_t seal,
		   int (*fn)(const struct mapseal_difference *difference, void *data), void *data,
		   struct mapseal_verified *ret)
{
	struct proto_message message = { .type = PROTO_VERIFY, .verify.seal = seal };
	struct looking looking = { .difference = fn, .data = data };
	int r = look(m, &message, &looking);

	if (r == 0 && ret)
		*ret = (struct mapseal_verified){
			.extents = looking.verified.extents,
			.differences = looking.verified.differences,
			.bytes = looking.verified.bytes,
		};
	return r;
}
