/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Seals, as the index knows them.
 *
 * A seal is in the index before anybody asks whether something that was let go disturbs it: what is let
 * go from then on was held for it first. If something may, the seal waits, and the object is looked
 * at until it need not any more.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/guard/state.h"

static struct seal *seal_find(struct guard *guard, uint64_t id)
{
	struct idmap_node *n = idmap_find(&guard->seals, id);

	return n ? container_of(n, struct seal, node) : NULL;
}

static struct interval_tree *tree(struct seal *seal)
{
	return &seal->object->seals[seal_class(&seal->seal)];
}

static int add(struct guard *guard, const struct guard_seal *from)
{
	struct object *object = object_by_id(guard, from->object);
	struct seal *seal = seal_find(guard, from->id);
	bool fresh = !seal;

	if (!object)
		return -ENOENT;
	if (seal) {
		interval_remove(tree(seal), &seal->interval);
	} else {
		seal = calloc(1, sizeof(*seal));
		if (!seal)
			return -ENOMEM;
		list_init(&seal->waiting);
		list_init(&seal->settled.link);
		seal->object = object;
		idmap_insert(&guard->seals, &seal->node, from->id);
		object->n_seals++;
		guard->stats.seals++;
	}
	seal->seal = *from;
	interval_insert(tree(seal), &seal->interval, from->start, from->end);
	if (!fresh || !taint_disturbs(&object->taint, &seal->seal))
		return 0;
	seal->settled.event = (struct guard_event){
		.type = GUARD_EVENT_SETTLED,
		.object = from->object,
		.seal = from->id,
	};
	list_append(&object->waiting, &seal->waiting);
	prove_soon(guard, object);
	return GUARD_TAINTED;
}

int guard_seal_add(struct guard *guard, const struct guard_seal *seal)
{
	int r;

	pthread_mutex_lock(&guard->lock);
	r = add(guard, seal);
	pthread_mutex_unlock(&guard->lock);
	return r;
}

void guard_seal_remove(struct guard *guard, uint64_t id)
{
	struct seal *seal;

	pthread_mutex_lock(&guard->lock);
	seal = seal_find(guard, id);
	if (seal) {
		interval_remove(tree(seal), &seal->interval);
		seal->object->n_seals--;
		guard->stats.seals--;
		list_unlink(&seal->waiting);
		notice_drop(&seal->settled);
		idmap_remove(&guard->seals, &seal->node);
		object_reap(guard, seal->object);
		free(seal);
	}
	pthread_mutex_unlock(&guard->lock);
}

void prove_settle(struct guard *guard, struct object *object)
{
	list_for_each (l, &object->waiting) {
		struct seal *seal = list_entry(l, struct seal, waiting);

		if (taint_disturbs(&object->taint, &seal->seal))
			continue;
		list_unlink(&seal->waiting);
		guard->stats.settled++;
		notice_post(guard, &seal->settled);
	}
}
