/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Requests that the core has taken and not answered, and breaks that are held.
 *
 * One is made before the core is asked, so that there is no failure between the core's yes and our
 * memory of who asked. It owns what was charged for it; what a grant needs is moved from here to
 * the window.
 */

#include <stdlib.h>

#include "daemon/supervisor/wiring.h"

struct pending *pending_new(struct client *client, enum pending_type type, uint32_t serial)
{
	struct pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		return NULL;
	pending->client = client;
	pending->type = type;
	pending->serial = serial;
	pending->since = loop_now();
	list_append(&client->pending, &pending->link);
	return pending;
}

void pending_start(struct supervisor *s, struct pending *pending, uint64_t request)
{
	idmap_insert(&s->pending, &pending->node, request);
}

struct pending *pending_find(const struct supervisor *s, uint64_t request)
{
	struct idmap_node *n = idmap_find(&s->pending, request);

	return n ? container_of(n, struct pending, node) : NULL;
}

struct pending *pending_free(struct supervisor *s, struct pending *pending)
{
	if (!pending)
		return NULL;
	if (pending->node.id)
		idmap_remove(&s->pending, &pending->node);
	list_unlink(&pending->link);
	quota_refund(&pending->waiting);
	quota_refund(&pending->seals);
	quota_refund(&pending->bytes);
	quota_refund(&pending->export_seals);
	quota_refund(&pending->export_bytes);
	if (pending->object)
		object_unref(s, pending->object);
	free(pending);
	return NULL;
}
