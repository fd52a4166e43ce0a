/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Seals: granted, split, carved, ended.
 *
 * A seal is in three places, always together: the id map, its object's index, its holder's list in
 * order of grant. It occupies its whole range until a fence has been reported; only then is a part
 * carved out, so nobody is ever granted bytes that somebody else can still reach. A parked seal
 * stays in the index, to be seen, but stands in nobody's way.
 *
 * Carving out the middle leaves two seals on one window: the lower keeps id and seq, the upper is
 * new, with the lower's rights and age. Seq moves in core_seal_bump() alone.
 */

#include "daemon/core/core-internal.h"

#include <stdlib.h>

struct seal *core_seal_new(struct core *core, struct holder *holder, struct object *object,
			   uint64_t start, uint64_t end)
{
	struct seal *seal = core_must(calloc(1, sizeof(*seal)));

	seal->holder = holder;
	seal->object = object;
	seal->seq = core->config.first_seq ? core->config.first_seq : SEQ_FIRST;
	seal->granted_at = core->now;
	list_append(&holder->seals, &seal->link);
	holder->n_seals++;
	interval_insert(&object->seals, &seal->range, start, end);
	idmap_insert(&core->seals, &seal->node, core_id(core));
	core->stats.seals++;
	return seal;
}

struct seal *core_seal_free(struct core *core, struct seal *seal)
{
	if (!seal)
		return NULL;
	core_settle_stop(core, seal);
	idmap_remove(&core->seals, &seal->node);
	interval_remove(&seal->object->seals, &seal->range);
	core_object_changed(core, seal->object);
	list_unlink(&seal->link);
	seal->holder->n_seals--;
	core->stats.seals--;
	core_holder_put(core, seal->holder);
	free(seal);
	return NULL;
}

struct seal *core_seal_grant(struct core *core, struct request *request)
{
	struct seal *seal = core_seal_new(core, request->holder, request->object, request->start,
					  request->end);
	struct core_command *command;

	seal->window = core_id(core);
	seal->mode = request->mode;
	seal->kind = request->kind;
	seal->flags = request->flags;
	core->stats.grants++;
	command = core_emit_seal(core, CORE_CMD_GRANT, seal);
	command->request = request->node.id;
	command->flags = request->flags;
	return seal;
}

void core_seal_regrant(struct core *core, struct seal *seal)
{
	seal->is_parked = false;
	seal->parked = NULL;
	seal->granted_at = core->now;
	core_seal_bump(core, seal);
	core->stats.regrants++;
	core_emit_seal(core, CORE_CMD_REGRANT, seal)->flags = seal->flags;
}

void core_seal_end(struct core *core, struct seal *seal)
{
	if (seal->parked)
		core_request_leave(core, seal->parked);
	core_emit_seal(core, CORE_CMD_SEAL_ENDED, seal);
	core_seal_free(core, seal);
}

void core_seal_bump(struct core *core, struct seal *seal)
{
	uint32_t next = seq_next(seal->seq);

	if (next < seal->seq)
		core->stats.seq_wraps++;
	seal->seq = next;
}

static void move(struct seal *seal, uint64_t start, uint64_t end)
{
	interval_remove(&seal->object->seals, &seal->range);
	interval_insert(&seal->object->seals, &seal->range, start, end);
}

void core_seal_carve(struct core *core, struct seal *seal, uint64_t start, uint64_t end,
		     struct seal **ret_upper, bool *ret_empty)
{
	uint64_t low = seal->range.start, high = seal->range.end;
	struct seal *upper = NULL;

	if (start > low && end < high) {
		move(seal, low, start);
		upper = core_seal_new(core, seal->holder, seal->object, end, high);
		upper->window = seal->window;
		upper->granted_at = seal->granted_at;
		upper->flags = seal->flags;
		upper->mode = seal->mode;
		upper->kind = seal->kind;
		upper->is_parked = seal->is_parked;
		/* As old as the part it comes from. */
		list_unlink(&upper->link);
		list_prepend(&seal->link, &upper->link);
		core->stats.splits++;
	} else if (start > low) {
		move(seal, low, start);
	} else if (end < high) {
		move(seal, end, high);
	}
	core_object_changed(core, seal->object);
	*ret_upper = upper;
	*ret_empty = start <= low && end >= high;
}

enum core_seal_state core_seal_state(const struct seal *seal)
{
	if (seal->job && seal->job->whole)
		return CORE_SEAL_FENCING;
	if (seal->is_parked)
		return CORE_SEAL_PARKED;
	if (seal->recall && seal->recall->phase == RECALL_ASKED)
		return CORE_SEAL_RECALLED;
	return CORE_SEAL_HELD;
}

void core_seal_view(const struct seal *seal, struct core_seal_view *ret)
{
	bool asked = seal->recall && seal->recall->phase == RECALL_ASKED;

	*ret = (struct core_seal_view){
		.id = seal->node.id,
		.window = seal->window,
		.holder = seal->holder->node.id,
		.object = seal->object->node.id,
		.start = seal->range.start,
		.end = seal->range.end,
		.seq = seal->seq,
		.mode = seal->mode,
		.kind = seal->kind,
		.state = core_seal_state(seal),
		.pinnable = seal->flags & CORE_F_PINNABLE,
		.transparent = seal->flags & CORE_F_TRANSPARENT,
		.hard = seal->flags & CORE_F_HARD,
		.granted_at = seal->granted_at,
		.deadline = asked ? seal->recall->deadline : CORE_NEVER,
		.hard_limit = asked ? seal->recall->hard : CORE_NEVER,
		.recalled_by = asked ? seal->recall->by : 0,
	};
}
