/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The core itself: made, told the time, freed.
 *
 * Every call that can change something has the same shape. It takes the time, changes what it is
 * about, which may put requests into the ready heap and commands into the queue, and ends in
 * core_admit_run(), which lets everybody go on who can. Timers do the same, through core_tick().
 *
 * Memory: a call that is asked for a new thing answers -ENOMEM if there is none for it, before it
 * changes anything. What follows from events that have already happened (a deadline, a fence that is
 * done) can't be refused and can't be left out, and a supervisor that lost track of whom it asked
 * would promise what it can't keep. There the process ends, in core_must(), and its successor takes
 * over from what is written down outside.
 */

#include "daemon/core/core-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *core_must(void *p)
{
	if (!p)
		abort();
	return p;
}

uint64_t core_id(struct core *core)
{
	return ++core->last_id;
}

int core_new(const struct core_config *config, struct core **ret)
{
	static const struct core_policy none;
	struct core *core = calloc(1, sizeof(*core));

	if (!core)
		return -ENOMEM;
	core->config = *config;
	if (memcmp(&config->policy, &none, sizeof(none)) == 0)
		core->config.policy = core_policy_default();
	list_init(&core->object_list);
	list_init(&core->requests);
	list_init(&core->wide);
	list_init(&core->watchers);
	list_init(&core->changed);
	list_init(&core->asks);
	*ret = core;
	return 0;
}

/* Everything is taken down in an order in which nothing is left that refers to what is gone. */
struct core *core_free(struct core *core)
{
	struct idmap_node *n;
	struct list *l;

	if (!core)
		return NULL;
	while ((n = idmap_any(&core->seals))) {
		struct seal *seal = container_of(n, struct seal, node);

		while (seal->recall && (l = list_first(&seal->recall->entries)))
			core_entry_over(core, list_entry(l, struct entry, seal_link),
					CORE_RESULT_PENDING, CORE_FENCE_NONE, 0);
		core_recall_end(core, seal);
		if (seal->parked)
			core_request_leave(core, seal->parked);
		core_seal_free(core, seal);
	}
	while ((n = idmap_any(&core->jobs)))
		core_job_free(core, container_of(n, struct job, node));
	while ((l = list_first(&core->requests)))
		core_request_leave(core, list_entry(l, struct request, link));
	while ((n = idmap_any(&core->holders))) {
		struct holder *holder = container_of(n, struct holder, node);

		idmap_remove(&core->holders, n);
		core_holder_free(core, holder);
	}
	while ((n = idmap_any(&core->processes))) {
		idmap_remove(&core->processes, n);
		free(container_of(n, struct process, node));
	}
	while ((n = idmap_any(&core->objects)))
		core_object_free(core, container_of(n, struct object, node));
	core_command_deinit(core);
	idmap_deinit(&core->processes);
	idmap_deinit(&core->holders);
	idmap_deinit(&core->objects);
	idmap_deinit(&core->seals);
	idmap_deinit(&core->requests_by_id);
	idmap_deinit(&core->jobs);
	idmap_deinit(&core->tokens);
	heap_deinit(&core->timers);
	heap_deinit(&core->ready);
	free(core->hits);
	free(core);
	return NULL;
}

/* ---- time -------------------------------------------------------------------------------- */

void core_timer_set(struct core *core, struct timer *timer, uint64_t at,
		    void (*fn)(struct core *core, struct timer *timer))
{
	heap_remove(&core->timers, &timer->node);
	timer->fn = fn;
	if (at != CORE_NEVER && heap_insert(&core->timers, &timer->node, at, ++core->last_tie) < 0)
		core_must(NULL);
}

void core_timer_stop(struct core *core, struct timer *timer)
{
	heap_remove(&core->timers, &timer->node);
}

uint64_t core_next_deadline(const struct core *core)
{
	const struct heap_node *n = heap_first(&core->timers);

	return n ? n->key : CORE_NEVER;
}

void core_tick(struct core *core, uint64_t now)
{
	struct heap_node *n;

	core->now = now;
	while ((n = heap_first(&core->timers)) && n->key <= now) {
		struct timer *timer = container_of(n, struct timer, node);

		heap_remove(&core->timers, n);
		timer->fn(core, timer);
	}
	core_admit_run(core);
}
