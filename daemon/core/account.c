/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Accounts: for each request, a line for each seal it had to wait for.
 *
 * A line is written when the seal is found to be in the way, and finished exactly once, by
 * core_entry_over(). The request counts the lines that are still pending, so a thousand holders
 * coming back cost a thousand decrements and one look at the line of requests, when the count is 0.
 *
 * Entries stay with their request after they are over: breaker, log, metrics and command line are
 * shown the same lines.
 */

#include "daemon/core/core-internal.h"

#include <stdlib.h>

struct entry *core_entry_new(struct core *core, struct request *request, struct seal *seal)
{
	struct entry *entry = core_must(calloc(1, sizeof(*entry)));

	(void)core;
	if (request->n_entries == request->size_entries) {
		request->size_entries = request->size_entries ? 2 * request->size_entries : 4;
		request->entries = core_must(
			realloc(request->entries, request->size_entries * sizeof(struct entry *)));
	}
	request->entries[request->n_entries++] = entry;
	request->outstanding++;
	entry->request = request;
	entry->seal = seal;
	entry->line = (struct core_account_entry){
		.seal = seal->node.id,
		.holder = seal->holder->node.id,
		.process = seal->holder->info.process,
		.uid = seal->holder->info.uid,
		.result = CORE_RESULT_PENDING,
	};
	list_init(&entry->ask_link);
	list_append(&seal->recall->entries, &entry->seal_link);
	return entry;
}

/* Since when this line is being worked on. */
static uint64_t since(const struct core *core, const struct entry *entry)
{
	const struct seal *seal = entry->seal;

	if (entry->flush)
		return entry->flush->since;
	if (seal->recall && seal->recall->phase == RECALL_ASKED)
		return seal->recall->sent_at;
	if (seal->job)
		return seal->job->since;
	return core->now;
}

static void untie(struct core *core, struct entry *entry)
{
	entry->flush = core_job_free(core, entry->flush);
	core_ask_drop(core, entry);
	list_unlink(&entry->seal_link);
	entry->seal = NULL;
	entry->request->outstanding--;
}

void core_entry_over(struct core *core, struct entry *entry, enum core_result result,
		     enum core_fence fence, uint64_t quarantined)
{
	struct request *request = entry->request;

	entry->line.ms = deadline_ms(since(core, entry), core->now);
	entry->line.result = result;
	entry->line.fence = fence;
	entry->line.quarantined = quarantined;
	untie(core, entry);
	if (request->outstanding == 0 && !request->ahead)
		core_request_ready(core, request);
}

void core_entry_detach(struct core *core, struct entry *entry)
{
	struct seal *seal = entry->seal;

	if (!seal)
		return;
	untie(core, entry);
	core_recall_settle(core, seal, true);
}

void core_account_line(const struct core *core, const struct entry *entry,
		       struct core_account_entry *ret)
{
	*ret = entry->line;
	if (entry->seal)
		ret->ms = deadline_ms(since(core, entry), core->now);
}

void core_account_attach(struct core *core, const struct request *request,
			 struct core_command *command)
{
	struct core_account_entry *account;

	if (request->n_entries == 0)
		return;
	account = core_must(calloc(request->n_entries, sizeof(*account)));
	for (size_t i = 0; i < request->n_entries; i++)
		core_account_line(core, request->entries[i], &account[i]);
	command->account = account;
	command->n_account = request->n_entries;
}
