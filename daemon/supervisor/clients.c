/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Clients: what a session means here, from its HELLO to the end of its last window.
 *
 * A client and a holder of the core are made together and end together for the outside: when the
 * session is over, the holder is gone and every request of it with it. The client's struct stays
 * until the pager has closed the last window, because what is being taken back still has to be
 * written, charged and named. Then its address space is closed, and it goes.
 *
 * Handing a request to the function that serves it is the only thing decided by its type.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/config.h"
#include "daemon/session/closer.h"
#include "daemon/supervisor/wiring.h"

struct client *client_find(const struct supervisor *s, uint64_t holder)
{
	struct idmap_node *n = idmap_find(&s->clients, holder);

	return n ? container_of(n, struct client, node) : NULL;
}

/* ---- beginning and end ------------------------------------------------------------------ */

static uint64_t features(struct supervisor *s)
{
	return (s->kernel.poison ? PROTO_FEATURE_POISON : 0) |
	       (s->kernel.wp_continue ? PROTO_FEATURE_WP_CONTINUE : 0) |
	       (target_any_device(s) ? PROTO_FEATURE_KERNEL_FAULTS : 0) | PROTO_FEATURE_DIRECT;
}

static void welcome(struct supervisor *s, struct client *client, uint32_t serial)
{
	const struct core_policy *policy = supervisor_policy(s);
	struct proto_message message = {
		.type = PROTO_WELCOME,
		.welcome = {
			.version = client->session->version,
			.features = features(s),
			.epoch = s->epoch,
			.session = client->session->id,
			.page_size = (uint32_t)sysconf(_SC_PAGESIZE),
			.max_frame = PROTO_FRAME_MAX,
			.max_in_flight = (uint32_t)quota_limit(client->user, QUOTA_WAITING),
			.max_seals = (uint32_t)quota_limit(client->user, QUOTA_SEALS),
			.max_window_bytes = quota_limit(client->user, QUOTA_WINDOW_BYTES),
			.deadline_ms = policy->deadline_ms,
			.hard_ms = policy->hard_ms,
			.hold_ms = policy->hold_ms,
		},
	};

	session_reply(client->session, serial, &message, -1);
}

static void hello(struct supervisor *s, struct session *session, uint32_t serial,
		  const struct proto_hello *m)
{
	struct core_holder_info info = {
		.uid = session->peer.uid,
		.process = session->peer.process,
		.max_io_ms = m->max_io_ms,
	};
	struct client *client = calloc(1, sizeof(*client));
	uint64_t holder;

	if (session->peer.uid == s->config->memory_owner) {
		free(client);
		session_refuse(session, serial, PROTO_E_DENIED,
			       "uid %u owns the memory of windows and could open it for writing; it "
			       "gets no session",
			       session->peer.uid);
		session_hang_up(session);
		return;
	}
	if (!client || quota_user_get(s->quota, session->peer.uid, &client->user) < 0 ||
	    core_holder_add(s->core, &info, &holder) != 0) {
		if (client)
			quota_user_put(client->user);
		free(client);
		session_refuse(session, serial, PROTO_E_NO_MEMORY,
			       "the supervisor is out of memory");
		session_hang_up(session);
		return;
	}
	client->session = session;
	client->pid = session->peer.pid;
	client->uid = session->peer.uid;
	client->process = session->peer.process;
	client->max_io_ms = m->max_io_ms;
	strcpy(client->comm, session->peer.comm);
	list_init(&client->watch_link);
	list_init(&client->windows);
	list_init(&client->pending);
	list_init(&client->proofs);
	list_init(&client->objects);
	list_append(&s->client_list, &client->link);
	idmap_insert(&s->clients, &client->node, holder);
	session->data = client;
	welcome(s, client, serial);
}

void client_unref_check(struct supervisor *s, struct client *client)
{
	struct pager_job job = { .type = PAGER_SPACE_CLOSE, .space = client->node.id, .fd = -1 };

	if (client->session || !list_empty(&client->windows))
		return;
	if (client->space != SPACE_NONE)
		job_submit_must(s, &(struct job){ 0 }, &job);
	idmap_remove(&s->clients, &client->node);
	list_unlink(&client->link);
	quota_user_put(client->user);
	free(client);
}

void client_closed(struct session *session, void *data)
{
	struct supervisor *s = data;
	struct client *client = session->data;

	if (!client)
		return;
	client->session = NULL;
	list_unlink(&client->watch_link);
	visibility_forget_client(s, client);
	core_holder_gone(s->core, client->node.id, loop_now());
	list_for_each (l, &client->pending)
		pending_free(s, list_entry(l, struct pending, link));
	list_for_each (l, &client->objects) {
		struct object *object = list_entry(l, struct object, creator_link);

		list_unlink(l);
		object_unref(s, object);
	}
	client_unref_check(s, client);
}

/* ---- address space ---------------------------------------------------------------------- */

static void attach_refused(struct client *client, uint32_t serial, int error)
{
	struct refusal refusal;

	switch (error) {
	case -EFAULT:
	case -ENOENT:
		refuse(&refusal, PROTO_E_BAD_ADDRESS,
		       "the probe is not an anonymous, private, untouched page of this process");
		break;
	case -EPERM:
		refuse(&refusal, PROTO_E_BAD_USERFAULTFD,
		       "the userfaultfd belongs to another process, or is not what ATTACH said");
		break;
	case -EBUSY:
		refuse(&refusal, PROTO_E_BAD_USERFAULTFD, "the userfaultfd is configured already");
		break;
	case -EBADF:
	case -EINVAL:
		refuse(&refusal, PROTO_E_BAD_USERFAULTFD,
		       "the descriptor is no userfaultfd in non-blocking mode");
		break;
	case -ETIMEDOUT:
		refuse(&refusal, PROTO_E_BAD_ADDRESS,
		       "the probe page of process %d could not be read within a second; map it anew, and let "
		       "nothing else serve its faults",
		       client->pid);
		break;
	case -EUSERS:
		refuse(&refusal, PROTO_E_QUOTA,
		       "processes of uid %u do not let their probe pages be read, and as many as it may "
		       "have wait for that; end them (the log names them), then try again",
		       client->uid);
		break;
	case -EAGAIN:
		refuse(&refusal, PROTO_E_TRY_LATER,
		       "processes of several users do not let their probe pages be read; when the "
		       "administrator has ended them (the log names them), try again");
		break;
	case -EOPNOTSUPP:
	case -ENOSYS:
		refuse(&refusal, PROTO_E_UNSUPPORTED, "this kernel's userfaultfd lacks what is needed");
		break;
	default:
		refuse_errno(&refusal, PROTO_E_NO_MEMORY, error, "the address space can't be served");
	}
	refusal_send(client, serial, &refusal);
}

void request_attach(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_attach *m, struct fdlist *fds)
{
	struct pager_job job = {
		.type = PAGER_SPACE_ATTACH,
		.space = client->node.id,
		.pid = client->pid,
		.uid = client->uid,
		.address = m->probe,
		.kernel_faults = m->flags & PROTO_ATTACH_KERNEL_FAULTS,
	};
	struct job context = { .holder = client->node.id, .serial = serial };
	struct refusal refusal;

	if (client->space != SPACE_NONE) {
		refuse(&refusal, PROTO_E_STATE, "this session is attached to an address space already");
		refusal_send(client, serial, &refusal);
		return;
	}
	/* what is none is not passed on: closing it may wait for somebody */
	if (!closer_is_userfaultfd(fds->fds[0])) {
		attach_refused(client, serial, -EBADF);
		return;
	}
	job.fd = fdlist_take(fds, 0);
	if (job_submit(s, &context, &job) < 0) {
		fd_close(job.fd);
		refuse(&refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
		refusal_send(client, serial, &refusal);
		return;
	}
	client->space = SPACE_ATTACHING;
	client->kernel_faults = job.kernel_faults;
}

void client_space_done(struct supervisor *s, struct job *job, const struct pager_event *event)
{
	struct client *client = client_find(s, job->holder);
	struct proto_message message = { .type = PROTO_ATTACHED };

	if (!client || !client->session)
		return;
	if (event->error == -ETIMEDOUT)
		log_line(LOG_LEVEL_WARNING,
			 "pid %d (%s, uid %u) does not let its probe page be read; a thread waits for "
			 "that until the process ends",
			 client->pid, client->comm, client->uid);
	if (event->error) {
		client->space = SPACE_NONE;
		attach_refused(client, job->serial, event->error);
		return;
	}
	client->space = SPACE_ATTACHED;
	message.attached.features = features(s) & (PROTO_FEATURE_POISON | PROTO_FEATURE_WP_CONTINUE);
	if (client->kernel_faults)
		message.attached.features |= PROTO_FEATURE_KERNEL_FAULTS;
	session_reply(client->session, job->serial, &message, -1);
}

/* The process called exec, or is on its way out: what was mapped there is gone. */
void client_space_lost(struct supervisor *s, uint64_t space)
{
	struct client *client = client_find(s, space);

	if (client && client->session)
		session_hang_up(client->session);
}

void request_device_get(struct supervisor *s, struct client *client, uint32_t serial,
			const struct proto_device_get *m)
{
	struct proto_message message = { .type = PROTO_DEVICE };
	struct refusal refusal;
	int fd;

	if (target_lends_device(s, client, m->object, &refusal) != 0) {
		refusal_send(client, serial, &refusal);
		return;
	}
	fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		refuse_errno(&refusal, PROTO_E_UNSUPPORTED, errno,
			     "the userfaultfd device can't be opened");
		refusal_send(client, serial, &refusal);
		return;
	}
	log_line(LOG_LEVEL_NOTICE, "userfaultfd device lent to pid %d (%s, uid %u) for \"%s\"",
		 client->pid, client->comm, client->uid, m->object);
	session_reply(client->session, serial, &message, fd);
}

/* ---- dispatch --------------------------------------------------------------------------- */

void client_request(struct session *session, const struct proto_message *m, struct fdlist *fds,
		    void *data)
{
	struct supervisor *s = data;
	struct client *client = session->data;

	if (m->type == PROTO_HELLO) {
		hello(s, session, m->serial, &m->hello);
		return;
	}
	/* What the core has said already goes out before the answer to this: a holder that is told
	 * OLD_SEQ has been told what is newer. */
	commands_drain(s);
	switch (m->type) {
	case PROTO_DEVICE_GET:
		request_device_get(s, client, m->serial, &m->device_get);
		break;
	case PROTO_ATTACH:
		request_attach(s, client, m->serial, &m->attach, fds);
		break;
	case PROTO_ACQUIRE:
		request_acquire(s, client, m->serial, &m->acquire, fds);
		break;
	case PROTO_MAP:
		request_map(s, client, m->serial, &m->map);
		break;
	case PROTO_POPULATE:
		request_populate(s, client, m->serial, &m->populate);
		break;
	case PROTO_FLUSH:
		request_flush(s, client, m->serial, &m->flush);
		break;
	case PROTO_COMMIT:
		request_commit(s, client, m->serial, &m->commit);
		break;
	case PROTO_RETURN:
		request_return(s, client, m->serial, &m->return_);
		break;
	case PROTO_ANSWER:
		request_answer(s, client, m->serial, &m->answer);
		break;
	case PROTO_BREAK_BEGIN:
		request_break_begin(s, client, m->serial, &m->break_begin, fds);
		break;
	case PROTO_BREAK_END:
		request_break_end(s, client, m->serial, &m->break_end);
		break;
	case PROTO_CREATE:
		request_create(s, client, m->serial, &m->create);
		break;
	case PROTO_STATUS_GET:
		request_status(s, client, m->serial);
		break;
	case PROTO_LIST:
		request_list(s, client, m->serial, &m->list);
		break;
	case PROTO_EXTENTS_GET:
		request_extents_get(s, client, m->serial, &m->extents_get);
		break;
	case PROTO_VERIFY:
		request_verify(s, client, m->serial, &m->verify);
		break;
	case PROTO_WATCH:
		request_watch(s, client, m->serial);
		break;
	case PROTO_QUARANTINE_READ:
		request_quarantine_read(s, client, m->serial, &m->quarantine_read);
		break;
	case PROTO_QUARANTINE_DROP:
		request_quarantine_drop(s, client, m->serial, &m->quarantine_drop);
		break;
	default:
		session_refuse(session, m->serial, PROTO_E_UNKNOWN_MESSAGE,
			       "message %u is none that a client sends", m->type);
	}
}
