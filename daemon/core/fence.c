/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Jobs: what the mechanism is asked to do to a window, and what follows when it says how it went.
 *
 * A return may fail and then nothing has changed; every other fence ends the promise for good, and
 * what could not be written is quarantined. So a seal has at most one job, and a fence of the whole
 * overtakes a return that is still out: the mechanism hears of the new job, and the late result of
 * the old one is forgiven; only what it kept is told. The range stays occupied until the last word on
 * it.
 *
 * What is forced is kept apart and not written, so nothing is forced for nobody. A fence that a recall
 * began is, once, when it takes longer than fence_ms. That of a dead holder's seal takes as long as the
 * disk does, until somebody wants the range; from then on it has fence_ms too. A return is never forced,
 * since its holder would be told that all is well: the recall that runs over it has a deadline, and one
 * that nobody had to ask for has as much time from the moment that somebody waits for it; then the seal
 * is revoked like any other. Flushes have no limit of their own: who reads may wait as long as it
 * likes, and who can't choose whether it waits does not stand behind a read (behind.c).
 */

#include "daemon/core/core-internal.h"

#include <errno.h>
#include <stdlib.h>

static struct job *job_new(struct core *core, enum core_cause cause, uint64_t start, uint64_t end)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->cause = cause;
	job->start = start;
	job->end = end;
	job->since = core->now;
	idmap_insert(&core->jobs, &job->node, core_id(core));
	return job;
}

struct job *core_job_free(struct core *core, struct job *job)
{
	if (!job)
		return NULL;
	core_timer_stop(core, &job->timer);
	idmap_remove(&core->jobs, &job->node);
	free(job);
	return NULL;
}

/* ---- beginning --------------------------------------------------------------------------- */

static void force(struct core *core, struct timer *timer)
{
	struct job *job = container_of(timer, struct job, timer);
	struct core_command *command = core_emit_seal(core, CORE_CMD_FENCE_FORCE, job->seal);

	command->job = job->node.id;
	command->cause = job->cause;
	command->start = job->start;
	command->end = job->end;
	core->stats.forced++;
}

static void overdue(struct core *core, struct timer *timer)
{
	core_recall_revoke(core, container_of(timer, struct job, timer)->seal);
}

/* Who would do with a flush does not count. */
static bool wanted(const struct seal *seal)
{
	if (!seal->recall)
		return false;
	list_for_each(i, &seal->recall->entries)
		if (!list_entry(i, struct entry, seal_link)->wants_flush)
			return true;
	return false;
}

void core_fence_hurry(struct core *core, struct seal *seal)
{
	const struct core_policy *policy = &seal->object->policy;
	struct job *job = seal->job;
	uint64_t deadline, hard;

	if (job->hurried)
		return;
	if (job->cause != CORE_CAUSE_RETURN) {
		core_timer_set(core, &job->timer, deadline_add_ms(core->now, policy->fence_ms),
			       force);
	} else if (seal->recall->phase != RECALL_ASKED) {
		deadline_recall(policy, seal->holder->info.max_io_ms, core->now, &deadline, &hard);
		core_timer_set(core, &job->timer, deadline, overdue);
	} else {
		return; /* that recall has a deadline */
	}
	job->hurried = true;
}

void core_fence_calm(struct core *core, struct seal *seal)
{
	struct job *job = seal->job;

	if (job->cause != CORE_CAUSE_RETURN && job->cause != CORE_CAUSE_DEATH)
		return;
	if (heap_has(&job->timer.node))
		job->hurried = false;
	core_timer_stop(core, &job->timer);
}

static struct core_command *begin(struct core *core, struct seal *seal, struct job *job)
{
	struct core_command *command = core_emit_seal(core, CORE_CMD_FENCE, seal);

	job->seal = seal;
	job->whole = job->start <= seal->range.start && job->end >= seal->range.end;
	seal->job = job;
	if (job->cause == CORE_CAUSE_REVOKE || job->cause == CORE_CAUSE_PARK ||
	    (job->whole && wanted(seal)))
		core_fence_hurry(core, seal);
	command->job = job->node.id;
	command->cause = job->cause;
	command->start = job->start;
	command->end = job->end;
	return command;
}

/* Its result may come when there is no seal any more that it was about. */
static void overtake(struct core *core, struct job *job)
{
	const struct seal *seal = job->seal;

	job->was_seal = seal->node.id;
	job->was_holder = seal->holder->node.id;
	job->was_object = seal->object->node.id;
	job->was_uid = seal->holder->info.uid;
	job->seal = NULL;
	core_timer_stop(core, &job->timer);
}

void core_fence_whole(struct core *core, struct seal *seal, enum core_cause cause,
		      enum core_result result)
{
	struct job *job = core_must(job_new(core, cause, seal->range.start, seal->range.end));

	if (seal->job)
		overtake(core, seal->job);
	if (seal->recall) {
		core_timer_stop(core, &seal->recall->timer);
		seal->recall->deferred = false;
	}
	job->result = result;
	begin(core, seal, job);
}

int core_return(struct core *core, uint64_t holder, uint64_t id, uint32_t seq, uint64_t start,
		uint64_t end, bool discard, uint64_t now)
{
	struct idmap_node *n = idmap_find(&core->seals, id);
	struct seal *seal = n ? container_of(n, struct seal, node) : NULL;
	struct job *job;

	if (start >= end)
		return CORE_E_BAD_RANGE;
	if (!core_holder_find(core, holder))
		return CORE_E_BAD_HOLDER;
	if (!seal || seal->holder->node.id != holder)
		return CORE_E_BAD_SEAL;
	if (seq != seal->seq)
		return seq && seq_older(seq, seal->seq) ? CORE_E_OLD_SEQ : CORE_E_BAD_SEAL;
	if (!range_overlap(start, end, seal->range.start, seal->range.end))
		return CORE_E_BAD_RANGE;
	if (seal->job)
		return CORE_E_STATE;
	core->now = now;
	job = job_new(core, CORE_CAUSE_RETURN,
		      start > seal->range.start ? start : seal->range.start,
		      end < seal->range.end ? end : seal->range.end);
	if (!job)
		return -ENOMEM;
	job->result = CORE_RESULT_RETURNED;
	core_recall_heard(core, seal, job->start, job->end);
	if (seal->parked) {
		/* Nothing is granted again while part of it is on its way back. */
		job->parked_order = seal->parked->order;
		core_request_leave(core, seal->parked);
		seal->parked = NULL;
	}
	begin(core, seal, job)->discard = discard;
	core_admit_run(core);
	return 0;
}

void core_fence_flush(struct core *core, struct entry *entry)
{
	struct seal *seal = entry->seal;
	uint64_t start = entry->request->start, end = entry->request->end;
	struct core_command *command;
	struct job *job;

	if (start < seal->range.start)
		start = seal->range.start;
	if (end > seal->range.end)
		end = seal->range.end;
	job = core_must(job_new(core, 0, start, end));
	job->entry = entry;
	entry->flush = job;
	command = core_emit_seal(core, CORE_CMD_FLUSH, seal);
	command->job = job->node.id;
	command->request = entry->request->node.id;
	command->start = start;
	command->end = end;
}

/* ---- ending ------------------------------------------------------------------------------ */

static void entries_over(struct core *core, struct seal *seal, enum core_result result,
			 const struct core_fence_result *fence)
{
	struct list *l;

	while (seal->recall && (l = list_first(&seal->recall->entries)))
		core_entry_over(core, list_entry(l, struct entry, seal_link), result, fence->fence,
				fence->quarantined);
}

static void tell_revoked(struct core *core, const struct seal *seal, enum core_cause cause,
			 const struct core_fence_result *fence)
{
	struct core_command *command = core_emit_seal(core, CORE_CMD_REVOKED, seal);

	command->cause = cause;
	command->fence = fence->fence;
	command->job = fence->job;
}

static void whole_done(struct core *core, struct seal *seal, const struct core_fence_result *fence)
{
	enum core_cause cause = seal->job->cause;
	enum core_result result = seal->job->result;

	entries_over(core, seal, result, fence);
	core_recall_end(core, seal);
	seal->job = core_job_free(core, seal->job);

	if (cause == CORE_CAUSE_PARK && !seal->holder->gone) {
		tell_revoked(core, seal, cause, fence);
		core->stats.parks++;
		seal->is_parked = true;
		core_object_changed(core, seal->object);
		core_admit_park(core, seal, ++core->last_order);
		return;
	}
	if (cause == CORE_CAUSE_REVOKE && result == CORE_RESULT_REVOKED && !seal->holder->gone)
		tell_revoked(core, seal, cause, fence);
	core_seal_end(core, seal);
}

static void return_failed(struct core *core, struct seal *seal, int error)
{
	uint64_t order = seal->job->parked_order;
	struct core_command *command = core_emit_seal(core, CORE_CMD_RETURNED, seal);

	command->job = seal->job->node.id;
	command->start = seal->job->start;
	command->end = seal->job->end;
	command->error = error;
	seal->job = core_job_free(core, seal->job);
	core_recall_restart(core, seal);
	if (order)
		core_admit_park(core, seal, order);
}

static void return_done(struct core *core, struct seal *seal, const struct core_fence_result *fence)
{
	uint64_t start = seal->job->start, end = seal->job->end, order = seal->job->parked_order;
	struct core_command *command;
	struct seal *upper;
	bool empty;

	if (seal->job->whole)
		entries_over(core, seal, CORE_RESULT_RETURNED, fence);
	seal->job = core_job_free(core, seal->job);
	core_seal_bump(core, seal);
	command = core_emit_seal(core, CORE_CMD_RETURNED, seal);
	command->job = fence->job;
	command->start = start;
	command->end = end;
	command->fence = fence->fence;
	core_seal_carve(core, seal, start, end, &upper, &empty);
	if (empty) {
		core->stats.returns++;
		core_recall_end(core, seal);
		core_seal_end(core, seal);
		return;
	}
	core->stats.partial_returns++;
	if (upper) {
		command->split_seal = upper->node.id;
		command->split_seq = upper->seq;
		if (seal->recall)
			list_for_each(i, &seal->recall->entries) {
				struct entry *entry = list_entry(i, struct entry, seal_link);

				if (core_request_needs(entry->request, upper))
					core_recall_follow(core, seal, upper, entry);
			}
		core_recall_shrunk(core, upper, fence->fence);
	}
	core_recall_shrunk(core, seal, fence->fence);
	if (order) {
		core_admit_park(core, seal, order);
		if (upper)
			core_admit_park(core, upper, order);
	}
}

static void tell_quarantined(struct core *core, const struct job *job,
			     const struct core_fence_result *result)
{
	struct core_command *command;

	if (job->seal) {
		command = core_emit_seal(core, CORE_CMD_QUARANTINED, job->seal);
	} else {
		command = core_emit(core, CORE_CMD_QUARANTINED);
		command->seal = job->was_seal;
		command->holder = job->was_holder;
		command->object = job->was_object;
		command->uid = job->was_uid;
	}
	command->job = job->node.id;
	command->start = job->start;
	command->end = job->end;
	command->quarantined = result->quarantined;
	command->quarantine_errno = result->quarantine_errno;
	core->stats.quarantines++;
}

void core_fenced(struct core *core, const struct core_fence_result *result, uint64_t now)
{
	struct idmap_node *n = idmap_find(&core->jobs, result->job);
	struct job *job = n ? container_of(n, struct job, node) : NULL;
	struct seal *seal;

	core->now = now;
	if (!job || job->entry)
		return;
	seal = job->seal;
	if (result->quarantined > 0)
		tell_quarantined(core, job, result);
	if (!seal) {
		core_emit(core, CORE_CMD_FORGIVEN)->job = job->node.id;
		core_job_free(core, job);
		return;
	}
	core_timer_stop(core, &job->timer);
	if (job->cause != CORE_CAUSE_RETURN)
		whole_done(core, seal, result);
	else if (result->error)
		return_failed(core, seal, result->error);
	else
		return_done(core, seal, result);
	core_admit_run(core);
}

void core_flushed(struct core *core, uint64_t id, int error, uint64_t now)
{
	struct idmap_node *n = idmap_find(&core->jobs, id);
	struct job *job = n ? container_of(n, struct job, node) : NULL;
	struct entry *entry = job ? job->entry : NULL;
	struct seal *seal;

	core->now = now;
	if (!entry)
		return;
	if (error) {
		core_request_refuse_io(core, entry->request, entry->seal, error);
	} else {
		seal = entry->seal;
		core->stats.flushes++;
		core_entry_over(core, entry, CORE_RESULT_FLUSHED, CORE_FENCE_NONE, 0);
		core_recall_settle(core, seal, false);
	}
	core_admit_run(core);
}
