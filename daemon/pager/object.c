/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Objects: a descriptor of our own, and the size that we were told.
 *
 * An object that is closed goes with the last view of it, which may wait for a read or write that
 * is under way.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/pager/state.h"
#include "util/cleanup.h"

int object_open(struct pager *pager, struct pager_job *job)
{
	struct object *object;
	int r;

	object = calloc(1, sizeof(*object));
	if (!object)
		return -ENOMEM;
	*object = (struct object){
		.pager = pager,
		.id = job->object,
		.size = job->end,
		.fd = job->fd,
		.writable = job->writable,
		.anonymous = job->anonymous,
	};
	list_init(&object->views);
	list_init(&object->syncing);
	list_init(&object->to_sync);
	if (object->fd < 0 && job->anonymous)
		object->fd = memory_new(pager, "mapseal-object", object->size, 0);
	r = object->fd < 0 ? -EBADF : idtable_put(&pager->objects_by_id, object->id, object);
	if (r < 0) {
		if (object->fd != job->fd)
			fd_close(object->fd);
		free(object);
		return r;
	}
	job->fd = -1;
	return 0;
}

int object_close(struct pager *pager, uint64_t id)
{
	struct object *object = idtable_get(&pager->objects_by_id, id);

	if (!object)
		return -EINVAL;
	idtable_remove(&pager->objects_by_id, id);
	object->closed = true;
	if (object->users == 0) {
		fd_close(object->fd);
		free(object);
	}
	return 0;
}

int object_resized(struct pager *pager, uint64_t id, uint64_t size)
{
	struct object *object = idtable_get(&pager->objects_by_id, id);

	if (!object)
		return -EINVAL;
	object->size = size;
	list_for_each (pos, &object->views)
		list_entry(pos, struct view, link)->short_at = UINT64_MAX;
	return 0;
}
