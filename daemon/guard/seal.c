/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Seals, as the index knows them.
 *
 * A seal that nothing disturbs is in the index from the moment that this was seen: under the lock,
 * so that whatever comes later is held for it. One that something may disturb waits outside of the
 * index, and the object is looked at until it can go in.
 *
 * The holder of a DIRECT seal to write is given a description that can: an access may be its own.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/guard/state.h"

static struct seal *seal_find(struct guard *guard, uint64_t id)
{
	struct idmap_node *n = idmap_find(&guard->seals, id);

	return n ? container_of(n, struct seal, node) : NULL;
}

static void put_in_force(struct seal *seal)
{
	if (!seal->in_force)
		interval_insert(&seal->object->seals[seal_class(&seal->seal)], &seal->interval,
				seal->seal.start, seal->seal.end);
	seal->in_force = true;
}

static void take_out(struct seal *seal)
{
	if (seal->in_force)
		interval_remove(&seal->object->seals[seal_class(&seal->seal)], &seal->interval);
	seal->in_force = false;
}

static int change(struct seal *seal, const struct guard_seal *to)
{
	bool in_force = seal->in_force;

	take_out(seal);
	seal->seal = *to;
	if (in_force)
		put_in_force(seal);
	return 0;
}

static int add(struct guard *guard, const struct guard_seal *from)
{
	struct object *object = object_by_id(guard, from->object);
	struct seal *seal = seal_find(guard, from->id);

	if (!object)
		return -ENOENT;
	if (seal)
		return change(seal, from);
	seal = calloc(1, sizeof(*seal));
	if (!seal)
		return -ENOMEM;
	list_init(&seal->waiting);
	list_init(&seal->settled.link);
	seal->object = object;
	seal->seal = *from;
	idmap_insert(&guard->seals, &seal->node, from->id);
	object->n_seals++;
	object->writers |= from->kind == CORE_DIRECT && from->mode == CORE_WRITE;
	guard->stats.seals++;
	/* those who had it open may be gone: nobody looked as long as nobody waited */
	if ((object->outsiders && list_empty(&object->waiting)) ||
	    (object->openers && object->n_seals == 0))
		prove_lease(guard, object);
	if (!taint_disturbs(&object->taint, from)) {
		put_in_force(seal);
		return 0;
	}
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

void guard_seal_insist(struct guard *guard, uint64_t id)
{
	struct seal *seal;

	pthread_mutex_lock(&guard->lock);
	seal = seal_find(guard, id);
	if (seal)
		put_in_force(seal);
	pthread_mutex_unlock(&guard->lock);
}

void guard_seal_remove(struct guard *guard, uint64_t id)
{
	struct seal *seal;

	pthread_mutex_lock(&guard->lock);
	seal = seal_find(guard, id);
	if (seal) {
		take_out(seal);
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

bool prove_settle(struct guard *guard, struct object *object, unsigned int at_most)
{
	for (;;) {
		struct list *first = list_first(&object->waiting);
		struct seal *seal = first ? list_entry(first, struct seal, waiting) : NULL;

		if (!seal || seal->round > object->round) {
			object->round++;
			return true;
		}
		if (at_most-- == 0)
			return false;
		list_unlink(first);
		if (taint_disturbs(&object->taint, &seal->seal)) {
			seal->round = object->round + 1;
			list_append(&object->waiting, first);
			continue;
		}
		put_in_force(seal);
		guard->stats.settled++;
		notice_post(guard, &seal->settled);
	}
}
