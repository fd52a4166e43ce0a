/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What holders say about their seals: RETURN, and ANSWER to a recall.
 *
 * A return is answered when the pager has taken the range back, which may fail, and then nothing has
 * been given back; or at once, when a fence overtakes it (commands.c).
 *
 * Whoever waits for a range need not wait for that where nothing can fail and nothing can come of it:
 * what a READ window shows is a copy, which its holder could have kept anyway, and after a return of
 * all that was recalled the core is told so at once. The pager empties the window later, before it
 * opens any other, and then its holder has the answer. Only small ranges, so that who returns and
 * acquires again has hardly more memory than it is charged for.
 */

#include "daemon/core/seq.h"
#include "daemon/supervisor/wiring.h"

#define LATE_BYTES (UINT64_C(2) << 20) /* the pager takes that much in one turn */

void request_return(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_return_ *m)
{
	struct core_seal_view view;
	struct refusal refusal;
	uint64_t start, end;
	struct seal *seal;
	int r;

	r = seal_of_client(s, client, m->seal, &seal, &view, &refusal);
	/* who is behind is told that first: the range may be right for what it knows */
	if (!r && m->seq != view.seq) {
		r = core_return(s->core, client->node.id, m->seal, m->seq, view.start, view.end,
				false, loop_now());
		refuse_core(&refusal, r);
	}
	if (!r)
		r = bounds_within(view.start, view.end, page_up(1), m->offset, m->length, true,
				  &start, &end, &refusal);
	if (!r) {
		r = core_return(s->core, client->node.id, m->seal, m->seq, start, end,
				m->flags & PROTO_RETURN_DISCARD, loop_now());
		if (r)
			refuse_core(&refusal, r);
	}
	if (r) {
		refusal_send(client, serial, &refusal);
		return;
	}
	seal->returning = true;
	seal->recalled = view.state == CORE_SEAL_RECALLED;
	seal->return_serial = serial;
}

/* ---- late ones -------------------------------------------------------------------------- */

bool return_may_be_late(const struct supervisor *s, const struct seal *seal,
			const struct core_command *c)
{
	struct core_seal_view view;

	return c->cause == CORE_CAUSE_RETURN && seal && seal->returning && seal->recalled &&
	       !seal->window->write && c->end - c->start <= LATE_BYTES &&
	       core_seal_find(s->core, c->seal, &view) && c->start <= view.start &&
	       c->end >= view.end;
}

void return_late(struct supervisor *s, struct seal *seal, const struct core_command *c)
{
	struct core_fence_result fenced = { .job = c->job, .fence = CORE_FENCE_FENCED };
	struct pager_job job = {
		.type = PAGER_FENCE,
		.window = c->window,
		.start = c->start,
		.end = c->end,
		.how = PAGER_HOW_RETURN,
		.fd = -1,
	};
	struct job context = {
		.holder = c->holder,
		.window = c->window,
		.seal = c->seal,
		.start = c->start,
		.end = c->end,
		.serial = seal->return_serial,
		.seq = seq_next(c->seq),
	};

	seal->late = seal->window->late = true;
	job_submit_late(s, &context, &job);
	core_fenced(s->core, &fenced, loop_now());
}

static void reply_returned(struct client *client, uint32_t serial,
			   const struct proto_returned *returned)
{
	struct proto_message message = { .type = PROTO_RETURNED, .returned = *returned };

	if (client && client->session)
		session_reply(client->session, serial, &message, -1);
}

void return_late_done(struct supervisor *s, const struct job *job)
{
	reply_returned(client_find(s, job->holder), job->serial,
		       &(struct proto_returned){
			       .seal = job->seal,
			       .seq = job->seq,
			       .offset = job->start,
			       .length = job->end - job->start,
		       });
}

/* ---- the core's word -------------------------------------------------------------------- */

static void return_failed(struct seal *seal, const struct core_command *c)
{
	struct refusal refusal;

	if (!seal->returning)
		return;
	seal->returning = false;
	refuse_errno(&refusal, PROTO_E_IO, c->error,
		     "what was written could not be flushed, and nothing was given back");
	refusal_send(seal->window->client, seal->return_serial, &refusal);
}

void return_done(struct supervisor *s, const struct core_command *c)
{
	struct seal *seal = seal_find(s, c->seal);
	struct proto_returned returned = {
		.seal = c->seal,
		.seq = c->seq,
		.offset = c->start,
		.length = c->end - c->start,
		.upper = c->split_seal,
		.upper_seq = c->split_seq,
	};

	if (!seal)
		return;
	if (c->error) {
		return_failed(seal, c);
		return;
	}
	if (c->split_seal)
		seal_split(s, seal, c);
	else
		guards_shrunk(s, seal, NULL);
	quota_refund_part(&seal->window->bytes, page_up(c->end - c->start));
	quota_refund_part(&seal->window->export_bytes, page_up(c->end - c->start));
	if (seal->returning && !seal->late)
		reply_returned(seal->window->client, seal->return_serial, &returned);
	seal->returning = false;
	if (seal->undoing)
		return;
	watch_tell(s, &(struct change){
			      .change = PROTO_CHANGE_RETURNED,
			      .id = c->seal,
			      .object = c->object,
			      .start = c->start,
			      .end = c->end,
			      .holder = c->holder,
			      .detail = proto_text(PROTO_TEXT_FENCE, c->fence),
		      });
}

void request_answer(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_answer *m)
{
	struct proto_message message = { .type = PROTO_ANSWERED };
	struct core_seal_view view = { 0 };
	struct refusal refusal;
	uint32_t ms = 0;
	int r;

	if (m->seal && m->recall) {
		refuse(&refusal, PROTO_E_STATE,
		       "an answer is to the recall of one seal, or to a wider one, not to both");
		refusal_send(client, serial, &refusal);
		return;
	}
	if (m->seal)
		r = core_answer(s->core, client->node.id, m->seal, m->seq,
				(enum core_answer)m->answer, m->delay_ms, loop_now(), &ms);
	else
		r = core_answer_all(s->core, client->node.id, m->recall,
				    (enum core_answer)m->answer, m->delay_ms, loop_now(), &ms);
	if (r) {
		if (!m->seal && r == CORE_E_BAD_BREAK)
			refuse(&refusal, PROTO_E_STATE, "this session was not asked in recall %llu",
			       (unsigned long long)m->recall);
		else
			refuse_core(&refusal, r);
		refusal_send(client, serial, &refusal);
		return;
	}
	message.answered.deadline_ms = ms;
	session_reply(client->session, serial, &message, -1);
	if (m->seal)
		core_seal_find(s->core, m->seal, &view);
	watch_tell(s, &(struct change){
			      .change = PROTO_CHANGE_ANSWERED,
			      .id = m->seal ? m->seal : m->recall,
			      .object = view.object,
			      .start = view.start,
			      .end = view.end,
			      .holder = client->node.id,
			      .detail = proto_text(PROTO_TEXT_ANSWER, m->answer),
		      });
}
