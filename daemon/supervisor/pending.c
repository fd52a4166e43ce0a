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

int pending_new(struct supervisor *s, struct client *client, const struct target_request *request,
		struct target *ret_target, struct pending **ret, struct refusal *refusal)
{
	struct pending *pending;
	struct target target;
	int r;

	r = target_resolve(s, client, request, &target, refusal);
	if (r)
		return r;
	pending = calloc(1, sizeof(*pending));
	if (!pending) {
		object_unref(s, target.object);
		return refuse(refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	}
	pending->client = client;
	pending->object = target.object;
	pending->start = target.start;
	pending->end = target.end;
	pending->since = loop_now();
	list_append(&client->pending, &pending->link);
	*ret_target = target;
	*ret = pending;
	return 0;
}

void pending_start(struct supervisor *s, struct pending *pending, uint64_t request)
{
	idmap_insert(&s->pending, &pending->node, request);
	s->n_unanswered++;
}

void pending_answered(struct supervisor *s, struct pending *pending)
{
	if (!pending->answered)
		s->n_unanswered--;
	pending->answered = true;
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
	if (pending->node.id) {
		pending_answered(s, pending);
		idmap_remove(&s->pending, &pending->node);
	}
	list_unlink(&pending->link);
	quota_refund(&pending->waiting);
	quota_refund(&pending->seals);
	quota_refund(&pending->bytes);
	quota_refund(&pending->export_seals);
	quota_refund(&pending->export_bytes);
	readiness_free(pending->ready);
	if (pending->object)
		object_unref(s, pending->object);
	free(pending);
	return NULL;
}
