/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * EXTENTS_GET and VERIFY: what was promised under a DIRECT seal, and whether it was kept.
 *
 * Whoever may see the seal may ask; whoever can open the file can read its map anyway. Extents are
 * given out by the page, so that the map of a very fragmented file keeps nobody from this thread.
 */

#include <inttypes.h>

#include "daemon/supervisor/wiring.h"

#define EXTENTS_AT_ONCE 128

static int find(struct supervisor *s, struct client *client, uint64_t id, struct seal **ret,
		struct core_seal_view *ret_view, struct refusal *refusal)
{
	struct seal *seal = seal_find(s, id);

	if (!seal || !seal->announced || !core_seal_find(s->core, id, ret_view) ||
	    !visible(s, client, seal->window->client->uid, ret_view->object))
		return refuse(refusal, PROTO_E_BAD_SEAL, "there is no seal %" PRIu64
			      " that uid %u may see", id, client->uid);
	if (!seal->window->direct)
		return refuse(refusal, PROTO_E_UNSUPPORTED,
			      "seal %" PRIu64 " is a WINDOW seal, which promises no block map", id);
	if (ret_view->state == CORE_SEAL_PARKED)
		return refuse(refusal, PROTO_E_BAD_SEAL, "seal %" PRIu64 " is parked, and promises "
			      "nothing until it is granted again", id);
	*ret = seal;
	return 0;
}

static uint64_t send_extents(struct client *client, uint32_t serial, const struct extents *extents,
			     uint64_t start, uint64_t end)
{
	struct proto_message message = { .type = PROTO_EXTENT };
	size_t first = extents_find(extents, start);

	for (size_t i = first; i < extents->n && extents->v[i].logical < end; i++) {
		const struct extent *e = &extents->v[i];
		uint64_t from = e->logical > start ? e->logical : start;
		uint64_t to = e->logical + e->length < end ? e->logical + e->length : end;

		if (i - first == EXTENTS_AT_ONCE)
			return from;
		message.extent.offset = from;
		message.extent.length = to - from;
		message.extent.physical = e->physical + (from - e->logical);
		message.extent.flags = e->flags;
		session_part(client->session, serial, &message);
	}
	return 0;
}

void request_extents_get(struct supervisor *s, struct client *client, uint32_t serial,
			 const struct proto_extents_get *m)
{
	struct core_seal_view view;
	struct refusal refusal;
	struct seal *seal;
	uint64_t next;

	if (find(s, client, m->seal, &seal, &view, &refusal) != 0) {
		refusal_send(client, serial, &refusal);
		return;
	}
	next = send_extents(client, serial, &seal->window->map->extents,
			    m->offset > view.start ? m->offset : view.start, view.end);
	session_done(client->session, serial, next);
}

void request_verify(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_verify *m)
{
	struct direct_job job = { .type = DIRECT_VERIFY, .asked = true };
	struct errand errand = { .what_for = ERRAND_REQUEST, .seal = m->seal, .serial = serial };
	struct core_seal_view view;
	struct refusal refusal;
	struct seal *seal;
	int r;

	r = find(s, client, m->seal, &seal, &view, &refusal);
	if (!r) {
		errand.start = view.start;
		errand.end = view.end;
		errand.asker = client->node.id;
		if (errand_submit(s, &errand, seal->window, &job, NULL) == 0)
			return;
		refuse(&refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	}
	refusal_send(client, serial, &refusal);
}

static void send_differences(struct client *client, uint32_t serial,
			     const struct direct_event *event)
{
	struct proto_message message = { .type = PROTO_DIFFERENCE };

	for (uint64_t i = 0; i < event->n_differences && i < DIRECT_DIFFERENCES_MAX; i++) {
		const struct extents_difference *d = &event->differences[i];

		message.difference = (struct proto_difference){
			.offset = d->logical,
			.length = d->length,
			.promised = d->promised,
			.now = d->now,
			.flags = d->flags,
		};
		session_part(client->session, serial, &message);
	}
	message = (struct proto_message){
		.type = PROTO_VERIFIED,
		.verified = {
			.extents = event->extents,
			.differences = event->n_differences,
			.bytes = event->bytes,
		},
	};
	session_reply(client->session, serial, &message, -1);
}

/* A seal that was given back meanwhile had a promise no more, and its range may have been changed. */
void verify_done(struct supervisor *s, const struct errand *errand, const struct direct_event *event)
{
	struct client *client = client_find(s, errand->asker);
	struct core_seal_view view;
	struct refusal refusal;
	bool held = core_seal_find(s->core, errand->seal, &view) && view.start <= errand->start &&
		    view.end >= errand->end &&
		    (view.state == CORE_SEAL_HELD || view.state == CORE_SEAL_RECALLED);

	if (held)
		broken_look(s, errand, event);
	if (!client || !client->session)
		return;
	if (!held || event->error) {
		if (held)
			refuse_errno(&refusal, PROTO_E_IO, event->error,
				     "the block map can't be read");
		else
			refuse(&refusal, PROTO_E_BAD_SEAL, "seal %" PRIu64 " was given back or taken "
			       "meanwhile", errand->seal);
		refusal_send(client, errand->serial, &refusal);
		return;
	}
	send_differences(client, errand->serial, event);
}
