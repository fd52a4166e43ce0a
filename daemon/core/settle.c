/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Seals that are granted and not yet certain.
 *
 * A stranger that a guard has let go may still be at work where a seal was granted. Whether it is, the
 * guard knows; for how long that is waited for is a deadline like any other, and so the core's. What
 * becomes of the seal then is the caller's to say.
 */

#include "daemon/core/core-internal.h"

#include <errno.h>
#include <stdlib.h>

static void unsettled(struct core *core, struct timer *timer)
{
	struct settle *settle = container_of(timer, struct settle, timer);

	core_emit_seal(core, CORE_CMD_UNSETTLED, settle->seal);
	core_settle_stop(core, settle->seal);
}

void core_settle_stop(struct core *core, struct seal *seal)
{
	if (!seal->settle)
		return;
	core_timer_stop(core, &seal->settle->timer);
	free(seal->settle);
	seal->settle = NULL;
}

int core_settle(struct core *core, uint64_t id, uint64_t now)
{
	struct idmap_node *n = idmap_find(&core->seals, id);
	struct seal *seal = n ? container_of(n, struct seal, node) : NULL;
	struct settle *settle;

	if (!seal)
		return CORE_E_BAD_SEAL;
	core->now = now;
	settle = calloc(1, sizeof(*settle));
	if (!settle)
		return -ENOMEM;
	core_settle_stop(core, seal);
	settle->seal = seal;
	seal->settle = settle;
	core_timer_set(core, &settle->timer, deadline_add_ms(now, seal->object->policy.settle_ms),
		       unsettled);
	return 0;
}

void core_settled(struct core *core, uint64_t id)
{
	struct idmap_node *n = idmap_find(&core->seals, id);

	if (n)
		core_settle_stop(core, container_of(n, struct seal, node));
}
