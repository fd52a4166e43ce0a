/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Windows and seals: from the core's grant to the pager's last word.
 *
 *	core grants ─▶ pager opens ─▶ GRANTED, with the memory ─▶ MAP ─▶ pager maps
 *	last seal ended ─▶ pager closes ─▶ the charge, the object and the client are let go
 *
 * A seal is granted in the core before its window can be opened, and opening may fail. Then the seal
 * is given back in the core in the holder's name, and the acquire refused: the range is free again,
 * and the client has never heard of a seal. What happens to the seal before GRANTED was sent (a recall, say)
 * is told right after it.
 *
 * A window is closed once, after the last of its seals, and exists until that is reported.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/supervisor/wiring.h"

struct window *window_find(const struct supervisor *s, uint64_t id)
{
	struct idmap_node *n = idmap_find(&s->windows, id);

	return n ? container_of(n, struct window, node) : NULL;
}

struct seal *seal_find(const struct supervisor *s, uint64_t id)
{
	struct idmap_node *n = idmap_find(&s->seals, id);

	return n ? container_of(n, struct seal, node) : NULL;
}

int seal_of_client(struct supervisor *s, struct client *client, uint64_t id, struct seal **ret,
		   struct core_seal_view *ret_view, struct refusal *refusal)
{
	struct seal *seal = seal_find(s, id);

	if (!seal || seal->window->client != client || !seal->announced ||
	    !core_seal_find(s->core, id, ret_view))
		return refuse(refusal, PROTO_E_BAD_SEAL, "this session has no seal %llu",
			      (unsigned long long)id);
	*ret = seal;
	return 0;
}

void seal_event(struct seal *seal, const struct proto_message *message)
{
	struct client *client = seal->window->client;
	struct proto_message copy = *message;
	struct deferred *deferred;

	if (!client->session)
		return;
	if (seal->announced) {
		session_event(client->session, &copy);
		return;
	}
	deferred = malloc(sizeof(*deferred));
	if (!deferred) {
		session_hang_up(client->session);
		return;
	}
	deferred->message = copy;
	list_append(&seal->deferred, &deferred->link);
}

static struct seal *seal_new(struct supervisor *s, struct window *window, uint64_t id)
{
	struct seal *seal = calloc(1, sizeof(*seal));

	if (!seal)
		abort(); /* the core has granted it; see core.c on memory */
	seal->window = window;
	list_init(&seal->deferred);
	list_init(&seal->naming);
	list_append(&window->seals, &seal->link);
	window->n_seals++;
	window->object->n_seals++;
	window->client->n_seals++;
	idmap_insert(&s->seals, &seal->node, id);
	return seal;
}

static void seal_free(struct supervisor *s, struct seal *seal)
{
	guards_forget(s, seal);
	list_for_each (l, &seal->deferred)
		free(list_entry(l, struct deferred, link));
	idmap_remove(&s->seals, &seal->node);
	list_unlink(&seal->link);
	quota_refund(&seal->charge);
	quota_refund(&seal->export_charge);
	seal->window->n_seals--;
	if (--seal->window->object->n_seals == 0)
		guards_idle(s, seal->window->object);
	seal->window->client->n_seals--;
	free(seal);
}

/* ---- opening ---------------------------------------------------------------------------- */

static int open_window(struct supervisor *s, struct window *window, const struct seal *seal,
		       bool pinnable)
{
	struct pager_job job = {
		.type = PAGER_WINDOW_OPEN,
		.window = window->node.id,
		.space = window->client->node.id,
		.object = object_in_pager(window->object, window->write),
		.start = window->start,
		.end = window->end,
		.write = window->write,
		.pinnable = pinnable,
		.right = window->right << 40 ^ guards_era(s, window->object),
		.fd = -1,
	};
	struct job context = {
		.holder = window->client->node.id,
		.window = window->node.id,
		.seal = seal->node.id,
		.serial = window->serial,
	};
	int r;

	/* somebody may have truncated it while this waited */
	if (window->end > object_refresh(s, window->object))
		return -ERANGE;
	r = object_to_pager(s, window->object, window->write);
	if (r == 0)
		r = job_submit(s, &context, &job);
	window->opening = r == 0;
	return r;
}

void seal_undo(struct supervisor *s, struct seal *seal, const struct refusal *refusal)
{
	struct window *window = seal->window;
	struct core_seal_view view;

	seal->undoing = true;
	if (core_seal_find(s->core, seal->node.id, &view) && window->client->session)
		core_return(s->core, view.holder, view.id, view.seq, view.start, view.end, true,
			    loop_now());
	refusal_send(window->client, window->serial, refusal);
}

static void undo_grant(struct supervisor *s, struct seal *seal, int error)
{
	struct window *window = seal->window;
	struct refusal refusal;

	if (error == -ERANGE)
		refuse(&refusal, PROTO_E_BAD_RANGE,
		       "the object ends at %llu now, and the range at %llu",
		       (unsigned long long)window->object->size, (unsigned long long)window->end);
	else
		refuse_errno(&refusal, PROTO_E_NO_MEMORY, error, "the window can't be opened");
	seal_undo(s, seal, &refusal);
}

void window_granted(struct supervisor *s, struct pending *pending,
		    const struct core_command *command)
{
	struct window *window = calloc(1, sizeof(*window));
	struct seal *seal;

	if (!window)
		abort();
	list_init(&window->seals);
	window->client = pending->client;
	window->object = pending->object;
	object_ref(window->object);
	window->start = command->start;
	window->end = command->end;
	window->write = pending->write;
	window->discard = pending->discard;
	window->revoke_park = command->flags & CORE_F_REVOKE_PARK;
	window->serial = pending->serial;
	window->weak_ok = pending->weak_ok;
	window->right = pending->right;
	window->bytes = quota_charge_take(&pending->bytes);
	window->export_bytes = quota_charge_take(&pending->export_bytes);
	list_append(&window->client->windows, &window->link);
	idmap_insert(&s->windows, &window->node, command->window);
	seal = seal_new(s, window, command->seal);
	seal->charge = quota_charge_take(&pending->seals);
	seal->export_charge = quota_charge_take(&pending->export_seals);
	window->direct = command->kind == CORE_DIRECT;
	window->unshare = pending->unshare;
	guards_admit(s, seal, SETTLING_GRANT);
}

void window_begin(struct supervisor *s, struct seal *seal)
{
	struct core_seal_view view;
	int r;

	if (!core_seal_find(s->core, seal->node.id, &view))
		return;
	if (seal->window->direct) {
		direct_granted(s, seal);
		return;
	}
	r = open_window(s, seal->window, seal, view.pinnable);
	if (r < 0)
		undo_grant(s, seal, r);
}

void seal_announce(struct supervisor *s, struct seal *seal, uint32_t serial, int memory)
{
	struct window *window = seal->window;
	struct client *client = window->client;
	struct core_seal_view view;
	struct proto_message message = { .type = PROTO_GRANTED };
	enum guard_level guard;
	bool weak;

	if (!client->session || !core_seal_find(s->core, seal->node.id, &view)) {
		fd_close(memory);
		return;
	}
	guard = guards_level(s, seal, &weak);
	/* who does not want a promise that is none is told so */
	if (weak && !window->weak_ok) {
		guard = GUARD_COOPERATIVE;
		weak = false;
	}
	message.granted = (struct proto_granted){
		.seal = view.id,
		.seq = 1,
		.object = view.object,
		.offset = window->start,
		.length = window->end - window->start,
		.size = window->object->size,
		.memory_offset = window->direct ? window->start : 0,
		.mode = view.mode,
		.kind = view.kind,
		.guard = (uint8_t)guard,
		.flags = (view.pinnable ? PROTO_GRANT_PINNABLE : 0) |
			 (view.transparent ? PROTO_GRANT_TRANSPARENT : 0) |
			 (window->revoke_park ? PROTO_GRANT_REVOKE_PARK : 0) |
			 (weak ? PROTO_GRANT_WEAK : 0) | (view.hard ? PROTO_GRANT_HARD : 0),
		.deadline_ms = window->object->policy.deadline_ms,
		.hard_ms = window->object->policy.hard_ms,
	};
	session_reply(client->session, serial, &message, memory);
	seal->announced = true;
	list_for_each (l, &seal->deferred) {
		struct deferred *deferred = list_entry(l, struct deferred, link);

		session_event(client->session, &deferred->message);
		list_unlink(l);
		free(deferred);
	}
}

void window_opened(struct supervisor *s, struct job *job, struct pager_event *event)
{
	struct window *window = window_find(s, job->window);
	struct seal *seal = seal_find(s, job->seal);
	int memory = take_fd(&event->fd);

	if (window) {
		window->opening = false;
		window->open = event->error == 0;
	}
	if (!seal) {
		fd_close(memory);
		return;
	}
	if (event->error) {
		fd_close(memory);
		undo_grant(s, seal, event->error);
		return;
	}
	seal_announce(s, seal, job->serial, memory);
}

/* ---- mapping ---------------------------------------------------------------------------- */

void request_map(struct supervisor *s, struct client *client, uint32_t serial,
		 const struct proto_map *m)
{
	uint64_t page = page_up(1), length;
	struct core_seal_view view;
	struct refusal refusal;
	struct window *window;
	struct seal *seal;
	int r;

	r = seal_of_client(s, client, m->seal, &seal, &view, &refusal);
	window = r ? NULL : seal->window;
	length = window ? page_up(window->end - window->start) : 0;
	if (!r && window->direct)
		r = refuse(&refusal, PROTO_E_STATE,
			   "seal %llu is DIRECT: its holder maps the file, and nobody else has to know "
			   "where",
			   (unsigned long long)m->seal);
	if (!r && (window->mapped || window->mapping))
		r = refuse(&refusal, PROTO_E_STATE, "the window is mapped already");
	if (!r && (m->address == 0 || m->address & (page - 1) || m->address > UINT64_MAX - length))
		r = refuse(&refusal, PROTO_E_BAD_ADDRESS, "the address is none of a page");
	if (!r && m->length != length)
		r = refuse(&refusal, PROTO_E_BAD_RANGE,
			   "%llu bytes are mapped, the window has %llu",
			   (unsigned long long)m->length, (unsigned long long)length);
	if (!r) {
		struct pager_job job = {
			.type = PAGER_WINDOW_MAP,
			.window = window->node.id,
			.address = m->address,
			.start = window->start,
			.end = window->start + length,
			.fd = -1,
		};
		struct job context = {
			.holder = client->node.id,
			.window = window->node.id,
			.serial = serial,
		};

		if (job_submit(s, &context, &job) == 0) {
			window->mapping = true;
			return;
		}
		refuse(&refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	}
	refusal_send(client, serial, &refusal);
}

void window_mapped(struct supervisor *s, struct job *job, const struct pager_event *event)
{
	struct window *window = window_find(s, job->window);
	struct client *client = client_find(s, job->holder);
	struct refusal refusal;

	if (window) {
		window->mapping = false;
		window->mapped = event->error == 0;
	}
	if (!client || !client->session)
		return;
	if (!event->error) {
		session_done(client->session, job->serial, 0);
		return;
	}
	if (event->error == -EFAULT || event->error == -EINVAL || event->error == -ENOENT)
		refuse(&refusal, PROTO_E_BAD_ADDRESS,
		       "there is no mapping of the granted memory at that address, of that length");
	else if (event->error == -ESRCH)
		refuse(&refusal, PROTO_E_GONE, "the address space is gone");
	else if (event->error == -EACCES)
		refuse(&refusal, PROTO_E_BAD_ADDRESS,
		       "the window is open already; map it PROT_NONE until it is served");
	else
		refuse_errno(&refusal, PROTO_E_NO_MEMORY, event->error, "the window can't be served");
	refusal_send(client, job->serial, &refusal);
}

/* ---- changes and the end ---------------------------------------------------------------- */

/* The middle was given back: the upper half is a new seal on the same window. */
void seal_split(struct supervisor *s, struct seal *seal, const struct core_command *command)
{
	struct seal *upper = seal_new(s, seal->window, command->split_seal);

	upper->announced = true;
	guards_shrunk(s, seal, upper);
	quota_charge_forced(seal->window->client->user, QUOTA_SEALS, 1, &upper->charge);
	if (seal->export_charge.user)
		quota_charge_forced(seal->export_charge.user, QUOTA_SEALS, 1,
				    &upper->export_charge);
}

static void close_window(struct supervisor *s, struct window *window)
{
	struct pager_job job = {
		.type = PAGER_WINDOW_CLOSE,
		.window = window->node.id,
		.fd = -1,
	};
	struct job context = { .window = window->node.id };

	window->closing = true;
	if (window->late)
		job_submit_late(s, &context, &job);
	else if (window->open || window->opening)
		job_submit_must(s, &context, &job);
	else
		window_closed(s, &context);
}

void window_closed(struct supervisor *s, struct job *job)
{
	struct window *window = window_find(s, job->window);
	struct client *client;

	if (!window)
		return;
	client = window->client;
	idmap_remove(&s->windows, &window->node);
	list_unlink(&window->link);
	quota_refund(&window->bytes);
	quota_refund(&window->export_bytes);
	object_unref(s, window->object);
	direct_map_unref(window->map);
	free(window);
	client_unref_check(s, client);
}

void seal_ended(struct supervisor *s, const struct core_command *command)
{
	struct seal *seal = seal_find(s, command->seal);
	struct window *window;

	if (!seal)
		return;
	window = seal->window;
	/* its end overtook what was to hand it over: nobody else would answer the request */
	if (!seal->announced && !seal->undoing) {
		struct refusal refusal;

		refuse(&refusal, PROTO_E_GONE,
		       "somebody else needed the range before it could be handed over; try again");
		refusal_send(window->client, window->serial, &refusal);
	}
	seal_free(s, seal);
	if (window->n_seals == 0)
		close_window(s, window);
}
