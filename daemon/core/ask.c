/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Recalls of a whole object, device, or everything: one message for each holder.
 *
 * Each seal beneath is recalled as any other, with a deadline of its own; what is common is the
 * message, and that its answer counts for all of them. It goes out when the youngest of them has had
 * its minimum hold. It names no seal and moves no seq (RFC 8881 20.3: no stateid in it).
 *
 * An ask lives as long as one of its lines is pending: after that there is nothing to answer.
 */

#include "daemon/core/core-internal.h"

#include <stdlib.h>

static void ask_free(struct core *core, struct ask *ask)
{
	core_timer_stop(core, &ask->timer);
	list_unlink(&ask->fresh_link);
	list_unlink(&ask->holder_link);
	free(ask);
}

static void forget(struct entry *entry)
{
	entry->ask = NULL;
	list_unlink(&entry->ask_link);
}

static void fire(struct core *core, struct ask *ask)
{
	const struct request *request = ask->request;
	const struct holder *holder = ask->holder;
	uint64_t deadline = CORE_NEVER, hard = CORE_NEVER;
	struct core_command *command;
	bool any = false;

	ask->sent = true;
	list_for_each(i, &ask->entries) {
		struct entry *entry = list_entry(i, struct entry, ask_link);
		struct seal *seal = entry->seal;
		struct recall *recall = seal->recall;

		if (seal->job && seal->job->whole) {
			forget(entry); /* asked for anew if its return fails */
			continue;
		}
		if (recall->phase == RECALL_DUE && core_recall_transparent(seal)) {
			if (!recall->deferred)
				core_recall_due(core, recall);
			continue;
		}
		core_recall_asked(core, recall);
		recall->start = seal->range.start;
		recall->end = seal->range.end;
		if (recall->deadline < deadline)
			deadline = recall->deadline;
		if (recall->hard < hard)
			hard = recall->hard;
		any = true;
	}
	if (list_empty(&ask->entries))
		ask_free(core, ask);
	if (!any)
		return;
	command = core_emit(core, CORE_CMD_RECALL);
	command->request = request->node.id;
	command->holder = holder->node.id;
	command->object = request->object ? request->object->node.id : 0;
	command->device = request->device;
	command->end = CORE_INFINITY;
	command->scope = request->scope;
	command->map_will_change = request->flags & CORE_F_MAP_WILL_CHANGE;
	command->deadline = deadline;
	command->hard_limit = hard;
}

static void fire_timer(struct core *core, struct timer *timer)
{
	fire(core, container_of(timer, struct ask, timer));
}

static struct ask *ask_get(struct holder *holder, struct request *request)
{
	struct ask *ask;

	list_for_each(i, &holder->asks) {
		ask = list_entry(i, struct ask, holder_link);
		if (ask->request == request && !ask->sent)
			return ask;
	}
	ask = core_must(calloc(1, sizeof(*ask)));
	ask->request = request;
	ask->holder = holder;
	list_init(&ask->entries);
	list_init(&ask->fresh_link);
	list_append(&holder->asks, &ask->holder_link);
	return ask;
}

void core_ask_add(struct core *core, struct entry *entry)
{
	const struct seal *seal = entry->seal;
	uint64_t due = deadline_due(&seal->object->policy, seal->granted_at);
	struct ask *ask;

	if (entry->ask)
		return;
	ask = ask_get(seal->holder, entry->request);
	entry->ask = ask;
	list_append(&ask->entries, &entry->ask_link);
	if (due > ask->due)
		ask->due = due;
	if (list_empty(&ask->fresh_link))
		list_append(&core->asks, &ask->fresh_link);
}

void core_ask_run(struct core *core)
{
	struct list *l;

	while ((l = list_first(&core->asks))) {
		struct ask *ask = list_entry(l, struct ask, fresh_link);

		list_unlink(l);
		if (ask->due <= core->now)
			fire(core, ask);
		else
			core_timer_set(core, &ask->timer, ask->due, fire_timer);
	}
}

void core_ask_drop(struct core *core, struct entry *entry)
{
	struct ask *ask = entry->ask;

	if (!ask)
		return;
	forget(entry);
	if (list_empty(&ask->entries))
		ask_free(core, ask);
}

int core_answer_all(struct core *core, uint64_t holder_id, uint64_t request,
		    enum core_answer answer, uint32_t delay_ms, uint64_t now, uint32_t *ret_ms)
{
	struct holder *holder = core_holder_find(core, holder_id);
	uint64_t deadline = CORE_NEVER;
	bool known = false, any = false;

	if (!holder)
		return CORE_E_BAD_HOLDER;
	core->now = now;
	list_for_each(i, &holder->asks) {
		struct ask *ask = list_entry(i, struct ask, holder_link);

		if (ask->request->node.id != request || !ask->sent)
			continue;
		known = true;
		list_for_each(j, &ask->entries) {
			struct seal *seal = list_entry(j, struct entry, ask_link)->seal;

			if (core_seal_state(seal) != CORE_SEAL_RECALLED)
				continue;
			core_recall_answer(core, seal->recall, answer, delay_ms);
			if (seal->recall->deadline < deadline)
				deadline = seal->recall->deadline;
			any = true;
		}
	}
	if (!known)
		return CORE_E_BAD_BREAK;
	if (!any)
		return CORE_E_STATE;
	*ret_ms = deadline_ms(now, deadline);
	core_admit_run(core);
	return 0;
}
