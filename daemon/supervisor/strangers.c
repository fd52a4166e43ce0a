/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Strangers: programs that have never heard of the supervisor, and that the guard holds in the
 * kernel because what they are about to do disturbs a seal.
 *
 * Each is a break like any other, asked for in its name: holders are recalled, it stands in line,
 * there is an account. It cannot wait for an answer in words; it goes on, or its system call fails:
 *
 *	ready			allowed, before anything else the core says is carried out
 *	DENIED			ETXTBSY	 a hard seal, or a layout that its own process holds
 *	DEADLOCK		EBUSY	 the younger of a cycle
 *	a flush failed		EIO	 a read that would have seen old bytes
 *
 * A lease can't deny: whoever breaks one goes on in the end, so hard seals are recalled for it as
 * all others are. So they are for a loop device that is at work on the file already, and was not
 * held at all. One that is killed while it is held withdraws its break.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/deadline.h"
#include "daemon/session/peer.h"
#include "daemon/supervisor/wiring.h"

struct stranger *stranger_find(const struct supervisor *s, uint64_t request)
{
	struct idmap_node *n = idmap_find(&s->strangers, request);

	return n ? container_of(n, struct stranger, node) : NULL;
}

static struct stranger *by_ticket(const struct supervisor *s, uint64_t ticket)
{
	struct idmap_node *n = idmap_find(&s->tickets, ticket);

	return n ? container_of(n, struct stranger, ticket) : NULL;
}

static struct stranger *stranger_free(struct supervisor *s, struct stranger *stranger)
{
	idmap_remove(&s->tickets, &stranger->ticket);
	idmap_remove(&s->strangers, &stranger->node);
	object_unref(s, stranger->object);
	free(stranger);
	return NULL;
}

static void tell(struct supervisor *s, const struct stranger *stranger, enum proto_e_CHANGE change,
		 const char *detail)
{
	watch_tell(s, &(struct change){
			      .change = change,
			      .id = stranger->node.id,
			      .object = stranger->object->node.id,
			      .start = stranger->start,
			      .end = stranger->end,
			      .detail = detail,
		      });
}

/* ---- held ------------------------------------------------------------------------------- */

static int ask(struct supervisor *s, const struct guard_event *event, uint64_t *ret_request)
{
	struct core_break brk = {
		.process = event->pid > 0 ? peer_process(event->pid) : 0,
		.scope = CORE_SCOPE_RANGE,
		.object = event->object,
		.start = event->start,
		.end = event->end,
		.want = event->want,
		.flags = CORE_F_GUARD | (event->undeniable ? CORE_F_UNDENIABLE : 0),
	};

	return core_break(s->core, &brk, loop_now(), ret_request);
}

void stranger_held(struct supervisor *s, const struct guard_event *event)
{
	struct object *object = object_find(s, event->object);
	struct stranger *stranger = object ? calloc(1, sizeof(*stranger)) : NULL;
	uint64_t request;

	if (!stranger || ask(s, event, &request) != 0) {
		guard_answer(s->guard, event->ticket, object ? GUARD_DENY_BUSY : GUARD_ALLOW);
		free(stranger);
		return;
	}
	*stranger = (struct stranger){
		.object = object,
		.start = event->start,
		.end = event->end,
		.operation = event->operation,
		.pid = event->pid,
		.uid = event->uid,
		.held = event->pid > 0 || !event->comm[0],
		.since = loop_now(),
	};
	object_ref(object);
	memcpy(stranger->comm, event->comm, sizeof(stranger->comm));
	stranger->comm[sizeof(stranger->comm) - 1] = '\0';
	proto_str_clean(stranger->comm);
	idmap_insert(&s->strangers, &stranger->node, request);
	idmap_insert(&s->tickets, &stranger->ticket, event->ticket);
	tell(s, stranger, PROTO_CHANGE_BREAK_BEGAN, event->operation);
}

void stranger_gone(struct supervisor *s, const struct guard_event *event)
{
	struct stranger *stranger = by_ticket(s, event->ticket);

	/* the core answers, and with that answer it is over */
	if (stranger)
		core_withdraw(s->core, stranger->node.id, loop_now());
}

/* ---- let go ----------------------------------------------------------------------------- */

static void log_it(struct supervisor *s, const struct stranger *stranger,
		   const struct core_command *c, const char *what)
{
	char name[PROTO_STR_MAX], range[80], who[64], account[1024];

	describe_object(stranger->object, name, sizeof(name));
	snprintf(who, sizeof(who), "%s", stranger->comm[0] ? stranger->comm : "somebody");
	if (stranger->pid)
		snprintf(who, sizeof(who), "pid %d (%s, uid %u)", stranger->pid, stranger->comm,
			 stranger->uid);
	describe_range(stranger->start, stranger->end, range, sizeof(range));
	describe_account(s, c->account, c->n_account, account, sizeof(account));
	log_line(LOG_LEVEL_INFO, "%s: %s by %s, %s: %s after %u ms%s", name, stranger->operation, who,
		 range, what, deadline_ms(stranger->since, loop_now()), account);
	registrations_look(s, c, 0);
}

/* A program that reads what is written elsewhere makes one break after the other, and nobody has to give
 * anything back for them. */
static bool is_worth_a_line(const struct core_command *c)
{
	for (size_t i = 0; i < c->n_account; i++)
		if (c->account[i].result != CORE_RESULT_FLUSHED)
			return true;
	return false;
}

/* One that is denied may try again as often as it likes. */
static bool may_log_denial(struct supervisor *s)
{
	return log_may(&s->denials, LOG_LEVEL_INFO, "strangers were denied something");
}

void stranger_ready(struct supervisor *s, struct stranger *stranger, const struct core_command *c)
{
	guard_answer(s->guard, stranger->ticket.id, GUARD_ALLOW);
	if (is_worth_a_line(c))
		log_it(s, stranger, c, stranger->held ? "let go" : "taken back");
	tell(s, stranger, PROTO_CHANGE_BREAK_ENDED, proto_text(PROTO_TEXT_OUTCOME, PROTO_OUTCOME_GRANTED));
	stranger_free(s, stranger);
}

void stranger_refused(struct supervisor *s, struct stranger *stranger, const struct core_command *c)
{
	enum guard_verdict verdict = GUARD_DENY_BUSY;
	enum proto_e_OUTCOME outcome = PROTO_OUTCOME_BUSY;

	switch (c->error) {
	case CORE_E_DENIED:
		verdict = GUARD_DENY_TXTBSY;
		outcome = PROTO_OUTCOME_DENIED;
		break;
	case CORE_E_IO:
		verdict = GUARD_DENY_IO;
		outcome = PROTO_OUTCOME_FAILED;
		break;
	case CORE_E_HOLDER_GONE: /* it was killed: nothing is waiting for this */
		verdict = GUARD_ALLOW;
		outcome = PROTO_OUTCOME_WITHDRAWN;
		break;
	}
	guard_answer(s->guard, stranger->ticket.id, verdict);
	if (is_worth_a_line(c) || may_log_denial(s))
		log_it(s, stranger, c, proto_text(PROTO_TEXT_OUTCOME, outcome));
	tell(s, stranger, PROTO_CHANGE_BREAK_ENDED, proto_text(PROTO_TEXT_OUTCOME, outcome));
	stranger_free(s, stranger);
}

/* At the very end: their objects are gone, or go with the process. */
void strangers_forget(struct supervisor *s)
{
	struct idmap_node *n;

	while ((n = idmap_any(&s->strangers))) {
		struct stranger *stranger = container_of(n, struct stranger, node);

		idmap_remove(&s->tickets, &stranger->ticket);
		idmap_remove(&s->strangers, n);
		free(stranger);
	}
}
