/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Listings: what the supervisor lets this session see.
 *
 * A listing comes in parts and is handed on part by part, in the caller's thread and without the
 * lock; nothing of it is kept. A callback that stops early has the rest read and dropped. A break
 * is followed by the lines of its account, and is told when they are complete.
 */

#include <errno.h>
#include <stdlib.h>

#include "client/break.h"
#include "client/connection.h"
#include "client/error.h"

/* One of the three callbacks. */
struct listing {
	int (*seals)(const struct mapseal_seal_info *info, void *data);
	int (*breaks)(const struct mapseal_break_info *info, void *data);
	int (*quarantine)(const struct mapseal_quarantine_info *info, void *data);
	void *data;
	struct wire_frame *brk; /* whose account is not complete */
	struct mapseal_account *account;
	size_t n_account;
};

static int show_seal(struct listing *listing, const struct proto_list_seal *entry)
{
	struct mapseal_seal_info info = {
		.id = entry->id,
		.object = entry->object,
		.offset = entry->offset,
		.length = entry->length,
		.mode = proto_text(PROTO_TEXT_MODE, entry->mode),
		.kind = proto_text(PROTO_TEXT_KIND, entry->kind),
		.state = proto_text(PROTO_TEXT_STATE, entry->state),
		.guard = proto_text(PROTO_TEXT_GUARD, entry->guard),
		.seq = entry->seq,
		.pinnable = entry->flags & PROTO_ENTRY_PINNABLE,
		.transparent = entry->flags & PROTO_ENTRY_TRANSPARENT,
		.weak = entry->flags & PROTO_ENTRY_WEAK,
		.hard = entry->flags & PROTO_ENTRY_HARD,
		.pid = entry->pid,
		.uid = entry->uid,
		.comm = entry->comm,
		.held_ms = entry->held_ms,
		.deadline_ms = entry->deadline_ms,
		.dirty = entry->dirty,
		.broken = entry->flags & PROTO_ENTRY_BROKEN,
	};

	return listing->seals(&info, listing->data);
}

static int show_quarantine(struct listing *listing, const struct proto_list_quarantine *entry)
{
	struct mapseal_quarantine_info info = {
		.id = entry->id,
		.seal = entry->seal,
		.object = entry->object,
		.offset = entry->offset,
		.length = entry->length,
		.bytes = entry->bytes,
		.error = entry->number,
		.uid = entry->uid,
		.age_ms = entry->age_ms,
	};

	return listing->quarantine(&info, listing->data);
}

static int show_break(struct listing *listing)
{
	const struct proto_list_break *entry = &listing->brk->message.list_break;
	struct mapseal_break_info info = {
		.id = entry->id,
		.object = entry->object,
		.offset = entry->offset,
		.length = entry->length,
		.want = proto_text(PROTO_TEXT_WANT, entry->want),
		.held = entry->flags & PROTO_ENTRY_HELD_BREAK,
		.is_break = entry->flags & PROTO_ENTRY_IS_BREAK,
		.pid = entry->pid,
		.uid = entry->uid,
		.comm = entry->comm,
		.ms = entry->ms,
		.account = listing->account,
		.n_account = listing->n_account,
	};
	int r = listing->breaks(&info, listing->data);

	listing->brk = wire_frame_free(listing->brk);
	return r;
}

static int begin_break(struct listing *listing, struct wire_frame *frame)
{
	uint32_t n = frame->message.list_break.holders;
	struct mapseal_account *account = reallocarray(listing->account, n ? n : 1,
						       sizeof(*account));

	if (!account) {
		wire_frame_free(frame);
		return error_set(ENOMEM, "Out of memory for an account of %u lines", n);
	}
	listing->account = account;
	listing->n_account = 0;
	listing->brk = frame;
	return n == 0 ? show_break(listing) : 0;
}

static int add_line(struct listing *listing, const struct proto_break_holder *holder)
{
	if (!listing->brk)
		return 0;
	break_account(holder, &listing->account[listing->n_account++]);
	return listing->n_account == listing->brk->message.list_break.holders
		       ? show_break(listing)
		       : 0;
}

/* Owns the frame. */
static int show(struct listing *listing, struct wire_frame *frame)
{
	_cleanup_(wire_frame_freep) struct wire_frame *owned = frame;
	const struct proto_message *message = &frame->message;

	if (message->type == PROTO_LIST_SEAL && listing->seals)
		return show_seal(listing, &message->list_seal);
	if (message->type == PROTO_LIST_QUARANTINE && listing->quarantine)
		return show_quarantine(listing, &message->list_quarantine);
	if (message->type == PROTO_LIST_BREAK && listing->breaks) {
		/* One that is short of lines is told with those that there are. */
		int r = listing->brk ? show_break(listing) : 0;

		return r ? r : begin_break(listing, take_ptr(owned));
	}
	if (message->type == PROTO_BREAK_HOLDER && listing->breaks)
		return add_line(listing, &message->break_holder);
	return error_set(EBADMSG, "A listing has a part of another");
}

static int run(struct wire *w, struct wire_call *call, struct listing *listing)
{
	int result = 0;

	for (;;) {
		struct wire_frame *frame;
		int r = wire_next(w, call, &frame);

		if (r < 0)
			return r;
		if (frame->message.type == PROTO_REFUSED || frame->message.type == PROTO_DONE) {
			if (frame->message.type == PROTO_REFUSED)
				result = error_refused(&frame->message.refused);
			wire_frame_free(frame);
			return result;
		}
		if (result) {
			wire_frame_free(frame);
			continue;
		}
		wire_unlock(w);
		result = show(listing, frame);
		wire_lock(w);
	}
}

static int list_all(struct mapseal *m, enum proto_e_LISTING what, uint64_t id,
		    struct listing *listing)
{
	struct proto_message message = {
		.type = PROTO_LIST,
		.list = { .what = what, .id = id },
	};
	struct wire_call call;
	int r = connection_check(m);

	if (r < 0)
		return r;
	wire_lock(&m->wire);
	r = wire_begin(&m->wire, &call, &message, NULL, 0, NULL, NULL);
	if (r == 0) {
		r = run(&m->wire, &call, listing);
		wire_end(&m->wire, &call);
	}
	wire_unlock(&m->wire);
	if (r == 0 && listing->brk)
		r = show_break(listing);
	wire_frame_free(listing->brk);
	free(listing->account);
	return r;
}

int mapseal_list_seals(struct mapseal *m, uint64_t id,
		       int (*fn)(const struct mapseal_seal_info *info, void *data), void *data)
{
	struct listing listing = { .seals = fn, .data = data };

	return list_all(m, PROTO_LISTING_SEALS, id, &listing);
}

int mapseal_list_breaks(struct mapseal *m, uint64_t id,
			int (*fn)(const struct mapseal_break_info *info, void *data), void *data)
{
	struct listing listing = { .breaks = fn, .data = data };

	return list_all(m, PROTO_LISTING_BREAKS, id, &listing);
}

int mapseal_list_quarantine(struct mapseal *m, uint64_t id,
			    int (*fn)(const struct mapseal_quarantine_info *info, void *data),
			    void *data)
{
	struct listing listing = { .quarantine = fn, .data = data };

	return list_all(m, PROTO_LISTING_QUARANTINE, id, &listing);
}
