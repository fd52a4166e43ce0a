/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Broken promises: blocks that are not where the holder of a DIRECT seal was told they are.
 *
 * Nobody who speaks the protocol can do that, and a guard keeps others from it as far as it
 * reaches; what got past both is found when the map is compared, and then said as loudly as can
 * be: in the log, to watchers, in listings, and to the holder, who may be about to use those
 * extents. What was said once is not said again until it is more.
 *
 * A holder may break its own promise bit by bit, and have it looked at each time. So of promises
 * that are broken in quick succession the log has one, and their number; all others hear of each.
 */

#include <inttypes.h>
#include <stdio.h>

#include "daemon/supervisor/wiring.h"
#include "util/units.h"

static void log_it(struct supervisor *s, const struct errand *errand, const struct direct_event *event,
		   const char *bytes)
{
	const struct client *client = client_find(s, errand->holder);
	const struct object *object = object_find(s, errand->object);
	char text[160];

	if (!log_may(&s->broken, LOG_LEVEL_ERROR, "BROKEN PROMISES"))
		return;
	log_line(LOG_LEVEL_ERROR,
		 "BROKEN PROMISE: the block map of \"%s\" was changed under DIRECT seal %" PRIu64
		 " of pid %d (%s, uid %u), %s in %" PRIu64 " places:",
		 object ? object->name : "", errand->seal, client ? client->pid : 0,
		 client ? client->comm : "", client ? client->uid : 0, bytes,
		 event->n_differences);
	for (uint64_t i = 0; i < event->n_differences && i < DIRECT_DIFFERENCES_MAX; i++)
		log_line(LOG_LEVEL_ERROR, "  %s",
			 extents_describe(&event->differences[i], text, sizeof(text)));
	if (event->n_differences > DIRECT_DIFFERENCES_MAX)
		log_line(LOG_LEVEL_ERROR, "  and %" PRIu64 " more",
			 event->n_differences - DIRECT_DIFFERENCES_MAX);
}

static void tell_holder(struct seal *seal, const struct direct_event *event)
{
	uint64_t n = event->n_differences < DIRECT_DIFFERENCES_MAX ? event->n_differences
								   : DIRECT_DIFFERENCES_MAX;
	const struct extents_difference *first = &event->differences[0];
	const struct extents_difference *last = &event->differences[n - 1];
	struct proto_message message = {
		.type = PROTO_BROKEN,
		.broken = {
			.seal = seal->node.id,
			.offset = first->logical,
			.length = last->logical + last->length - first->logical,
			.bytes = event->bytes,
		},
	};

	seal_event(seal, &message);
}

void broken_look(struct supervisor *s, const struct errand *errand, const struct direct_event *event)
{
	struct seal *seal = seal_find(s, errand->seal);
	char bytes[UNITS_MAX], first[160], detail[256];

	if (event->error) {
		if (log_may(&s->unlooked, LOG_LEVEL_WARNING, "block maps could not be looked at"))
			log_line(LOG_LEVEL_WARNING,
				 "whether the block map under seal %" PRIu64 " was kept can't be said: %s",
				 errand->seal, event->why);
		return;
	}
	if (event->n_differences == 0 || (seal && seal->broken_bytes >= event->bytes))
		return;
	s->broken_promises++;
	units_format_bytes(event->bytes, bytes);
	extents_describe(&event->differences[0], first, sizeof(first));
	log_it(s, errand, event, bytes);
	if (seal) {
		seal->broken_bytes = event->bytes;
		tell_holder(seal, event);
	}
	snprintf(detail, sizeof(detail), "%s; %s", bytes, first);
	watch_tell(s, &(struct change){
			      .change = PROTO_CHANGE_BROKEN,
			      .id = errand->seal,
			      .object = errand->object,
			      .start = errand->start,
			      .end = errand->end,
			      .holder = errand->holder,
			      .detail = detail,
		      });
}
