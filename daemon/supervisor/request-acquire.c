/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ACQUIRE: from a name or a descriptor to a question for the core, and the core's no.
 *
 * What can be refused for its form is refused before anything is made; then the right is proved,
 * then the quotas are charged, then the core is asked. The yes is in windows.c.
 */

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/deadline.h"
#include "daemon/supervisor/wiring.h"

static int check_form(struct client *client, const struct proto_acquire *m,
		      struct refusal *refusal)
{
	bool direct = m->kind == PROTO_KIND_DIRECT;

	if (direct && m->flags & (PROTO_ACQUIRE_TRANSPARENT | PROTO_ACQUIRE_PINNABLE))
		return refuse(refusal, PROTO_E_UNSUPPORTED,
			      "a DIRECT seal can be neither transparent, since only its holder can "
			      "stop using the file, nor pinnable, since there is no window to pin");
	if (!direct && m->flags & PROTO_ACQUIRE_UNSHARE)
		return refuse(refusal, PROTO_E_UNSUPPORTED,
			      "unshare is for DIRECT seals: what a window shows is no extent");
	if (!direct && client->space != SPACE_ATTACHED)
		return refuse(refusal, PROTO_E_NOT_ATTACHED,
			      "a window needs an address space; send ATTACH first");
	if (m->flags & PROTO_ACQUIRE_WANT_AVAIL && !(m->flags & PROTO_ACQUIRE_NO_WAIT))
		return refuse(refusal, PROTO_E_UNKNOWN_FLAG,
			      "ACQUIRE.flags: want-avail has a meaning with no-wait only");
	if (m->flags & PROTO_ACQUIRE_PINNABLE && m->mode != PROTO_MODE_WRITE)
		return refuse(refusal, PROTO_E_UNSUPPORTED,
			      "READ windows are not for pinning; ask for WRITE");
	if (m->flags & PROTO_ACQUIRE_TRANSPARENT && !client->kernel_faults)
		return refuse(refusal, PROTO_E_NEEDS_KERNEL_FAULTS,
			      "a transparent seal needs an address space attached by a userfaultfd of "
			      "the supervisor's device");
	return 0;
}

static unsigned int core_flags(const struct proto_acquire *m, const struct target *target)
{
	return (m->flags & PROTO_ACQUIRE_NO_WAIT ? CORE_F_NO_WAIT : 0) |
	       (m->flags & PROTO_ACQUIRE_WANT_AVAIL ? CORE_F_WANT_AVAIL : 0) |
	       (m->flags & PROTO_ACQUIRE_PINNABLE ? CORE_F_PINNABLE : 0) |
	       (m->flags & PROTO_ACQUIRE_TRANSPARENT ? CORE_F_TRANSPARENT : 0) |
	       (m->flags & PROTO_ACQUIRE_REVOKE_PARK ? CORE_F_REVOKE_PARK : 0) |
	       (target->hard || m->flags & PROTO_ACQUIRE_HARD ? CORE_F_HARD : 0);
}

/* Who may make files immutable may deny others what a file is for; so may whoever the administrator
 * gave an export that does so anyway. */
static int check_hard(struct client *client, const struct proto_acquire *m,
		      const struct target *target, struct refusal *refusal)
{
	if (!(m->flags & PROTO_ACQUIRE_HARD) || target->hard ||
	    peer_is_capable(&client->session->peer, CAP_LINUX_IMMUTABLE))
		return 0;
	return refuse(refusal, PROTO_E_DENIED,
		      "a hard seal denies others what they may do; it takes CAP_LINUX_IMMUTABLE, which "
		      "pid %d does not have, or an export with on-conflict = deny",
		      client->pid);
}

static int charge_one(struct quota_user *user, uid_t uid, enum quota_kind kind, uint64_t amount,
		      struct quota_charge *ret, const char *what, struct refusal *refusal)
{
	if (quota_charge(user, kind, amount, ret) == 0)
		return 0;
	return refuse(refusal, PROTO_E_QUOTA,
		      "uid %u has %" PRIu64 " of %" PRIu64 " %s; %" PRIu64 " more are too many", uid,
		      quota_used(user, kind), quota_limit(user, kind), what, amount);
}

/* An export may have limits of its own. */
static int charge_export(struct client *client, struct quota *quota, struct pending *pending,
			 struct refusal *refusal)
{
	_cleanup_(quota_user_putp) struct quota_user *user = NULL;
	int r;

	if (quota_user_get(quota, client->uid, &user) < 0)
		return refuse(refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	r = charge_one(user, client->uid, QUOTA_SEALS, 1, &pending->export_seals,
		       "seals on this export", refusal);
	if (!r)
		r = charge_one(user, client->uid, QUOTA_WINDOW_BYTES, pending->bytes.amount,
			       &pending->export_bytes, "bytes of windows on this export", refusal);
	return r;
}

static int charge(struct client *client, struct quota *export_quota, struct pending *pending,
		  struct refusal *refusal)
{
	int r;

	r = charge_one(client->user, client->uid, QUOTA_WAITING, 1, &pending->waiting,
		       "waiting requests", refusal);
	if (!r)
		r = charge_one(client->user, client->uid, QUOTA_SEALS, 1, &pending->seals, "seals",
			       refusal);
	if (!r)
		r = charge_one(client->user, client->uid, QUOTA_WINDOW_BYTES,
			       page_up(pending->end - pending->start), &pending->bytes,
			       "bytes of windows", refusal);
	if (!r && export_quota)
		r = charge_export(client, export_quota, pending, refusal);
	return r;
}

static void refuse_unbounded(const struct client *client, const struct object *object,
			     struct refusal *refusal)
{
	char name[PROTO_STR_MAX];

	describe_object(object, name, sizeof(name));
	refuse(refusal, PROTO_E_UNBOUNDED,
	       "this session declared I/O of up to %" PRIu32 " ms, and %s waits for %" PRIu32
	       " ms (hard-ms) at most; declare less",
	       client->max_io_ms, name, object->policy.hard_ms);
}

void request_acquire(struct supervisor *s, struct client *client, uint32_t serial,
		     const struct proto_acquire *m, struct fdlist *fds)
{
	struct target_request wanted = {
		.name = m->object,
		.fds = fds,
		/* who may not write the file must not keep others from writing it */
		.write = m->mode == PROTO_MODE_WRITE || m->kind == PROTO_KIND_DIRECT,
		.direct = m->kind == PROTO_KIND_DIRECT,
		.whole = m->flags & PROTO_ACQUIRE_WHOLE,
		.offset = m->offset,
		.length = m->length,
	};
	struct core_acquire acquire;
	struct target target = { 0 };
	struct pending *pending;
	struct refusal refusal;
	uint64_t request;
	int r;

	r = check_form(client, m, &refusal);
	if (!r)
		r = pending_new(s, client, &wanted, &target, &pending, &refusal);
	if (r) {
		refusal_send(client, serial, &refusal);
		return;
	}
	pending->type = PENDING_ACQUIRE;
	pending->serial = serial;
	pending->kind = (enum core_kind)m->kind;
	pending->write = m->mode == PROTO_MODE_WRITE;
	pending->unshare = m->flags & PROTO_ACQUIRE_UNSHARE;
	pending->weak_ok = m->flags & PROTO_ACQUIRE_WEAK_OK;
	pending->discard = target.discard;
	pending->right = target.right;
	acquire = (struct core_acquire){
		.holder = client->node.id,
		.object = target.object->node.id,
		.start = target.start,
		.end = target.end,
		.mode = m->mode,
		.kind = pending->kind,
		.flags = core_flags(m, &target),
		.token = m->token,
		.wait_ms = m->wait_ms,
	};
	if (m->flags & PROTO_ACQUIRE_TRANSPARENT && !target.kernel_faults)
		r = refuse(&refusal, PROTO_E_NEEDS_KERNEL_FAULTS,
			   "transparent seals are for objects whose export grants this uid kernel-faults");
	if (!r)
		r = check_hard(client, m, &target, &refusal);
	if (!r && wanted.direct)
		r = direct_allowed(s, target.object, &refusal);
	if (!r)
		r = guards_arm(s, target.object, wanted.direct, &refusal);
	if (!r)
		r = charge(client, target.export_quota, pending, &refusal);
	if (!r) {
		r = core_acquire(s->core, &acquire, loop_now(), &request);
		if (r == CORE_E_UNBOUNDED)
			refuse_unbounded(client, target.object, &refusal);
		else if (r)
			refuse_core(&refusal, r);
	}
	if (r) {
		pending_free(s, pending);
		refusal_send(client, serial, &refusal);
		return;
	}
	pending_start(s, pending, request);
	pressure_quota(s, client);
}

/* The session has proved access to the object, so it may know who is in the way. */
void acquire_refused(struct supervisor *s, struct pending *pending, const struct core_command *c)
{
	struct client *client = pending->client;
	char text[DESCRIBE_MAX + PROTO_STR_MAX], blocker[DESCRIBE_MAX];
	struct core_seal_view view;
	struct client *holder = NULL;
	struct refusal refusal;
	struct proto_message message = { .type = PROTO_REFUSED };

	refuse_core(&refusal, c->error);
	message.refused.code = refusal.code;
	message.refused.number = c->error == CORE_E_IO && c->quarantine_errno
					 ? c->quarantine_errno
					 : proto_error_errno(refusal.code);
	if (c->blocker || c->blocking_break) {
		describe_blocker(s, pending->object, c, blocker, sizeof(blocker));
		snprintf(text, sizeof(text), "%s: %s", blocker, refusal.text);
	} else {
		snprintf(text, sizeof(text), "%s", refusal.text);
	}
	message.refused.text = proto_str_clean(text);
	if (c->blocker && core_seal_find(s->core, c->blocker, &view)) {
		message.refused.seal = c->blocker;
		holder = client_find(s, view.holder);
	}
	message.refused.pid = holder ? holder->pid : 0;
	message.refused.uid = holder ? holder->uid : 0;
	message.refused.comm = holder ? holder->comm : "";
	message.refused.deadline_ms =
		c->deadline == CORE_NEVER ? 0 : deadline_ms(loop_now(), c->deadline);
	session_reply(client->session, pending->serial, &message, -1);
	if (c->error == CORE_E_TRY_LATER && c->flags & CORE_F_WANT_AVAIL) {
		pending_answered(s, pending);
		quota_refund(&pending->seals);
		quota_refund(&pending->bytes);
		quota_refund(&pending->export_seals);
		quota_refund(&pending->export_bytes);
		return;
	}
	pending_free(s, pending);
}

void acquire_available(struct supervisor *s, struct pending *pending)
{
	struct proto_message message = {
		.type = PROTO_AVAIL,
		.avail = {
			.request = pending->serial,
			.object = pending->object->node.id,
			.offset = pending->start,
			.length = pending->end - pending->start,
		},
	};

	session_event(pending->client->session, &message);
	pending_free(s, pending);
}
