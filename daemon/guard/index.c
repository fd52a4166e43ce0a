/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The index: which seals are there, and whether an operation disturbs one of them.
 *
 * What a seal is disturbed by depends on its kind, mode and pinnability alone, so seals of an
 * object are kept in one tree for each combination, and whole trees are passed by. What is asked
 * for in the others is only whether anything overlaps, never how much: ten thousand holders of one
 * range cost an event no more than one does.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/core/conflict.h"
#include "daemon/guard/state.h"

#define INODES_MIN 64

unsigned int seal_class(const struct guard_seal *seal)
{
	return (seal->kind == CORE_DIRECT ? 4u : 0u) | (seal->mode == CORE_WRITE ? 2u : 0u) |
	       (seal->pinnable ? 1u : 0u);
}

static bool class_shares(unsigned int class, enum core_want want)
{
	return conflict_check(class & 4 ? CORE_DIRECT : CORE_WINDOW,
			      class & 2 ? CORE_WRITE : CORE_READ, class & 1,
			      want) == CONFLICT_SHARE;
}

static bool any(const struct object *object, enum core_want want, uint64_t start, uint64_t end)
{
	for (unsigned int class = 0; class < SEAL_CLASSES; class ++)
		if (!interval_empty(&object->seals[class]) && !class_shares(class, want) &&
		    interval_first(&object->seals[class], start, end))
			return true;
	return false;
}

bool index_disturbs(const struct object *object, struct operation *op, uint64_t size)
{
	bool where, end;

	if (op->want == CORE_WANT_NOTHING)
		return false;
	where = any(object, op->want, op->start, op->end);
	end = op->append && any(object, CORE_WANT_FOREIGN_EXTEND, size, CORE_INFINITY);
	if (end) {
		op->want = CORE_WANT_FOREIGN_EXTEND;
		op->start = where && op->start < size ? op->start : size;
		op->end = CORE_INFINITY;
	}
	return where || end;
}

static struct list *bucket(const struct guard *guard, dev_t dev, ino_t ino)
{
	uint64_t mix = (ino ^ (uint64_t)dev << 32) * UINT64_C(0x9e3779b97f4a7c15);

	return &guard->inodes[mix >> 32 & (guard->n_inodes - 1)];
}

static int grow(struct guard *guard)
{
	struct list *before = guard->inodes, *inodes;
	size_t n = guard->n_inodes;

	if (guard->attached_at != SIZE_MAX)
		guard->attached_at = 0; /* they are in other buckets now */
	inodes = calloc(n ? 2 * n : INODES_MIN, sizeof(*inodes));
	if (!inodes)
		return -ENOMEM;
	guard->inodes = inodes;
	guard->n_inodes = n ? 2 * n : INODES_MIN;
	for (size_t i = 0; i < guard->n_inodes; i++)
		list_init(&inodes[i]);
	for (size_t i = 0; i < n; i++)
		list_for_each (l, &before[i]) {
			struct object *object = list_entry(l, struct object, inode_link);

			list_unlink(l);
			list_append(bucket(guard, object->dev, object->ino), l);
		}
	free(before);
	return 0;
}

int inode_add(struct guard *guard, struct object *object)
{
	int r = guard->n_objects == guard->n_inodes ? grow(guard) : 0;

	if (r < 0)
		return r;
	guard->n_objects++;
	list_append(bucket(guard, object->dev, object->ino), &object->inode_link);
	return 0;
}

void inode_remove(struct guard *guard, struct object *object)
{
	guard->n_objects--;
	list_unlink(&object->inode_link);
}

struct object *object_by_inode(struct guard *guard, dev_t dev, ino_t ino)
{
	if (!guard->n_inodes)
		return NULL;
	list_for_each (l, bucket(guard, dev, ino)) {
		struct object *object = list_entry(l, struct object, inode_link);

		if (object->dev == dev && object->ino == ino)
			return object;
	}
	return NULL;
}

struct object *object_by_id(struct guard *guard, uint64_t id)
{
	struct idmap_node *n = idmap_find(&guard->objects, id);

	return n ? container_of(n, struct object, node) : NULL;
}
