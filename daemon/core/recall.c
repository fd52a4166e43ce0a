/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The recall of a seal: who waits for it, when it is asked, what its holder says, until when.
 *
 *	        attach               minimum hold over         fenced
 *	IDLE ───────────▶ DUE ───────────────────────▶ ASKED ─────────▶ ended, carved or parked
 *	  ▲                │ transparent: fence at once  │ deadline: revoke
 *	  └────────────────┴───── nobody waits any more ─┘ (LAPSED)
 *
 * There is one recall of a seal at a time, however many requests wait for it: a later one joins, is
 * shown the answer that was given, and does not move the deadline. If it wants more than was asked
 * for, the holder is asked again, for the hull.
 *
 * An answer is not a return. It lets no deadline stop; DELAY moves it, never beyond the hard limit.
 * A return without an answer before it counts as the answer OK.
 *
 * Transparent seals are not asked but fenced. If cooperative seals of the same process are to come
 * back as well, those come first: a thread that is inside enter of one must not park on the other.
 * That order is kept for at most the hard limit. While a guard holds one of the process's threads
 * nobody may be there to answer, so all its windows are treated as transparent, and not in turn.
 */

#include "daemon/core/core-internal.h"

#include <stdlib.h>

bool core_recall_transparent(const struct seal *seal)
{
	return (seal->flags & CORE_F_TRANSPARENT) ||
	       (seal->kind == CORE_WINDOW && seal->holder->process->blocked > 0);
}

static bool leaving(const struct seal *seal)
{
	return seal->job && seal->job->whole;
}

static struct recall *recall_get(struct seal *seal)
{
	struct recall *recall = seal->recall;

	if (!recall) {
		recall = core_must(calloc(1, sizeof(*recall)));
		recall->seal = seal;
		list_init(&recall->entries);
		list_init(&recall->process_link);
		seal->recall = recall;
	}
	return recall;
}

/* ---- asking ------------------------------------------------------------------------------ */

void core_recall_revoke(struct core *core, struct seal *seal)
{
	/* Not to be granted again when its holder was giving it back. */
	bool park = (seal->flags & CORE_F_REVOKE_PARK) && !leaving(seal);

	core->stats.revocations++;
	core_fence_whole(core, seal, park ? CORE_CAUSE_PARK : CORE_CAUSE_REVOKE,
			 CORE_RESULT_REVOKED);
}

static void deadline_passed(struct core *core, struct timer *timer)
{
	core_recall_revoke(core, container_of(timer, struct recall, timer)->seal);
}

/* The hull of what is wanted now and what was asked for before, clipped to the seal. Says whether it
 * is more than before. */
static bool widen(struct recall *recall)
{
	const struct seal *seal = recall->seal;
	/* What was asked for before may have been given back since. */
	bool fresh = recall->phase != RECALL_ASKED || recall->end <= seal->range.start ||
		     recall->start >= seal->range.end;
	bool wider = fresh;
	uint64_t start = UINT64_MAX, end = 0;

	if (!fresh) {
		start = recall->start > seal->range.start ? recall->start : seal->range.start;
		end = recall->end < seal->range.end ? recall->end : seal->range.end;
	}
	list_for_each(i, &recall->entries) {
		const struct entry *entry = list_entry(i, struct entry, seal_link);
		uint64_t from = entry->request->start, to = entry->request->end;

		if (entry->wants_flush)
			continue;
		if (from < seal->range.start)
			from = seal->range.start;
		if (to > seal->range.end)
			to = seal->range.end;
		if (from < start) {
			start = from;
			wider = true;
		}
		if (to > end) {
			end = to;
			wider = true;
		}
	}
	recall->start = start;
	recall->end = end;
	return wider;
}

void core_recall_asked(struct core *core, struct recall *recall)
{
	const struct seal *seal = recall->seal;

	recall->answer = 0;
	recall->sent = true;
	core->stats.recalls++;
	if (recall->phase == RECALL_ASKED)
		return;
	recall->phase = RECALL_ASKED;
	recall->sent_at = core->now;
	deadline_recall(&seal->object->policy, seal->holder->info.max_io_ms, core->now,
			&recall->deadline, &recall->hard);
	core_timer_set(core, &recall->timer, recall->deadline, deadline_passed);
}

static void send_recall(struct core *core, struct recall *recall, const struct request *request)
{
	struct seal *seal = recall->seal;
	struct core_command *command;

	widen(recall);
	core_recall_asked(core, recall);
	core_seal_bump(core, seal);
	command = core_emit_seal(core, CORE_CMD_RECALL, seal);
	command->request = request ? request->node.id : recall->by;
	command->start = recall->start;
	command->end = recall->end;
	command->scope = CORE_SCOPE_RANGE;
	command->map_will_change = request && (request->flags & CORE_F_MAP_WILL_CHANGE);
	command->deadline = recall->deadline;
	command->hard_limit = recall->hard;
}

static void due_timer(struct core *core, struct timer *timer)
{
	core_recall_due(core, container_of(timer, struct recall, timer));
}

void core_recall_due(struct core *core, struct recall *recall)
{
	struct seal *seal = recall->seal;
	const struct process *process = seal->holder->process;
	const struct request *request = core_request_find(core, recall->by);

	if (leaving(seal))
		return; /* nobody needs to be asked; if the return fails it begins anew */
	if (!core_recall_transparent(seal)) {
		send_recall(core, recall, request);
		return;
	}
	if (process->n_asked > (recall->counted ? 1 : 0) && !process->blocked && !recall->deferred) {
		recall->deferred = true;
		core_timer_set(core, &recall->timer,
			       deadline_add_ms(core->now, seal->object->policy.hard_ms), due_timer);
		return;
	}
	core_fence_whole(core, seal, CORE_CAUSE_PARK, CORE_RESULT_PARKED);
}

static void ask(struct core *core, struct entry *entry)
{
	struct seal *seal = entry->seal;
	struct recall *recall = seal->recall;
	struct process *process = seal->holder->process;
	bool wide = entry->request->scope != CORE_SCOPE_RANGE && !core_recall_transparent(seal);
	uint64_t due = deadline_due(&seal->object->policy, seal->granted_at);

	if (recall->phase == RECALL_IDLE) {
		recall->phase = RECALL_DUE;
		recall->by = entry->request->node.id;
		recall->counted = !(seal->flags & CORE_F_TRANSPARENT);
		process->n_asked += recall->counted;
		list_append(&process->recalls, &recall->process_link);
	}
	if (wide) {
		core_ask_add(core, entry);
	} else if (recall->phase == RECALL_ASKED) {
		struct recall before = *recall;

		if (widen(recall)) {
			recall->start = before.start;
			recall->end = before.end;
			send_recall(core, recall, entry->request);
		}
	} else if (!heap_has(&recall->timer.node)) {
		recall->by = entry->request->node.id;
		if (due <= core->now)
			core_recall_due(core, recall);
		else
			core_timer_set(core, &recall->timer, due, due_timer);
	}
	entry->line.answer = recall->answer;
}

static void start(struct core *core, struct entry *entry)
{
	if (leaving(entry->seal)) {
		if (!entry->wants_flush)
			core_fence_hurry(core, entry->seal);
	} else if (!entry->wants_flush) {
		ask(core, entry);
	} else if (!entry->flush) {
		core_fence_flush(core, entry);
	}
}

void core_recall_attach(struct core *core, struct seal *seal, struct request *request,
			enum conflict conflict)
{
	struct entry *entry;

	recall_get(seal);
	entry = core_entry_new(core, request, seal);
	entry->wants_flush = conflict == CONFLICT_FLUSH;
	start(core, entry);
}

/* ---- what happens meanwhile -------------------------------------------------------------- */

void core_recall_answer(struct core *core, struct recall *recall, enum core_answer answer,
			uint32_t delay_ms)
{
	struct seal *seal = recall->seal;

	recall->answer = answer;
	list_for_each(i, &recall->entries) {
		struct entry *entry = list_entry(i, struct entry, seal_link);

		if (!entry->wants_flush)
			entry->line.answer = answer;
	}
	if (answer == CORE_ANSWER_DELAY) {
		core->stats.answers_delay++;
		recall->deadline = deadline_delay(recall->deadline, recall->hard, core->now,
						  delay_ms);
		core_timer_set(core, &recall->timer, recall->deadline, deadline_passed);
	} else if (answer == CORE_ANSWER_NO_MATCHING) {
		core->stats.answers_no_matching++;
		core_fence_whole(core, seal, CORE_CAUSE_REVOKE, CORE_RESULT_NO_MATCHING);
	} else {
		core->stats.answers_ok++;
	}
}

int core_answer(struct core *core, uint64_t holder, uint64_t id, uint32_t seq,
		enum core_answer answer, uint32_t delay_ms, uint64_t now, uint32_t *ret_ms)
{
	struct idmap_node *n = idmap_find(&core->seals, id);
	struct seal *seal = n ? container_of(n, struct seal, node) : NULL;

	if (!core_holder_find(core, holder))
		return CORE_E_BAD_HOLDER;
	if (!seal || seal->holder->node.id != holder)
		return CORE_E_BAD_SEAL;
	if (seq != seal->seq)
		return seq && seq_older(seq, seal->seq) ? CORE_E_OLD_SEQ : CORE_E_BAD_SEAL;
	if (core_seal_state(seal) != CORE_SEAL_RECALLED)
		return CORE_E_STATE;
	core->now = now;
	core_recall_answer(core, seal->recall, answer, delay_ms);
	*ret_ms = deadline_ms(now, seal->recall->deadline);
	core_admit_run(core);
	return 0;
}

void core_recall_heard(struct core *core, struct seal *seal, uint64_t start, uint64_t end)
{
	struct recall *recall = seal->recall;

	if (recall && recall->phase == RECALL_ASKED && !recall->answer &&
	    range_overlap(start, end, recall->start, recall->end))
		core_recall_answer(core, recall, CORE_ANSWER_OK, 0);
}

/* A deferred fence waits for nothing any more. */
static void release_deferred(struct core *core, struct process *process)
{
	list_for_each(i, &process->recalls) {
		struct recall *recall = list_entry(i, struct recall, process_link);

		if (recall->deferred && !leaving(recall->seal))
			core_fence_whole(core, recall->seal, CORE_CAUSE_PARK, CORE_RESULT_PARKED);
	}
}

void core_recall_blocked(struct core *core, struct process *process)
{
	release_deferred(core, process);
	list_for_each(i, &process->recalls) {
		struct recall *recall = list_entry(i, struct recall, process_link);

		if (recall->phase == RECALL_ASKED && recall->seal->kind == CORE_WINDOW &&
		    !leaving(recall->seal))
			core_fence_whole(core, recall->seal, CORE_CAUSE_PARK, CORE_RESULT_PARKED);
	}
}

void core_recall_restart(struct core *core, struct seal *seal)
{
	struct list *next;

	if (!seal->recall)
		return;
	if (seal->recall->phase == RECALL_DUE) {
		core_timer_stop(core, &seal->recall->timer);
		seal->recall->deferred = false;
	}
	/* They waited for the end of a return that did not happen. */
	for (struct list *i = seal->recall->entries.next;
	     seal->recall && i != &seal->recall->entries; i = next) {
		struct entry *entry = list_entry(i, struct entry, seal_link);

		next = i->next;
		if (!entry->wants_flush && core_admit_denies(seal, entry->request))
			core_admit_deny(core, entry->request, CORE_E_DENIED, seal);
	}
	if (!seal->recall)
		return;
	list_for_each(i, &seal->recall->entries)
		start(core, list_entry(i, struct entry, seal_link));
}

void core_recall_shrunk(struct core *core, struct seal *seal, enum core_fence fence)
{
	struct recall *recall = seal->recall;

	if (!recall)
		return;
	list_for_each(i, &recall->entries) {
		struct entry *entry = list_entry(i, struct entry, seal_link);

		if (!core_request_needs(entry->request, seal))
			core_entry_over(core, entry, CORE_RESULT_RETURNED, fence, 0);
	}
	if (recall->phase == RECALL_ASKED) {
		recall->deadline = deadline_progress(&seal->object->policy, recall->deadline,
						     recall->hard, core->now);
		core_timer_set(core, &recall->timer, recall->deadline, deadline_passed);
	}
	core_recall_settle(core, seal, false);
}

void core_recall_follow(struct core *core, struct seal *from, struct seal *to,
			const struct entry *entry)
{
	const struct recall *model = from->recall;
	struct recall *recall = to->recall;
	struct entry *copy;

	if (!recall) {
		recall = recall_get(to);
		*recall = *model;
		recall->seal = to;
		recall->timer = (struct timer){ 0 };
		list_init(&recall->entries);
		list_init(&recall->process_link);
		if (recall->phase != RECALL_IDLE)
			list_append(&to->holder->process->recalls, &recall->process_link);
		to->holder->process->n_asked += recall->counted;
		if (heap_has(&model->timer.node))
			core_timer_set(core, &recall->timer, model->timer.node.key,
				       model->timer.fn);
	}
	copy = core_entry_new(core, entry->request, to);
	copy->line.answer = entry->line.answer;
	copy->wants_flush = entry->wants_flush;
	if (entry->ask) {
		copy->ask = entry->ask;
		list_append(&entry->ask->entries, &copy->ask_link);
	}
	if (copy->wants_flush)
		core_fence_flush(core, copy);
}

/* ---- ending ------------------------------------------------------------------------------ */

static void stop_asking(struct core *core, struct recall *recall)
{
	struct process *process = recall->seal->holder->process;

	core_timer_stop(core, &recall->timer);
	list_unlink(&recall->process_link);
	recall->phase = RECALL_IDLE;
	recall->answer = 0;
	recall->sent = recall->deferred = false;
	if (recall->counted) {
		recall->counted = false;
		if (--process->n_asked == 0)
			release_deferred(core, process);
	}
}

void core_recall_settle(struct core *core, struct seal *seal, bool lapse)
{
	struct recall *recall = seal->recall;

	if (!recall)
		return;
	list_for_each(i, &recall->entries) {
		const struct entry *entry = list_entry(i, struct entry, seal_link);

		if (!entry->wants_flush) {
			recall->by = entry->request->node.id;
			return;
		}
	}
	if (leaving(seal))
		core_fence_calm(core, seal);
	/* A fence that was begun for them goes on without them, and ends the recall. */
	if (leaving(seal) && seal->job->cause != CORE_CAUSE_RETURN)
		return;
	if (recall->sent && lapse && !leaving(seal)) {
		core->stats.lapses++;
		core_emit_seal(core, CORE_CMD_LAPSED, seal);
	}
	stop_asking(core, recall);
	if (list_empty(&recall->entries)) {
		seal->recall = NULL;
		free(recall);
	}
}

void core_recall_end(struct core *core, struct seal *seal)
{
	struct recall *recall = seal->recall;

	if (!recall)
		return;
	seal->recall = NULL;
	stop_asking(core, recall);
	free(recall);
}
