/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Cycles of DIRECT seals among processes that guards hold.
 *
 * A GUARD break holds its process still. If it needs a DIRECT seal of another process, which is held
 * still by a GUARD break that needs a DIRECT seal of the first, perhaps over further ones, none of
 * them could return anything before the hard limit. Windows are no part of this: they are fenced
 * without anybody's help.
 *
 * The search goes from process to process, each visited once, without recursion: each process found
 * remembers the break through which it was found, and visited ones form a queue. When it comes back
 * to where it began, the way back is walked and the youngest break on it gives way.
 */

#include "daemon/core/core-internal.h"

#include <stdlib.h>

struct search {
	struct process **queue;
	size_t n, size;
	uint64_t visit;
};

static void visit(struct search *search, const struct seal *seal, struct request *via)
{
	struct process *process = seal->holder->process;

	if (seal->kind != CORE_DIRECT || process->visit == search->visit)
		return;
	process->visit = search->visit;
	process->via = via;
	if (search->n == search->size) {
		search->size = search->size ? 2 * search->size : 16;
		search->queue = core_must(
			realloc(search->queue, search->size * sizeof(struct process *)));
	}
	search->queue[search->n++] = process;
}

static struct request *youngest(const struct request *request)
{
	struct request *victim = request->process->via;

	for (struct request *via = victim; via != request; via = via->process->via)
		if (core_request_before(victim, via->process->via))
			victim = via->process->via;
	return victim;
}

struct request *core_cycle_find(struct core *core, struct request *request)
{
	struct search search = { .visit = ++core->visit };
	struct request *victim = NULL;

	if (!request->guarding)
		return NULL;
	for (size_t i = 0; i < core->n_hits; i++)
		visit(&search, core->hits[i], request);
	for (size_t i = 0; i < search.n && request->process->visit != search.visit; i++)
		list_for_each(l, &search.queue[i]->guards) {
			struct request *guard = list_entry(l, struct request, guard_link);

			for (size_t j = 0; j < guard->n_entries; j++)
				if (guard->entries[j]->seal)
					visit(&search, guard->entries[j]->seal, guard);
		}
	if (request->process->visit == search.visit)
		victim = youngest(request);
	free(search.queue);
	return victim;
}
