/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Telling watchers what happens. Only sessions that asked are gone through; a watcher that does
 * not read is hung up on like any other (session.c).
 */

#include <time.h>

#include "daemon/supervisor/wiring.h"

static uint64_t realtime_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool watch_any(const struct supervisor *s)
{
	return !list_empty(&s->watchers);
}

void watch_tell(struct supervisor *s, const struct change *change)
{
	const struct client *holder;
	const struct object *object;
	struct proto_message message;

	if (!watch_any(s))
		return;
	holder = client_find(s, change->holder);
	object = object_find(s, change->object);
	message = (struct proto_message){
		.type = PROTO_CHANGED,
		.changed = {
			.change = change->change,
			.time_ms = realtime_ms(),
			.id = change->id,
			.object = object ? object->name : "",
			.offset = change->start,
			.length = change->end == CORE_INFINITY ? 0 : change->end - change->start,
			.pid = holder ? holder->pid : 0,
			.uid = holder ? holder->uid : 0,
			.comm = holder ? holder->comm : "",
			.detail = change->detail ? change->detail : "",
		},
	};
	list_for_each (l, &s->watchers) {
		struct client *client = list_entry(l, struct client, watch_link);

		/* without a known holder it is nobody's: root's, and those who proved the object */
		if (visible(s, client, holder ? holder->uid : 0, change->object))
			session_event(client->session, &message);
	}
}

void request_watch(struct supervisor *s, struct client *client, uint32_t serial)
{
	struct refusal refusal;

	if (!list_empty(&client->watch_link)) {
		refuse(&refusal, PROTO_E_STATE, "this session watches already");
		refusal_send(client, serial, &refusal);
		return;
	}
	list_append(&s->watchers, &client->watch_link);
	session_done(client->session, serial, 0);
}
