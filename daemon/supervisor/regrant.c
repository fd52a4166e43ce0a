/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Parked seals that are in force again.
 *
 * The core says so when nobody who speaks the protocol is in the way any more. A stranger may be, whom
 * the guard let go: what it does has only begun then, so threads stay parked until it is over, or
 * settle-ms is.
 *
 * Whoever held the range free may have changed the object's size. The holder is told it, and the new
 * seq, before a thread of it can go on.
 */

#include "daemon/supervisor/wiring.h"

void regrant(struct supervisor *s, const struct core_command *c)
{
	struct seal *seal = seal_find(s, c->seal);

	if (!seal)
		return;
	if (seal->undoing) {
		/* its window was never opened, and it was parked before that could be undone */
		core_return(s->core, c->holder, c->seal, c->seq, c->start, c->end, true, loop_now());
		return;
	}
	guards_admit(s, seal, SETTLING_REGRANT);
}

void regrant_begin(struct supervisor *s, struct seal *seal)
{
	struct core_seal_view view;
	struct proto_message message = { .type = PROTO_REGRANTED };
	struct pager_job job = { .type = PAGER_REGRANT, .fd = -1 };

	if (!core_seal_find(s->core, seal->node.id, &view))
		return;
	if (seal->window->direct) {
		direct_regrant(s, seal, view.start, view.end);
		return;
	}
	message.regranted.seal = view.id;
	message.regranted.seq = view.seq;
	message.regranted.size = object_refresh(s, seal->window->object);
	seal_event(seal, &message);
	job.window = view.window;
	job.start = view.start;
	job.end = view.end;
	job_submit_must(s, &(struct job){ .window = view.window }, &job);
	watch_tell(s, &(struct change){
			      .change = PROTO_CHANGE_REGRANTED,
			      .id = view.id,
			      .object = view.object,
			      .start = view.start,
			      .end = view.end,
			      .holder = view.holder,
			      .detail = seal->weak ? "weak" : "",
		      });
}

/* It can't be promised again: a stranger is at work, the file is shorter now, the disk is full. */
void regrant_failed(struct supervisor *s, struct seal *seal, const char *why)
{
	struct core_seal_view view;
	struct proto_message message = { .type = PROTO_REVOKED };

	if (!core_seal_find(s->core, seal->node.id, &view))
		return;
	log_line(LOG_LEVEL_WARNING, "seal %llu can't be granted again: %s",
		 (unsigned long long)seal->node.id, why);
	message.revoked.seal = view.id;
	message.revoked.seq = view.seq;
	message.revoked.fence = PROTO_FENCE_NONE;
	seal_event(seal, &message);
	seal->undoing = true;
	core_return(s->core, view.holder, view.id, view.seq, view.start, view.end, true, loop_now());
}
