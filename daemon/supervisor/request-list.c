/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * STATUS_GET and LIST: what there is, for whoever may see it.
 *
 * A listing is made at one moment, so it never shows a state that was not. It costs as much as its
 * sender may see: what others hold on other objects is not gone through, so nobody's quota lets it
 * keep this thread from others for long. Root sees everything, and waits for it.
 */

#include <string.h>

#include "daemon/core/deadline.h"
#include "daemon/supervisor/wiring.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

struct listing {
	struct supervisor *s;
	struct client *client;
	uint32_t serial;
	uint64_t id, now, n;
	bool of_others; /* those of the client's uid were listed */
};

static uint64_t elapsed_ms(uint64_t from, uint64_t to)
{
	return to > from ? (to - from) / 1000000 : 0;
}

void request_status(struct supervisor *s, struct client *client, uint32_t serial)
{
	struct pager_stats pager;
	struct core_stats core;
	struct guard_stats guard;
	struct proto_message message = { .type = PROTO_STATUS };

	core_stats(s->core, &core);
	pager_stats(s->pager, &pager);
	guard_stats(s->guard, &guard);
	message.status = (struct proto_status){
		.epoch = s->epoch,
		.pid = getpid(),
		.uptime_ms = elapsed_ms(s->started_at, loop_now()),
		.sessions = (uint32_t)sessions_count(s->sessions),
		.seals = (uint32_t)core.seals,
		.objects = (uint32_t)core.objects,
		.breaks = (uint32_t)core.requests,
		.window_bytes = pager.window_bytes,
		.quarantined = s->quarantined_bytes,
		.grants = core.grants,
		.recalls = core.recalls,
		.returns = core.returns + core.partial_returns,
		.revocations = core.revocations,
		.faults = pager.faults,
		.pages_filled = pager.pages_filled,
		.pages_written = pager.pages_written,
		.guard = (uint8_t)guard_level(s->guard),
		.strangers = (uint32_t)guard.held,
		.strangers_held = guard.held_total,
		.strangers_denied = guard.denied,
		.broken_promises = s->broken_promises,
		.version = PACKAGE_VERSION,
	};
	session_reply(client->session, serial, &message, -1);
}

static bool list_seal(const struct core_seal_view *view, void *data)
{
	struct listing *listing = data;
	struct supervisor *s = listing->s;
	const struct client *holder = client_find(s, view->holder);
	const struct object *object = object_find(s, view->object);
	const struct seal *seal = seal_find(s, view->id);
	bool weak = false;
	enum guard_level guard = seal ? guards_level(s, seal, &weak) : GUARD_COOPERATIVE;
	struct proto_message message = {
		.type = PROTO_LIST_SEAL,
		.list_seal = {
			.id = view->id,
			.object = object ? object->name : "",
			.offset = view->start,
			.length = view->end - view->start,
			.mode = view->mode,
			.kind = view->kind,
			.state = view->state,
			.seq = view->seq,
			.guard = (uint8_t)guard,
			.flags = (view->pinnable ? PROTO_ENTRY_PINNABLE : 0) |
				 (weak ? PROTO_ENTRY_WEAK : 0) |
				 (view->transparent ? PROTO_ENTRY_TRANSPARENT : 0) |
				 (seal && seal->broken_bytes ? PROTO_ENTRY_BROKEN : 0) |
				 (view->hard ? PROTO_ENTRY_HARD : 0),
			.pid = holder ? holder->pid : 0,
			.uid = holder ? holder->uid : 0,
			.comm = holder ? holder->comm : "",
			.held_ms = elapsed_ms(view->granted_at, listing->now),
			.deadline_ms = view->deadline == CORE_NEVER
					       ? 0
					       : deadline_ms(listing->now, view->deadline),
		},
	};

	if (listing->of_others && holder && holder->uid == listing->client->uid)
		return true;
	if (!visible(s, listing->client, holder ? holder->uid : 0, view->object))
		return true;
	message.list_seal.dirty =
		pager_dirty_in(s->pager, view->window, view->start, view->end);
	session_part(listing->client->session, listing->serial, &message);
	listing->n++;
	return true;
}

static void list_window(struct listing *listing, const struct window *window)
{
	struct core_seal_view view;

	list_for_each (l, &window->seals)
		if (core_seal_find(listing->s->core, list_entry(l, struct seal, link)->node.id,
				   &view))
			list_seal(&view, listing);
}

static void list_own_seals(struct listing *listing)
{
	list_for_each (l, &listing->s->client_list) {
		const struct client *client = list_entry(l, struct client, link);

		if (client->uid != listing->client->uid)
			continue;
		list_for_each (w, &client->windows)
			list_window(listing, list_entry(w, struct window, link));
	}
}

static void list_seals(struct listing *listing)
{
	struct core *core = listing->s->core;
	struct core_seal_view view;

	if (listing->id) {
		if (core_seal_find(core, listing->id, &view))
			list_seal(&view, listing);
		return;
	}
	if (listing->client->uid == 0) {
		core_seal_each(core, 0, 0, CORE_INFINITY, list_seal, listing);
		return;
	}
	list_own_seals(listing);
	listing->of_others = true;
	list_for_each (l, &listing->client->proofs)
		core_seal_each(core, list_entry(l, struct proof, by_client)->object->node.id, 0,
			       CORE_INFINITY, list_seal, listing);
}

static void list_holder(const struct core_account_entry *line, void *data)
{
	const struct listing *listing = data;

	break_holder_part(listing->s, listing->client, listing->serial, line, NULL);
}

static void show_break(struct listing *listing, const struct core_request_view *view,
		       const struct client *asker)
{
	const struct object *object = object_find(listing->s, view->object);
	const struct stranger *stranger = stranger_find(listing->s, view->id);
	struct proto_message message = {
		.type = PROTO_LIST_BREAK,
		.list_break = {
			.id = view->id,
			.object = object ? object->name : "",
			.offset = view->start,
			.length = view->end == CORE_INFINITY ? 0 : view->end - view->start,
			.want = view->want,
			.flags = (view->held ? PROTO_ENTRY_HELD_BREAK : 0) |
				 (view->is_break ? PROTO_ENTRY_IS_BREAK : 0),
			.pid = asker ? asker->pid : view->process ? peer_process_pid(view->process) : 0,
			.uid = asker ? asker->uid : stranger ? stranger->uid : 0,
			.comm = asker ? asker->comm : stranger ? stranger->comm : "",
			.ms = elapsed_ms(view->since, listing->now),
			.holders = (uint32_t)view->n_account,
		},
	};

	session_part(listing->client->session, listing->serial, &message);
	core_request_account(listing->s->core, view->id, list_holder, listing);
	listing->n++;
}

static bool list_break(const struct core_request_view *view, void *data)
{
	struct listing *listing = data;
	const struct client *asker = client_find(listing->s, view->holder);

	if (visible(listing->s, listing->client, asker ? asker->uid : 0, view->object))
		show_break(listing, view, asker);
	return true;
}

static void list_breaks(struct listing *listing)
{
	const struct core *core = listing->s->core;
	struct core_request_view view;

	if (!listing->id)
		core_request_each(core, list_break, listing);
	else if (core_request_show(core, listing->id, &view))
		list_break(&view, listing);
}

static void list_kept(struct listing *listing, const struct kept *kept)
{
	struct proto_message message = {
		.type = PROTO_LIST_QUARANTINE,
		.list_quarantine = {
			.id = kept->node.id,
			.seal = kept->seal,
			.object = kept->object,
			.offset = kept->start,
			.length = kept->end - kept->start,
			.bytes = kept->bytes,
			.number = kept->number,
			.uid = kept->uid,
			.age_ms = elapsed_ms(kept->since, listing->now),
		},
	};

	if (!kept_visible(listing->client, kept))
		return;
	session_part(listing->client->session, listing->serial, &message);
	listing->n++;
}

static void list_quarantine(struct listing *listing)
{
	const struct kept *kept;

	if (listing->id) {
		kept = kept_find(listing->s, listing->id);
		if (kept)
			list_kept(listing, kept);
		return;
	}
	list_for_each (l, &listing->s->quarantine_list)
		list_kept(listing, list_entry(l, struct kept, link));
}

void request_list(struct supervisor *s, struct client *client, uint32_t serial,
		  const struct proto_list *m)
{
	struct listing listing = {
		.s = s,
		.client = client,
		.serial = serial,
		.id = m->id,
		.now = loop_now(),
	};

	switch (m->what) {
	case PROTO_LISTING_SEALS:
		list_seals(&listing);
		break;
	case PROTO_LISTING_BREAKS:
		list_breaks(&listing);
		break;
	case PROTO_LISTING_QUARANTINE:
		list_quarantine(&listing);
		break;
	}
	session_done(client->session, serial, listing.n);
}
