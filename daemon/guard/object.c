/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Objects: when the guard begins to listen for a file, and when it stops.
 *
 * The lease proves, fanotify polices: the file is marked first, then a lease on our description
 * shows whether anybody has it open whom the mark came too late for. Outsiders are a taint on the
 * whole, and a later lease may show that they are gone. Where there is no fanotify the lease is
 * kept.
 *
 * An object that is disarmed forgets its taint, as the next lease will find whoever is left. Not so
 * a truncation by name, which needs no open description: while one is under way the object stays,
 * without an id, until it is over or the file is armed again.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "daemon/guard/fan.h"
#include "daemon/guard/state.h"
#include "util/cleanup.h"

void object_lease(struct guard *guard, struct object *object, enum lease lease)
{
	bool kept = object->level == GUARD_LEASE;

	if (kept)
		object->lease = lease;
	/* what a seal that is there may have missed is not undone by that it is over */
	if ((lease == LEASE_NOBODY || lease == LEASE_NO_WRITERS) && object->n_seals == 0)
		object->openers = false;
	switch (lease) {
	case LEASE_NOBODY:
		taint_nobody(&guard->threads, &object->taint);
		object->outsiders = object->writers = false;
		break;
	case LEASE_NO_WRITERS:
		taint_no_writers(&guard->threads, &object->taint);
		object->outsiders = object->writers = false;
		if (kept)
			taint_outsiders(&object->taint, false);
		break;
	case LEASE_NONE:
		if (!kept)
			break;
		object->lost++;
		taint_outsiders(&object->taint, true);
		object->outsiders = object->writers = true;
		break;
	case LEASE_UNSUPPORTED:
		break;
	}
}

static struct object *object_new(struct guard *guard, const struct stat *st)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	object->fd = -1;
	object->dev = st->st_dev;
	object->ino = st->st_ino;
	list_init(&object->waiting);
	list_init(&object->held);
	list_init(&object->prove_link);
	taint_init(&object->taint);
	if (inode_add(guard, object) < 0) {
		free(object);
		return NULL;
	}
	return object;
}

/* The description changes, or ends. */
static void forget_fd(struct guard *guard, struct object *object)
{
	if (object->fd < 0)
		return;
	if (object->level == GUARD_LEASE) {
		idmap_remove(&guard->by_fd, &object->by_fd);
		lease_drop(object->fd);
	}
	object->lease = LEASE_NONE;
	object->fd = fd_close(object->fd);
}

void object_reap(struct guard *guard, struct object *object)
{
	if (object->node.id || object->n_seals || object->pins || taint_has_path(&object->taint))
		return;
	taint_clear(&guard->threads, &object->taint);
	list_unlink(&object->prove_link);
	inode_remove(guard, object);
	free(object);
}

static void begin(struct guard *guard, struct object *object)
{
	enum lease lease;

	if (guard->level == GUARD_FANOTIFY && fan_mark(guard->group, object->fd) == 0) {
		object->level = GUARD_FANOTIFY;
		lease = lease_prove(object->fd, guard->prover_tid, guard->signal);
		object_lease(guard, object, lease);
		if (lease == LEASE_NO_WRITERS) {
			taint_outsiders(&object->taint, false);
		} else if (lease != LEASE_NOBODY) {
			taint_outsiders(&object->taint, true);
			object->outsiders = object->writers = true;
		}
		return;
	}
	object->level = GUARD_COOPERATIVE;
	lease = guard->level >= GUARD_LEASE
			? lease_take(object->fd, guard->prover_tid, guard->signal)
			: LEASE_UNSUPPORTED;
	if (lease == LEASE_UNSUPPORTED)
		return;
	object->level = GUARD_LEASE;
	idmap_insert(&guard->by_fd, &object->by_fd, (uint64_t)object->fd);
	object_lease(guard, object, lease);
	if (lease != LEASE_NOBODY)
		prove_soon(guard, object);
}

/* Opens are held from now on: those that passed while they were watched came too early for that. */
static void find_watched(struct guard *guard, struct object *object)
{
	enum lease lease = lease_prove(object->fd, guard->prover_tid, guard->signal);

	object_lease(guard, object, lease);
	if (lease == LEASE_NOBODY || lease == LEASE_NO_WRITERS)
		return;
	taint_outsiders(&object->taint, true);
	object->outsiders = true;
	prove_soon(guard, object);
}

static int arm(struct guard *guard, uint64_t id, int fd, const struct stat *st,
	       enum guard_writable_opens opens, enum guard_level *ret_level)
{
	struct object *object = object_by_inode(guard, st->st_dev, st->st_ino);
	_cleanup_fd_ int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0)
		return -errno;
	if (object && object->node.id && object->node.id != id)
		return -EEXIST;
	if (!object)
		object = object_new(guard, st);
	if (!object)
		return -ENOMEM;
	if (!object->node.id) {
		idmap_insert(&guard->objects, &object->node, id);
		guard->stats.armed++;
	}
	if (object->level == GUARD_FANOTIFY && opens == GUARD_OPENS_HOLD &&
	    object->opens == GUARD_OPENS_WATCH && object->writers)
		find_watched(guard, object);
	object->opens = opens;
	if (object->level == GUARD_FANOTIFY) {
		/* it was listened for all the time; the old description may be open still */
		fd_close(object->fd);
		object->fd = take_fd(&own);
	} else {
		forget_fd(guard, object);
		object->fd = take_fd(&own);
		begin(guard, object);
	}
	*ret_level = object->level;
	return 0;
}

int guard_arm(struct guard *guard, uint64_t id, int fd, enum guard_writable_opens opens,
	      enum guard_level *ret_level)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	pthread_mutex_lock(&guard->lock);
	r = arm(guard, id, fd, &st, opens, ret_level);
	pthread_mutex_unlock(&guard->lock);
	return r;
}

static void disarm(struct guard *guard, struct object *object)
{
	if (object->level == GUARD_FANOTIFY)
		fan_unmark(guard->group, object->fd);
	object->hears_ends = false;
	/* a lease first: there is nothing to yield it to any more */
	forget_fd(guard, object);
	object->level = GUARD_COOPERATIVE;
	held_release(guard, object);
	list_for_each (l, &object->waiting)
		list_unlink(l);
	taint_nobody(&guard->threads, &object->taint);
	idmap_remove(&guard->objects, &object->node);
	object->node.id = 0;
	guard->stats.armed--;
	if (taint_has_path(&object->taint))
		prove_soon(guard, object);
	object_reap(guard, object);
}

void guard_disarm(struct guard *guard, uint64_t id)
{
	struct object *object;

	pthread_mutex_lock(&guard->lock);
	object = object_by_id(guard, id);
	if (object)
		disarm(guard, object);
	pthread_mutex_unlock(&guard->lock);
}

bool guard_state(struct guard *guard, uint64_t id, struct guard_state *ret)
{
	struct object *object;

	pthread_mutex_lock(&guard->lock);
	object = object_by_id(guard, id);
	if (object) {
		*ret = (struct guard_state){
			.level = object->level,
			.weak = object->level == GUARD_COOPERATIVE || object->outsiders,
			.lost = object->lost,
			.held = object->n_held,
		};
	}
	pthread_mutex_unlock(&guard->lock);
	return object;
}
