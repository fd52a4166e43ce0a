/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Breaks: asked for, granted with an account, held, ended.
 *
 * Whoever may do an operation may ask for what it needs: to read or map, the right to read; for
 * everything else, the right to write. An error of form is a REFUSED; what the core finds out
 * is an answer of its own kind, BREAK_READY with its outcome, since it comes with an account of
 * everybody who was asked.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/deadline.h"
#include "daemon/supervisor/wiring.h"

static int check_form(const struct proto_break_begin *m, struct refusal *refusal)
{
	if (m->want < PROTO_WANT_FOREIGN_READ)
		return refuse(refusal, PROTO_E_UNSUPPORTED,
			      "a break is for an operation on the object; seals are acquired");
	if (m->want == PROTO_WANT_FOREIGN_READ && m->flags & PROTO_BREAK_HOLD)
		return refuse(refusal, PROTO_E_UNKNOWN_FLAG,
			      "BREAK_BEGIN.flags: hold has no meaning for a read, which is only "
			      "announced");
	return 0;
}

static bool needs_write(uint8_t want)
{
	return want != PROTO_WANT_FOREIGN_READ && want != PROTO_WANT_FOREIGN_MAP &&
	       want != PROTO_WANT_FOREIGN_CLONE;
}

static void tell(struct supervisor *s, const struct pending *pending, enum proto_e_CHANGE change,
		 const char *detail)
{
	watch_tell(s, &(struct change){
			      .change = change,
			      .id = pending->node.id,
			      .object = pending->object->node.id,
			      .start = pending->start,
			      .end = pending->end,
			      .holder = pending->client->node.id,
			      .detail = detail,
		      });
}

void request_break_begin(struct supervisor *s, struct client *client, uint32_t serial,
			 const struct proto_break_begin *m, struct fdlist *fds)
{
	bool whole = m->flags & PROTO_BREAK_WHOLE;
	struct target_request wanted = {
		.name = m->object,
		.fds = fds,
		.write = needs_write(m->want),
		.open_end = true,
		.whole = whole,
		.offset = m->offset,
		.length = m->length,
	};
	const struct core_policy *policy;
	struct target target = { 0 };
	struct core_break brk;
	struct pending *pending;
	struct refusal refusal;
	uint64_t request;
	int r;

	r = check_form(m, &refusal);
	if (!r && m->want == PROTO_WANT_FOREIGN_MAP_WRITE && !whole) {
		/* mprotect and mremap reach the rest of the file, and make no event */
		wanted.whole = true;
		wanted.offset = wanted.length = 0;
	}
	if (!r)
		r = pending_new(s, client, &wanted, &target, &pending, &refusal);
	if (r) {
		refusal_send(client, serial, &refusal);
		return;
	}
	pending->type = PENDING_BREAK;
	pending->serial = serial;
	pending->want = (enum core_want)m->want;
	pending->wants_hold = m->flags & PROTO_BREAK_HOLD;
	policy = &target.object->policy;
	brk = (struct core_break){
		.holder = client->node.id,
		.scope = CORE_SCOPE_RANGE,
		.object = target.object->node.id,
		.start = target.start,
		.end = target.end,
		.want = pending->want,
		.flags = (m->flags & PROTO_BREAK_NO_WAIT ? CORE_F_NO_WAIT : 0) |
			 (m->flags & PROTO_BREAK_MAP_WILL_CHANGE ? CORE_F_MAP_WILL_CHANGE : 0),
		.token = m->token,
		.wait_ms = m->wait_ms,
		.hold_ms = !pending->wants_hold ? 0 : m->hold_ms ? m->hold_ms : policy->hold_ms,
	};
	if (quota_charge(client->user, QUOTA_WAITING, 1, &pending->waiting) != 0)
		r = refuse(&refusal, PROTO_E_QUOTA, "uid %u has as many waiting requests as it may have",
			   client->uid);
	if (!r) {
		r = core_break(s->core, &brk, loop_now(), &request);
		if (r)
			refuse_core(&refusal, r);
	}
	if (r) {
		pending_free(s, pending);
		refusal_send(client, serial, &refusal);
		return;
	}
	pending_start(s, pending, request);
	tell(s, pending, PROTO_CHANGE_BREAK_BEGAN, proto_text(PROTO_TEXT_WANT, m->want));
}

/* ---- how it went ------------------------------------------------------------------------ */

void break_holder_part(struct supervisor *s, struct client *client, uint32_t serial,
		       const struct core_account_entry *entry, const struct registered *registered)
{
	const struct client *holder = client_find(s, entry->holder);
	struct proto_message message = {
		.type = PROTO_BREAK_HOLDER,
		.break_holder = {
			.seal = entry->seal,
			.pid = holder ? holder->pid : peer_process_pid(entry->process),
			.uid = entry->uid,
			.comm = holder ? holder->comm : "",
			.answer = (uint8_t)entry->answer,
			.result = (uint8_t)entry->result,
			.fence = (uint8_t)entry->fence,
			.ms = entry->ms,
			.quarantined = entry->quarantined,
			.registrations = registered ? registered->registrations : 0,
			.registered = registered ? registered->bytes : 0,
		},
	};

	session_part(client->session, serial, &message);
}

static enum proto_e_OUTCOME outcome(int error)
{
	switch (error) {
	case 0:
		return PROTO_OUTCOME_GRANTED;
	case CORE_E_DENIED:
		return PROTO_OUTCOME_DENIED;
	case CORE_E_DEADLOCK:
		return PROTO_OUTCOME_BUSY;
	case CORE_E_TIMED_OUT:
		return PROTO_OUTCOME_TIMED_OUT;
	case CORE_E_HOLDER_GONE:
		return PROTO_OUTCOME_WITHDRAWN;
	case CORE_E_IO:
		return PROTO_OUTCOME_FAILED;
	default:
		return PROTO_OUTCOME_TRY_LATER;
	}
}

static void log_break(struct supervisor *s, const struct pending *pending,
		      const struct core_command *c, uint32_t ms)
{
	char name[PROTO_STR_MAX], range[80], account[1024];

	if (!c->n_account && !c->error)
		return; /* nobody was in the way */
	describe_object(pending->object, name, sizeof(name));
	describe_range(pending->start, pending->end, range, sizeof(range));
	describe_account(s, c->account, c->n_account, account, sizeof(account));
	log_line(LOG_LEVEL_INFO, "break %llu of %s, %s, by pid %d (%s, uid %u) for %s: %s after %u ms%s",
		 (unsigned long long)c->request, name, range, pending->client->pid,
		 pending->client->comm, pending->client->uid,
		 proto_text(PROTO_TEXT_WANT, pending->want),
		 proto_text(PROTO_TEXT_OUTCOME, outcome(c->error)), ms, account);
}

static void answer(struct supervisor *s, struct pending *pending, const struct core_command *c,
		   const struct registered *registered, const char *text)
{
	uint32_t ms = deadline_ms(pending->since, loop_now());
	struct proto_message message = {
		.type = PROTO_BREAK_READY,
		.break_ready = {
			.outcome = outcome(c->error),
			.id = c->request,
			.token = c->token,
			.hold_ms = c->hold_ms,
			.ms = ms,
			.text = text,
		},
	};

	for (size_t i = 0; i < c->n_account; i++)
		break_holder_part(s, pending->client, pending->serial, &c->account[i],
				  registered ? &registered[i] : NULL);
	session_reply(pending->client->session, pending->serial, &message, -1);
	log_break(s, pending, c, ms);
}

static void tell_ready(struct supervisor *s, struct pending *pending, const struct core_command *c,
		       const struct registered *registered)
{
	answer(s, pending, c, registered, "");
	if (c->token) {
		pending_answered(s, pending);
		tell(s, pending, PROTO_CHANGE_BREAK_HELD, "");
		return;
	}
	tell(s, pending, PROTO_CHANGE_BREAK_ENDED, proto_text(PROTO_TEXT_OUTCOME, 0));
	pending_free(s, pending);
}

struct readiness *readiness_free(struct readiness *ready)
{
	if (!ready)
		return NULL;
	list_unlink(&ready->link);
	free(ready->account);
	free(ready->registered);
	free(ready);
	return NULL;
}

static struct readiness *readiness_new(const struct core_command *c)
{
	struct readiness *ready = calloc(1, sizeof(*ready));

	if (!ready)
		return NULL;
	list_init(&ready->link);
	ready->command = *c;
	ready->account = calloc(c->n_account, sizeof(*ready->account));
	ready->registered = calloc(c->n_account, sizeof(*ready->registered));
	if (!ready->account || !ready->registered)
		return readiness_free(ready);
	memcpy(ready->account, c->account, c->n_account * sizeof(*ready->account));
	ready->command.account = ready->account;
	return ready;
}

void break_ready(struct supervisor *s, struct pending *pending, const struct core_command *c)
{
	uint32_t n = registrations_look(s, c, pending->node.id);

	pending->ready = n ? readiness_new(c) : NULL;
	if (!pending->ready) {
		tell_ready(s, pending, c, NULL);
		return;
	}
	pending->ready->n_asked = n;
	pending->ready->pending = pending;
	pending->ready->until = loop_now() + DEADLINE_DEVICES_NS;
	list_append(&s->unready, &pending->ready->link);
}

static void told(struct supervisor *s, struct pending *pending)
{
	struct readiness *ready = pending->ready;

	pending->ready = NULL;
	if (ready)
		tell_ready(s, pending, &ready->command, ready->registered);
	readiness_free(ready);
}

void break_registered(struct supervisor *s, uint64_t request, uint64_t seal,
		      const struct registered *registered)
{
	struct pending *pending = pending_find(s, request);
	struct readiness *ready = pending ? pending->ready : NULL;

	if (!ready)
		return;
	for (size_t i = 0; i < ready->command.n_account; i++)
		if (ready->account[i].seal == seal)
			ready->registered[i] = *registered;
	if (--ready->n_asked == 0)
		told(s, pending);
}

uint64_t breaks_due(const struct supervisor *s)
{
	struct list *first = list_first(&s->unready);

	return first ? list_entry(first, struct readiness, link)->until : CORE_NEVER;
}

void breaks_expire(struct supervisor *s)
{
	while (breaks_due(s) <= loop_now()) {
		struct list *first = list_first(&s->unready);
		struct pending *pending = list_entry(first, struct readiness, link)->pending;

		log_line(LOG_LEVEL_WARNING,
			 "break %llu: for %u ms the kernel has not told what holders that were revoked "
			 "have registered with RDMA devices; it is answered without",
			 (unsigned long long)pending->node.id,
			 (unsigned int)(DEADLINE_DEVICES_NS / 1000000));
		told(s, pending);
	}
}

void break_refused(struct supervisor *s, struct pending *pending, const struct core_command *c)
{
	char text[DESCRIBE_MAX + PROTO_STR_MAX], blocker[DESCRIBE_MAX];
	struct refusal refusal;

	refuse_core(&refusal, c->error);
	if (c->blocker || c->blocking_break) {
		describe_blocker(s, pending->object, c, blocker, sizeof(blocker));
		snprintf(text, sizeof(text), "%s: %s", blocker, refusal.text);
	} else {
		snprintf(text, sizeof(text), "%s", refusal.text);
	}
	answer(s, pending, c, NULL, proto_str_clean(text));
	registrations_look(s, c, 0);
	tell(s, pending, PROTO_CHANGE_BREAK_ENDED,
	     proto_text(PROTO_TEXT_OUTCOME, outcome(c->error)));
	pending_free(s, pending);
}

/* ---- holds ------------------------------------------------------------------------------ */

void request_break_end(struct supervisor *s, struct client *client, uint32_t serial,
		       const struct proto_break_end *m)
{
	struct refusal refusal;
	int r;

	r = core_break_end(s->core, client->node.id, m->id, m->token, loop_now());
	if (r) {
		refuse_core(&refusal, r);
		refusal_send(client, serial, &refusal);
		return;
	}
	session_done(client->session, serial, 0);
}

void break_expired(struct supervisor *s, struct pending *pending)
{
	struct proto_message message = {
		.type = PROTO_BREAK_EXPIRED,
		.break_expired = { .id = pending->node.id },
	};

	told(s, pending); /* a very short hold */
	log_line(LOG_LEVEL_NOTICE, "break %llu of pid %d (%s, uid %u) was held for too long; it holds nothing now",
		 (unsigned long long)pending->node.id, pending->client->pid, pending->client->comm,
		 pending->client->uid);
	session_event(pending->client->session, &message);
	tell(s, pending, PROTO_CHANGE_BREAK_EXPIRED, "");
}

/* The breaker may have changed the size, or gone away; the object is there as long as others seal it. */
void break_over(struct supervisor *s, const struct core_command *c)
{
	struct pending *pending = pending_find(s, c->request);
	struct object *object = object_find(s, c->object);

	if (object)
		object_refresh(s, object);
	if (!pending)
		return;
	told(s, pending);
	tell(s, pending, PROTO_CHANGE_BREAK_ENDED, "");
	pending_free(s, pending);
}
