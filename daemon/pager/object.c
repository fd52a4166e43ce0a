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

	if (job->object == 0)
		return -EINVAL;
	if (object_get(pager, job->object))
		return -EEXIST;
	object = calloc(1, sizeof(*object));
	if (!object)
		return -ENOMEM;
	*object = (struct object){
		.pager = pager,
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
	if (object->fd < 0) {
		int r = job->anonymous ? object->fd : -EBADF;

		free(object);
		return r;
	}
	idmap_insert(&pager->objects, &object->node, job->object);
	job->fd = -1;
	return 0;
}

int object_close(struct pager *pager, uint64_t id)
{
	struct object *object = object_get(pager, id);

	if (!object)
		return -EINVAL;
	idmap_remove(&pager->objects, &object->node);
	object->closed = true;
	if (object->users == 0) {
		fd_close(object->fd);
		free(object);
	}
	return 0;
}

int object_resized(struct pager *pager, uint64_t id, uint64_t size)
{
	struct object *object = object_get(pager, id);

	if (!object)
		return -EINVAL;
	object->size = size;
	list_for_each (pos, &object->views) {
		struct view *view = list_entry(pos, struct view, link);

		view->short_at = UINT64_MAX;
		view_fit(view);
	}
	return 0;
}
