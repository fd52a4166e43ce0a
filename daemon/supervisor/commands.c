/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Carrying out what the core says: to the pager what concerns memory, to clients what they should
 * know, to watchers and the log what happened.
 *
 * Commands are taken in order, all of them, after each batch of events. What a command sets off may
 * bring the next (a fence of a window that was never opened is over at once), so draining ends when
 * the queue is empty and not before.
 *
 * Order matters in one place: whoever held a range free may have changed the object's size, so it is
 * looked at when the hold is over and again before parked seals are granted anew, and the pager
 * hears of it first.
 */

#include <stdio.h>

#include "daemon/core/deadline.h"
#include "daemon/supervisor/wiring.h"

#define SAME(a, b) _Static_assert((int)(a) == (int)(b), #a " and " #b " are one number")

SAME(CORE_FENCE_NONE, PAGER_FENCE_NONE);
SAME(CORE_FENCE_FENCED, PAGER_FENCE_FENCED);
SAME(CORE_FENCE_UNFENCED, PAGER_FENCE_UNFENCED);
SAME(CORE_FENCE_TORN_POSSIBLE, PAGER_FENCE_TORN_POSSIBLE);
SAME(CORE_FENCE_NONE, PROTO_FENCE_NONE);
SAME(CORE_FENCE_FENCED, PROTO_FENCE_FENCED);
SAME(CORE_FENCE_UNFENCED, PROTO_FENCE_UNFENCED);
SAME(CORE_FENCE_TORN_POSSIBLE, PROTO_FENCE_TORN_POSSIBLE);
SAME(CORE_READ, PROTO_MODE_READ);
SAME(CORE_WRITE, PROTO_MODE_WRITE);
SAME(CORE_WINDOW, PROTO_KIND_WINDOW);
SAME(CORE_DIRECT, PROTO_KIND_DIRECT);
SAME(CORE_SEAL_HELD, PROTO_STATE_HELD);
SAME(CORE_SEAL_RECALLED, PROTO_STATE_RECALLED);
SAME(CORE_SEAL_FENCING, PROTO_STATE_FENCING);
SAME(CORE_SEAL_PARKED, PROTO_STATE_PARKED);
SAME(CORE_ANSWER_OK, PROTO_ANSWER_OK);
SAME(CORE_ANSWER_DELAY, PROTO_ANSWER_DELAY);
SAME(CORE_ANSWER_NO_MATCHING, PROTO_ANSWER_NO_MATCHING);
SAME(CORE_SCOPE_RANGE, PROTO_SCOPE_RANGE);
SAME(CORE_SCOPE_OBJECT, PROTO_SCOPE_OBJECT);
SAME(CORE_SCOPE_DEVICE, PROTO_SCOPE_DEVICE);
SAME(CORE_SCOPE_ALL, PROTO_SCOPE_ALL);
SAME(CORE_WANT_WINDOW_READ, PROTO_WANT_WINDOW_READ);
SAME(CORE_WANT_DIRECT_WRITE, PROTO_WANT_DIRECT_WRITE);
SAME(CORE_WANT_FOREIGN_READ, PROTO_WANT_FOREIGN_READ);
SAME(CORE_WANT_LAYOUT, PROTO_WANT_LAYOUT);
SAME(CORE_WANT_FOREIGN_CLONE, PROTO_WANT_FOREIGN_CLONE);
SAME(CORE_RESULT_PENDING, PROTO_RESULT_PENDING);
SAME(CORE_RESULT_RETURNED, PROTO_RESULT_RETURNED);
SAME(CORE_RESULT_NO_MATCHING, PROTO_RESULT_NO_MATCHING);
SAME(CORE_RESULT_REVOKED, PROTO_RESULT_REVOKED);
SAME(CORE_RESULT_PARKED, PROTO_RESULT_PARKED);
SAME(CORE_RESULT_FLUSHED, PROTO_RESULT_FLUSHED);
SAME(CORE_RESULT_GONE, PROTO_RESULT_GONE);

static void tell(struct supervisor *s, const struct core_command *c, enum proto_e_CHANGE change,
		 const char *detail)
{
	watch_tell(s, &(struct change){
			      .change = change,
			      .id = c->seal,
			      .object = c->object,
			      .start = c->start,
			      .end = c->end,
			      .holder = c->holder,
			      .detail = detail,
		      });
}

/* ---- recalls ---------------------------------------------------------------------------- */

/* Its holder has not heard of it yet, and so can't give it back. */
static void overtaken(struct supervisor *s, struct seal *seal)
{
	struct refusal refusal;

	guards_forget(s, seal);
	refuse(&refusal, PROTO_E_GONE,
	       "somebody else needed the range before strangers were done with it; try again");
	seal_undo(s, seal, &refusal);
}

static void recall(struct supervisor *s, const struct core_command *c)
{
	struct client *client = client_find(s, c->holder);
	struct seal *seal = seal_find(s, c->seal);
	uint64_t now = loop_now();
	struct proto_message message = {
		.type = PROTO_RECALL,
		.recall = {
			.recall = c->request,
			.scope = c->scope,
			.seal = c->seal,
			.seq = c->seq,
			.object = c->object,
			.offset = c->start,
			.length = c->end == CORE_INFINITY ? 0 : c->end - c->start,
			.flags = c->map_will_change ? PROTO_RECALL_MAP_WILL_CHANGE : 0,
			.deadline_ms = deadline_ms(now, c->deadline),
			.hard_ms = deadline_ms(now, c->hard_limit),
		},
	};
	char detail[64];

	if (seal && seal->settling == SETTLING_GRANT)
		overtaken(s, seal);
	else if (seal)
		seal_event(seal, &message);
	else if (client && client->session)
		session_event(client->session, &message);
	if (!watch_any(s))
		return;
	snprintf(detail, sizeof(detail), "%s, deadline in %u ms",
		 proto_text(PROTO_TEXT_SCOPE, c->scope), message.recall.deadline_ms);
	tell(s, c, PROTO_CHANGE_RECALLED, detail);
}

static void recall_any(struct supervisor *s, const struct core_command *c)
{
	struct client *client = client_find(s, c->holder);
	struct proto_message message = {
		.type = PROTO_RECALL_ANY,
		.recall_any = {
			.keep = c->keep,
			.deadline_ms = deadline_ms(loop_now(), c->deadline),
		},
	};

	if (client && client->session)
		session_event(client->session, &message);
}

static void lapsed(struct supervisor *s, const struct core_command *c)
{
	struct seal *seal = seal_find(s, c->seal);
	struct proto_message message = {
		.type = PROTO_LAPSED,
		.lapsed = { .seal = c->seal, .seq = c->seq },
	};

	if (seal)
		seal_event(seal, &message);
}

/* ---- fences ----------------------------------------------------------------------------- */

static enum pager_how how(enum core_cause cause)
{
	switch (cause) {
	case CORE_CAUSE_RETURN:
		return PAGER_HOW_RETURN;
	case CORE_CAUSE_PARK:
		return PAGER_HOW_PARK;
	case CORE_CAUSE_DEATH:
		return PAGER_HOW_DEATH;
	default:
		return PAGER_HOW_REVOKE;
	}
}

/* A return that is still out is answered now: the fence that overtakes it ends the seal. */
static void return_overtaken(struct supervisor *s, struct seal *seal)
{
	struct refusal refusal;

	(void)s;
	seal->returning = false;
	refuse(&refusal, PROTO_E_GONE, "the seal was taken before it was given back");
	refusal_send(seal->window->client, seal->return_serial, &refusal);
}

/* Some of a seal may be given back while the rest waits for strangers. */
static bool is_whole(const struct supervisor *s, const struct core_command *c)
{
	struct core_seal_view view;

	return core_seal_find(s->core, c->seal, &view) && c->start <= view.start &&
	       c->end >= view.end;
}

static void fence(struct supervisor *s, const struct core_command *c)
{
	struct window *window = window_find(s, c->window);
	struct seal *seal = seal_find(s, c->seal);
	struct pager_job job = {
		.type = PAGER_FENCE,
		.window = c->window,
		.start = c->start,
		.end = c->end,
		.how = how(c->cause),
		.discard = c->discard || (c->cause == CORE_CAUSE_DEATH && window && window->discard),
		.fd = -1,
	};
	struct job context = {
		.core_job = c->job,
		.cause = c->cause,
		.holder = c->holder,
		.window = c->window,
		.seal = c->seal,
		.start = c->start,
		.end = c->end,
	};

	if (seal && seal->returning && c->cause != CORE_CAUSE_RETURN)
		return_overtaken(s, seal);
	if (seal && seal->settling == SETTLING_REGRANT && is_whole(s, c))
		guards_forget(s, seal); /* it was parked all the time */
	if (seal && seal->settling == SETTLING_GRANT && c->cause == CORE_CAUSE_PARK)
		overtaken(s, seal); /* a window that was never opened can't be granted again */
	if (window && window->direct) {
		direct_fence(s, c);
		return;
	}
	if (!window || !(window->open || window->opening)) {
		core_fenced(s->core, &(struct core_fence_result){ .job = c->job }, loop_now());
		return;
	}
	if (return_may_be_late(s, seal, c)) {
		return_late(s, seal, c);
		return;
	}
	job.limit = deadline_add_ms(loop_now(), window->object->policy.fence_ms);
	/* the core says when somebody has waited for long enough */
	job.patient = c->cause == CORE_CAUSE_RETURN || c->cause == CORE_CAUSE_DEATH;
	job_submit_must(s, &context, &job);
}

static void flush(struct supervisor *s, const struct core_command *c)
{
	struct window *window = window_find(s, c->window);
	struct pager_job job = {
		.type = PAGER_FLUSH,
		.window = c->window,
		.start = c->start,
		.end = c->end,
		.fd = -1,
	};
	struct job context = {
		.core_job = c->job,
		.holder = c->holder,
		.window = c->window,
		.seal = c->seal,
		.start = c->start,
		.end = c->end,
	};

	if (!window || !(window->open || window->opening))
		core_flushed(s->core, c->job, 0, loop_now());
	else
		job_submit_must(s, &context, &job);
}

static void revoked(struct supervisor *s, const struct core_command *c)
{
	struct seal *seal = seal_find(s, c->seal);
	const struct kept *kept = kept_find(s, c->job);
	const struct client *client = client_find(s, c->holder);
	bool parked = c->cause == CORE_CAUSE_PARK;
	struct proto_message message = {
		.type = PROTO_REVOKED,
		.revoked = {
			.seal = c->seal,
			.seq = c->seq,
			.fence = c->fence,
			.flags = parked ? PROTO_REVOKE_PARKED : 0,
			.quarantined = kept ? kept->bytes : 0,
		},
	};

	if (seal)
		seal_event(seal, &message);
	if (seal && parked)
		guards_forget(s, seal);
	if (parked)
		return; /* watchers heard of it when the fence was done */
	log_line(LOG_LEVEL_WARNING, "seal %llu of pid %d (%s, uid %u) revoked: %s",
		 (unsigned long long)c->seal, client ? client->pid : 0,
		 client ? client->comm : "", c->uid, proto_text(PROTO_TEXT_FENCE, c->fence));
	tell(s, c, PROTO_CHANGE_REVOKED, proto_text(PROTO_TEXT_FENCE, c->fence));
}

/* ---- requests --------------------------------------------------------------------------- */

static void granted(struct supervisor *s, const struct core_command *c)
{
	struct pending *pending = pending_find(s, c->request);

	if (!pending)
		return;
	window_granted(s, pending, c);
	pending_free(s, pending);
	tell(s, c, PROTO_CHANGE_GRANTED, proto_text(PROTO_TEXT_MODE, c->mode));
}

static void refused(struct supervisor *s, const struct core_command *c)
{
	struct pending *pending = pending_find(s, c->request);
	struct stranger *stranger = pending ? NULL : stranger_find(s, c->request);

	if (stranger)
		stranger_refused(s, stranger, c);
	else if (pending && pending->type == PENDING_BREAK)
		break_refused(s, pending, c);
	else if (pending)
		acquire_refused(s, pending, c);
}

static void ready(struct supervisor *s, const struct core_command *c)
{
	struct pending *pending = pending_find(s, c->request);
	struct stranger *stranger = pending ? NULL : stranger_find(s, c->request);

	if (stranger)
		stranger_ready(s, stranger, c);
	else if (pending)
		break_ready(s, pending, c);
}

static void carry_out(struct supervisor *s, const struct core_command *c)
{
	struct pending *pending;

	switch (c->type) {
	case CORE_CMD_GRANT:
		granted(s, c);
		break;
	case CORE_CMD_REFUSE:
		refused(s, c);
		break;
	case CORE_CMD_RECALL:
		recall(s, c);
		break;
	case CORE_CMD_RECALL_ANY:
		recall_any(s, c);
		break;
	case CORE_CMD_FENCE:
		fence(s, c);
		break;
	case CORE_CMD_FENCE_FORCE:
		if (!direct_force(s, c) && job_find(s, c->job))
			pager_force(s->pager, c->job);
		break;
	case CORE_CMD_FLUSH:
		flush(s, c);
		break;
	case CORE_CMD_RETURNED:
		return_done(s, c);
		break;
	case CORE_CMD_REVOKED:
		revoked(s, c);
		break;
	case CORE_CMD_REGRANT:
		regrant(s, c);
		break;
	case CORE_CMD_SEAL_ENDED:
		tell(s, c, PROTO_CHANGE_ENDED, "");
		seal_ended(s, c);
		break;
	case CORE_CMD_UNSETTLED:
		guards_unsettled(s, c);
		break;
	case CORE_CMD_LAPSED:
		lapsed(s, c);
		break;
	case CORE_CMD_BREAK_READY:
		ready(s, c);
		break;
	case CORE_CMD_BREAK_EXPIRED:
		pending = pending_find(s, c->request);
		if (pending)
			break_expired(s, pending);
		break;
	case CORE_CMD_BREAK_OVER:
		break_over(s, c);
		break;
	case CORE_CMD_AVAIL:
		pending = pending_find(s, c->request);
		if (pending)
			acquire_available(s, pending);
		break;
	case CORE_CMD_QUARANTINED:
		quarantine_confirm(s, c);
		break;
	case CORE_CMD_FORGIVEN:
		break; /* QUARANTINED said what it kept, if anything */
	}
}

void commands_drain(struct supervisor *s)
{
	struct core_command command;

	while (core_next_command(s->core, &command))
		carry_out(s, &command);
}
