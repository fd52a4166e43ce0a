/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Objects: what can be sealed, each with the index of its seals and the line of its requests.
 *
 * The size is kept for whoever asks; no decision rests on it. A seal's range is frozen at the grant,
 * and where a truncation begins is the breaker's to say.
 */

#include "daemon/core/core-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct object *core_object_find(const struct core *core, uint64_t id)
{
	struct idmap_node *n = idmap_find(&core->objects, id);

	return n ? container_of(n, struct object, node) : NULL;
}

int core_object_add(struct core *core, const struct core_object_info *info, uint64_t *ret_object)
{
	static const struct core_policy none;
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return -ENOMEM;
	object->info = *info;
	object->policy = memcmp(&info->policy, &none, sizeof(none)) == 0 ? core->config.policy
									 : info->policy;
	list_init(&object->watchers);
	list_init(&object->changed);
	list_append(&core->object_list, &object->link);
	idmap_insert(&core->objects, &object->node, core_id(core));
	core->stats.objects++;
	*ret_object = object->node.id;
	return 0;
}

struct object *core_object_free(struct core *core, struct object *object)
{
	if (!object)
		return NULL;
	idmap_remove(&core->objects, &object->node);
	list_unlink(&object->link);
	list_unlink(&object->changed);
	core->stats.objects--;
	free(object);
	return NULL;
}

int core_object_drop(struct core *core, uint64_t id)
{
	struct object *object = core_object_find(core, id);

	if (!object)
		return CORE_E_BAD_OBJECT;
	if (!interval_empty(&object->seals) || !interval_empty(&object->line) ||
	    !list_empty(&object->watchers))
		return CORE_E_STATE;
	core_object_free(core, object);
	return 0;
}

void core_object_resized(struct core *core, uint64_t id, uint64_t size)
{
	struct object *object = core_object_find(core, id);

	if (object)
		object->info.size = size;
}

void core_object_policy(struct core *core, uint64_t id, const struct core_policy *policy)
{
	struct object *object = core_object_find(core, id);

	if (object)
		object->policy = *policy;
}

void core_object_changed(struct core *core, struct object *object)
{
	if (list_empty(&object->changed))
		list_append(&core->changed, &object->changed);
}
