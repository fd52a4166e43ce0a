/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Breaks: asking for a range on behalf of an operation, and holding it free.
 *
 * One request, answered by a line for each seal that was in the way and by how it went. A break
 * that came to an end, also a bad one, is an object with its account; one that was refused for its
 * form is an error like any other. The object is known under its id from the moment its reply is
 * read, since the event that its hold has expired may be next.
 */

#include "client/break.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/agent.h"
#include "client/error.h"

#define BREAK_FLAGS (MAPSEAL_BREAK_HOLD | MAPSEAL_BREAK_NO_WAIT | MAPSEAL_BREAK_MAP_WILL_CHANGE)

struct mapseal_break {
	struct mapseal *m;
	struct list link;
	uint64_t id, token;
	uint32_t ms, hold_ms;
	enum proto_e_OUTCOME outcome;
	bool expired;
	struct mapseal_account *account;
	size_t n_account;
};

static struct mapseal_break *break_free(struct mapseal_break *b)
{
	if (b) {
		list_unlink(&b->link);
		free(b->account);
		free(b);
	}
	return NULL;
}
DEFINE_CLEANUP(struct mapseal_break *, break_free)

void break_on_expired(struct mapseal *m, uint64_t id)
{
	list_for_each(l, &m->breaks) {
		struct mapseal_break *b = list_entry(l, struct mapseal_break, link);
		struct mapseal_event event = {
			.type = MAPSEAL_EVENT_BREAK_EXPIRED,
			.brk = b,
		};

		if (b->id != id)
			continue;
		b->expired = true;
		agent_tell(m, &event);
	}
}

void break_account(const struct proto_break_holder *holder, struct mapseal_account *ret)
{
	const char *answer = proto_text(PROTO_TEXT_ANSWER, holder->answer);

	*ret = (struct mapseal_account){
		.seal = holder->seal,
		.pid = holder->pid,
		.uid = holder->uid,
		.answer = answer ? answer : "none",
		.result = proto_text(PROTO_TEXT_RESULT, holder->result),
		.fence = proto_text(PROTO_TEXT_FENCE, holder->fence),
		.ms = holder->ms,
		.quarantined = holder->quarantined,
		.registrations = holder->registrations,
		.registered = holder->registered,
	};
	memcpy(ret->comm, holder->comm, strnlen(holder->comm, sizeof(ret->comm) - 1));
}

static void on_ready(const struct proto_message *reply, void *data)
{
	struct mapseal_break *b = data;

	if (!reply || reply->type != PROTO_BREAK_READY)
		return;
	b->id = reply->break_ready.id;
	b->token = reply->break_ready.token;
	b->ms = reply->break_ready.ms;
	b->hold_ms = reply->break_ready.hold_ms;
	b->outcome = reply->break_ready.outcome;
	list_append(&b->m->breaks, &b->link);
}

static int add_line(struct mapseal_break *b, const struct proto_break_holder *holder)
{
	size_t n = b->n_account;
	struct mapseal_account *account = b->account;

	/* Powers of two. */
	if ((n & (n - 1)) == 0) {
		account = reallocarray(account, n ? 2 * n : 1, sizeof(*account));
		if (!account)
			return error_set(ENOMEM, "Out of memory for an account of %zu lines",
					 n + 1);
		b->account = account;
	}
	break_account(holder, &account[b->n_account++]);
	return 0;
}

/* Takes in the lines and the end. */
static int take_account(struct wire *w, struct wire_call *call, struct mapseal_break *b,
			struct wire_frame **ret_last)
{
	int r = 0;

	for (;;) {
		_cleanup_(wire_frame_freep) struct wire_frame *frame = NULL;
		const struct proto_message *message;
		int next = wire_next(w, call, &frame);

		if (next < 0)
			return next;
		message = &frame->message;
		if (message->type == PROTO_REFUSED)
			return error_refused(&message->refused);
		if (message->type == PROTO_BREAK_READY) {
			*ret_last = take_ptr(frame);
			return r;
		}
		if (message->type != PROTO_BREAK_HOLDER) {
			wire_hang_up(w, EBADMSG);
			return wire_error_lost(w);
		}
		if (r == 0)
			r = add_line(b, &message->break_holder);
	}
}

/* A bad end, as an error, with the first seal that is still in the way. */
static int outcome_error(const struct mapseal_break *b, const char *text)
{
	static const enum proto_error codes[] = {
		[PROTO_OUTCOME_DENIED] = PROTO_E_CONFLICT,
		[PROTO_OUTCOME_BUSY] = PROTO_E_DEADLOCK,
		[PROTO_OUTCOME_TIMED_OUT] = PROTO_E_TIMED_OUT,
		[PROTO_OUTCOME_TRY_LATER] = PROTO_E_TRY_LATER,
		[PROTO_OUTCOME_FAILED] = PROTO_E_IO,
		[PROTO_OUTCOME_WITHDRAWN] = PROTO_E_GONE,
	};
	int r = error_code(codes[b->outcome], text);

	for (size_t i = 0; i < b->n_account; i++) {
		const struct mapseal_account *a = &b->account[i];

		if (strcmp(a->result, "pending") == 0) {
			error_holder(a->seal, a->pid, a->uid, a->comm, 0);
			break;
		}
	}
	return r;
}

static int prepare(struct mapseal *m, const struct mapseal_break_request *given,
		   struct mapseal_break_request *ret, struct proto_message *message)
{
	int r = connection_check(m);

	if (r == 0)
		r = connection_copy(ret, sizeof(*ret), given, "struct mapseal_break_request");
	if (r == 0)
		r = connection_token(ret->token, &ret->token);
	if (r < 0)
		return r;
	if (ret->flags & ~(unsigned int)BREAK_FLAGS)
		return error_set(EINVAL, "Unknown flag 0x%x in a break request",
				 ret->flags & ~(unsigned int)BREAK_FLAGS);
	if (ret->want < MAPSEAL_WANT_READ || ret->want > MAPSEAL_WANT_LAYOUT)
		return error_set(EINVAL, "A break cannot want %d", (int)ret->want);
	if (ret->object && !*ret->object)
		return error_set(EINVAL, "The object's name is empty");
	if (!ret->object && ret->fd < 0)
		return error_set(EBADF, "Neither an object's name nor a descriptor");
	r = connection_check_range(ret->offset, ret->length);
	if (r < 0)
		return r;
	*message = (struct proto_message){
		.type = PROTO_BREAK_BEGIN,
		.break_begin = {
			.object = ret->object,
			.want = ret->want,
			.flags = ret->flags,
			.offset = ret->offset,
			.length = ret->length,
			.token = ret->token,
			.wait_ms = ret->wait_ms,
			.hold_ms = ret->hold_ms,
		},
	};
	if (ret->offset == 0 && ret->length == 0)
		message->break_begin.flags |= PROTO_BREAK_WHOLE;
	return 0;
}

int mapseal_break_begin(struct mapseal *m, const struct mapseal_break_request *given,
			struct mapseal_break **ret)
{
	_cleanup_(break_freep) struct mapseal_break *b = NULL;
	_cleanup_(wire_frame_freep) struct wire_frame *last = NULL;
	struct mapseal_break_request request;
	struct proto_message message;
	struct wire_call call;
	int r;

	r = prepare(m, given, &request, &message);
	if (r < 0)
		return r;
	b = calloc(1, sizeof(*b));
	if (!b)
		return error_set(ENOMEM, "Out of memory");
	b->m = m;
	list_init(&b->link);

	wire_lock(&m->wire);
	r = wire_begin(&m->wire, &call, &message, &request.fd, request.object ? 0 : 1, on_ready, b);
	if (r == 0) {
		r = take_account(&m->wire, &call, b, &last);
		wire_end(&m->wire, &call);
	}
	if (r < 0 && !list_empty(&b->link)) {
		/* Held, but its account is lost. */
		struct proto_message end = {
			.type = PROTO_BREAK_END,
			.break_end = { .id = b->id, .token = b->token },
		};

		if (b->token)
			wire_post(&m->wire, &end, NULL, NULL);
		agent_forget(m, b);
		list_unlink(&b->link);
	}
	wire_unlock(&m->wire);
	if (r < 0)
		return r;
	if (b->outcome != PROTO_OUTCOME_GRANTED)
		r = outcome_error(b, last->message.break_ready.text);
	*ret = take_ptr(b);
	return r;
}

uint64_t mapseal_break_token(const struct mapseal_break *b)
{
	return b->token;
}

uint64_t mapseal_break_id(const struct mapseal_break *b)
{
	return b->id;
}

uint32_t mapseal_break_ms(const struct mapseal_break *b)
{
	return b->ms;
}

uint32_t mapseal_break_hold_ms(const struct mapseal_break *b)
{
	return b->hold_ms;
}

const char *mapseal_break_outcome(const struct mapseal_break *b)
{
	return proto_text(PROTO_TEXT_OUTCOME, b->outcome);
}

size_t mapseal_break_account(const struct mapseal_break *b, const struct mapseal_account **ret)
{
	*ret = b->account;
	return b->n_account;
}

static int end_hold(struct mapseal_break *b)
{
	struct proto_message message = {
		.type = PROTO_BREAK_END,
		.break_end = { .id = b->id, .token = b->token },
	};

	return wire_call(&b->m->wire, &message, NULL, 0, NULL, NULL, PROTO_DONE, NULL);
}

void break_end_all(struct mapseal *m)
{
	list_for_each(l, &m->breaks) {
		struct mapseal_break *b = list_entry(l, struct mapseal_break, link);

		if (b->token && !b->expired && !m->wire.lost)
			end_hold(b);
	}
}

void break_free_all(struct mapseal *m)
{
	while (!list_empty(&m->breaks))
		break_free(list_entry(list_first(&m->breaks), struct mapseal_break, link));
}

int mapseal_break_end(struct mapseal_break *b)
{
	struct mapseal *m;
	int r = 0;

	if (!b)
		return 0;
	m = b->m;
	if (connection_check(m) < 0) {
		break_free(b);
		return -ECHILD;
	}
	wire_lock(&m->wire);
	if (b->token && !b->expired)
		r = end_hold(b);
	/* It may have expired while the request was under way. */
	if (b->expired)
		r = error_set(ESTALE, "The hold had reached its longest duration of %u ms",
			      b->hold_ms);
	agent_forget(m, b);
	break_free(b);
	wire_unlock(&m->wire);
	return r;
}
