/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a holder may do with the bytes of a window it has mapped: POPULATE, FLUSH, COMMIT.
 *
 * They are served while the seal is held, and also while it is recalled: giving it back in order may
 * need them. Ranges are rounded out to pages, since nothing is granted by it.
 */

#include <errno.h>

#include "daemon/supervisor/wiring.h"

struct memory_request {
	enum pager_job_type type;
	uint64_t seal, offset, length;
	bool write; /* needs a WRITE seal */
};

static int prepare(struct supervisor *s, struct client *client, const struct memory_request *m,
		   struct job *context, struct pager_job *job, struct refusal *refusal)
{
	struct core_seal_view view;
	struct seal *seal;
	int r;

	r = seal_of_client(s, client, m->seal, &seal, &view, refusal);
	if (r)
		return r;
	if (view.state != CORE_SEAL_HELD && view.state != CORE_SEAL_RECALLED)
		return refuse(refusal, PROTO_E_BAD_SEAL, "seal %llu is %s, not held",
			      (unsigned long long)m->seal, proto_text(PROTO_TEXT_STATE, view.state));
	if (seal->window->direct)
		return refuse(refusal, PROTO_E_STATE,
			      "seal %llu is DIRECT: its holder has the file itself, to sync it and to "
			      "bring its pages in",
			      (unsigned long long)m->seal);
	if (m->write && view.mode != CORE_WRITE)
		return refuse(refusal, PROTO_E_DENIED, "seal %llu is a READ seal",
			      (unsigned long long)m->seal);
	if (!seal->window->mapped)
		return refuse(refusal, PROTO_E_STATE, "the window is not mapped yet; send MAP first");
	r = bounds_within(view.start, view.end, page_up(1), m->offset, m->length, false,
			  &job->start, &job->end, refusal);
	if (r)
		return r;
	job->window = seal->window->node.id;
	*context = (struct job){
		.holder = client->node.id,
		.window = seal->window->node.id,
		.seal = m->seal,
		.start = job->start,
		.end = job->end,
	};
	return 0;
}

static void submit(struct supervisor *s, struct client *client, uint32_t serial,
		   const struct memory_request *m)
{
	struct pager_job job = { .type = m->type, .fd = -1 };
	struct refusal refusal;
	struct job context;
	int r;

	r = prepare(s, client, m, &context, &job, &refusal);
	if (!r) {
		context.serial = serial;
		job.write = m->write;
		if (job_submit(s, &context, &job) < 0)
			r = refuse(&refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	}
	if (r)
		refusal_send(client, serial, &refusal);
}

void request_populate(struct supervisor *s, struct client *client, uint32_t serial,
		      const struct proto_populate *m)
{
	submit(s, client, serial,
	       &(struct memory_request){
		       .type = PAGER_POPULATE,
		       .seal = m->seal,
		       .offset = m->offset,
		       .length = m->length,
		       .write = m->mode == PROTO_MODE_WRITE,
	       });
}

void request_flush(struct supervisor *s, struct client *client, uint32_t serial,
		   const struct proto_flush *m)
{
	submit(s, client, serial,
	       &(struct memory_request){
		       .type = PAGER_FLUSH,
		       .seal = m->seal,
		       .offset = m->offset,
		       .length = m->length,
		       .write = true,
	       });
}

void request_commit(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_commit *m)
{
	submit(s, client, serial,
	       &(struct memory_request){
		       .type = PAGER_COMMIT,
		       .seal = m->seal,
		       .offset = m->offset,
		       .length = m->length,
		       .write = true,
	       });
}

static void memory_job_failed(struct client *client, const struct job *job, int error)
{
	struct refusal refusal;

	switch (error) {
	case -ESTALE:
	case -ENOENT:
		refuse(&refusal, PROTO_E_BAD_SEAL, "seal %llu is not held any more",
		       (unsigned long long)job->seal);
		break;
	case -ESRCH:
		refuse(&refusal, PROTO_E_GONE, "the address space is gone");
		break;
	case -ECANCELED:
		refuse(&refusal, PROTO_E_GONE,
		       "seal %llu was taken meanwhile; what had not reached the object by then is kept in "
		       "the quarantine",
		       (unsigned long long)job->seal);
		break;
	case -ENOMEM:
		refuse(&refusal, PROTO_E_NO_MEMORY, "there is no memory for the pages");
		break;
	default:
		refuse_errno(&refusal, PROTO_E_IO, error, "%s failed",
			     job->type == PAGER_POPULATE ? "reading the object"
			     : job->type == PAGER_COMMIT ? "writing to the object or syncing it"
							 : "writing to the object");
	}
	refusal_send(client, job->serial, &refusal);
}

void memory_job_done(struct supervisor *s, struct job *job, const struct pager_event *event)
{
	struct client *client = client_find(s, job->holder);
	const struct window *window = window_find(s, job->window);

	if (client && client->session) {
		if (event->error)
			memory_job_failed(client, job, event->error);
		else
			session_done(client->session, job->serial, event->value);
	}
	if (event->error || job->type == PAGER_POPULATE || !window)
		return;
	watch_tell(s, &(struct change){
			      .change = job->type == PAGER_COMMIT ? PROTO_CHANGE_COMMITTED
								  : PROTO_CHANGE_FLUSHED,
			      .id = job->seal,
			      .object = window->object->node.id,
			      .start = job->start,
			      .end = job->end,
			      .holder = job->holder,
			      .detail = "",
		      });
}
