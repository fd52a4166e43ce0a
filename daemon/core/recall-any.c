/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * RECALL_ANY (RFC 8881 20.6): keep at most so many, which ones is yours to choose.
 *
 * The holder has deadline_ms to choose. What it then still has beyond the number is recalled, oldest
 * grant first, each by a trim: a break of that one seal, which asks nobody else on the range, holds
 * nothing, and tells nobody but the account. Hard seals are not recalled by anybody, parked ones and
 * those on their way back hold nothing that could be given up.
 */

#include "daemon/core/core-internal.h"

#include <errno.h>

void core_trim_stop(struct core *core, struct holder *holder)
{
	core_timer_stop(core, &holder->trim);
}

static bool counts(const struct seal *seal)
{
	enum core_seal_state state = core_seal_state(seal);

	return state == CORE_SEAL_HELD || state == CORE_SEAL_RECALLED;
}

static void trim(struct core *core, struct seal *seal)
{
	struct request *request = core_must(core_request_new(core, REQUEST_TRIM, NULL));

	request->object = seal->object;
	request->start = seal->range.start;
	request->end = seal->range.end;
	request->want = CORE_WANT_LAYOUT;
	core_request_enter(core, request);
	core_recall_attach(core, seal, request, CONFLICT_RECALL);
}

static void over(struct core *core, struct timer *timer)
{
	struct holder *holder = container_of(timer, struct holder, trim);
	size_t n = 0;

	list_for_each(i, &holder->seals)
		n += counts(list_entry(i, struct seal, link));
	list_for_each(i, &holder->seals) {
		struct seal *seal = list_entry(i, struct seal, link);

		if (n <= holder->keep)
			return;
		if (!counts(seal) || (seal->flags & CORE_F_HARD))
			continue;
		trim(core, seal);
		n--;
	}
}

int core_recall_any(struct core *core, uint64_t id, uint32_t keep, uint64_t now)
{
	struct holder *holder = core_holder_find(core, id);
	struct core_command *command;

	if (!holder)
		return CORE_E_BAD_HOLDER;
	core->now = now;
	holder->keep = keep;
	if (!heap_has(&holder->trim.node))
		core_timer_set(core, &holder->trim,
			       deadline_add_ms(now, core->config.policy.deadline_ms), over);
	command = core_emit(core, CORE_CMD_RECALL_ANY);
	command->holder = id;
	command->keep = keep;
	command->deadline = holder->trim.node.key;
	core_admit_run(core);
	return 0;
}
