/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Holders, and the processes they belong to.
 *
 * A holder is a session. Its id is dead the moment it is gone, so that nothing can be asked in its
 * name any more, but the object stays until its last seal is fenced: a range is occupied until then,
 * and views and accounts name whose it was.
 *
 * A process is what sessions have in common: whether a guard holds one of its threads, and how many
 * of its cooperative seals have been asked for and not come back. It exists as long as somebody
 * refers to it: a holder, a blocked thread, a GUARD break.
 */

#include "daemon/core/core-internal.h"

#include <errno.h>
#include <stdlib.h>

struct process *core_process_get(struct core *core, uint64_t id)
{
	struct idmap_node *n = idmap_find(&core->processes, id);
	struct process *process;

	if (n) {
		process = container_of(n, struct process, node);
	} else {
		process = calloc(1, sizeof(*process));
		if (!process)
			return NULL;
		list_init(&process->recalls);
		list_init(&process->guards);
		idmap_insert(&core->processes, &process->node, id);
	}
	process->refs++;
	return process;
}

struct process *core_process_put(struct core *core, struct process *process)
{
	if (process && --process->refs == 0) {
		idmap_remove(&core->processes, &process->node);
		free(process);
	}
	return NULL;
}

void core_process_block(struct core *core, struct process *process, bool blocked)
{
	if (!blocked) {
		process->blocked--;
		return;
	}
	if (process->blocked++ == 0)
		core_recall_blocked(core, process);
}

void core_process_blocked(struct core *core, uint64_t id, bool blocked, uint64_t now)
{
	struct idmap_node *n = idmap_find(&core->processes, id);
	struct process *process = n ? container_of(n, struct process, node) : NULL;

	core->now = now;
	if (blocked) {
		/* One reference for each nested call. */
		process = core_must(core_process_get(core, id));
		core_process_block(core, process, true);
	} else if (process && process->blocked > 0) {
		core_process_block(core, process, false);
		core_process_put(core, process);
	}
	core_admit_run(core);
}

struct holder *core_holder_find(const struct core *core, uint64_t id)
{
	struct idmap_node *n = idmap_find(&core->holders, id);

	return n ? container_of(n, struct holder, node) : NULL;
}

int core_holder_add(struct core *core, const struct core_holder_info *info, uint64_t *ret_holder)
{
	struct holder *holder = calloc(1, sizeof(*holder));

	if (!holder)
		return -ENOMEM;
	holder->process = core_process_get(core, info->process);
	if (!holder->process) {
		free(holder);
		return -ENOMEM;
	}
	holder->info = *info;
	list_init(&holder->seals);
	list_init(&holder->requests);
	list_init(&holder->asks);
	idmap_insert(&core->holders, &holder->node, core_id(core));
	core->stats.holders++;
	*ret_holder = holder->node.id;
	return 0;
}

struct holder *core_holder_free(struct core *core, struct holder *holder)
{
	if (!holder)
		return NULL;
	core_trim_stop(core, holder);
	core_process_put(core, holder->process);
	free(holder);
	return NULL;
}

void core_holder_put(struct core *core, struct holder *holder)
{
	if (holder->gone && list_empty(&holder->seals))
		core_holder_free(core, holder);
}

void core_holder_gone(struct core *core, uint64_t id, uint64_t now)
{
	struct holder *holder = core_holder_find(core, id);
	struct list *l;

	core->now = now;
	if (!holder)
		return;
	idmap_remove(&core->holders, &holder->node);
	core->stats.holders--;
	core_trim_stop(core, holder);

	while ((l = list_first(&holder->requests)))
		core_request_withdraw(core, list_entry(l, struct request, holder_link));

	list_for_each(i, &holder->seals) {
		struct seal *seal = list_entry(i, struct seal, link);

		if (seal->is_parked && !seal->job)
			core_seal_end(core, seal);
		/* A fence of the whole that can't fail goes on: it leads to the same end. */
		else if (!seal->job || seal->job->cause == CORE_CAUSE_RETURN)
			core_fence_whole(core, seal, CORE_CAUSE_DEATH, CORE_RESULT_GONE);
	}
	holder->gone = true;
	core_holder_put(core, holder);
	core_admit_run(core);
}
