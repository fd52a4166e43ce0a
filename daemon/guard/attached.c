/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Files that the kernel uses by itself: those behind loop devices.
 *
 * Such a device is an outsider that comes late. To open the file for it was one event, which may
 * have passed, and nothing that it does then makes any; it is heard of when it has begun. So whose
 * seals it disturbs is asked for, and the file is tainted as long as the device keeps it open,
 * which a lease shows.
 *
 * Where one came and went before it could be asked for its file, that was any file which a stranger
 * was let open for writing. They are looked for by the prover's thread, a few at a time.
 */

#include <sys/stat.h>

#include "daemon/guard/proc.h"
#include "daemon/guard/state.h"

#define LOOP_CONTROL	"/dev/loop-control"
#define BUCKETS_AT_ONCE 64

static void attached(struct guard *guard, struct object *object, bool writes, const char *device)
{
	struct operation op = {
		.want = writes ? CORE_WANT_LAYOUT : CORE_WANT_FOREIGN_MAP,
		.end = CORE_INFINITY,
		.name = writes ? "use" : "reading",
	};

	taint_outsiders(&object->taint, writes);
	object->outsiders = true;
	object->writers |= writes;
	object->lost += writes;
	held_nobody(guard, object, &op, device);
	prove_soon(guard, object);
}

gid_t attached_group(void)
{
	struct stat st;

	return stat(LOOP_CONTROL, &st) == 0 ? st.st_gid : (gid_t)-1;
}

bool attached_may(const struct guard *guard, pid_t tid)
{
	return proc_is_privileged(tid, guard->loop_group);
}

void attached_opened(struct object *object, const struct held *held)
{
	if (!held->may_attach || object->openers)
		return;
	object->openers = true;
	object->changed = held->changed;
}

static bool is_changed(const struct object *object)
{
	struct stat st;

	return fstat(object->fd, &st) < 0 || st.st_ctim.tv_sec != object->changed.tv_sec ||
	       st.st_ctim.tv_nsec != object->changed.tv_nsec;
}

void guard_attached(struct guard *guard, dev_t dev, ino_t ino, bool writes, const char *device)
{
	struct object *object;

	pthread_mutex_lock(&guard->lock);
	object = object_by_inode(guard, dev, ino);
	if (object && object->node.id)
		attached(guard, object, writes, device);
	pthread_mutex_unlock(&guard->lock);
}

void guard_attached_any(struct guard *guard)
{
	pthread_mutex_lock(&guard->lock);
	guard->attached_at = 0;
	prove_kick(guard);
	pthread_mutex_unlock(&guard->lock);
}

bool attached_run(struct guard *guard)
{
	size_t end;
	bool more;

	pthread_mutex_lock(&guard->lock);
	end = guard->attached_at + BUCKETS_AT_ONCE;
	for (; guard->attached_at < guard->n_inodes && guard->attached_at < end;
	     guard->attached_at++)
		list_for_each (l, &guard->inodes[guard->attached_at]) {
			struct object *object = list_entry(l, struct object, inode_link);

			if (object->node.id && object->openers && is_changed(object))
				attached(guard, object, true, "a loop device");
		}
	more = guard->attached_at < guard->n_inodes;
	if (!more)
		guard->attached_at = SIZE_MAX;
	pthread_mutex_unlock(&guard->lock);
	return more;
}
