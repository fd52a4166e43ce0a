/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One connection.
 *
 * Receiving is one operation of the loop at a time: a frame comes, is handed on, and only then is
 * the next one asked for. So each session gets one request a round, however fast it writes, and a
 * decoded message may point into the session's only buffer. With too many requests unanswered, or
 * too many parts of answers unread, no further frame is asked for (stalled): the socket's own flow
 * control does the rest. What waits for *other* clients has a lower limit of its own, which the
 * owner keeps, so a stalled session waits for nothing but the supervisor.
 *
 * Parts of an answer share frames: they are collected, for one session at a time, until the answer
 * is complete. Sending is the outbox's (outbox.h). It is bounded: a client that lets it fill up is
 * hung up on, since anything else would be a promise to remember without end.
 *
 * Descriptors that the client passed, and the socket itself with all that may be queued in it, are
 * closed elsewhere (closer.h). A session that owes too many is hung up on, and one that owes any
 * counts as a session of its uid until they are closed.
 *
 * A session over the quota of its uid is told so in answer to its first request, where the client
 * looks for it. Only so many are kept until then; the oldest are hung up on without a word.
 *
 * Hanging up only marks: callers on the stack keep a valid session. `closed` is called, once, from
 * sessions_reap(); the memory goes when the kernel has given back both operations' buffers.
 *
 * It is long for one reason: beginning, requests, debts and the end of a session are one life, whose
 * every step looks at `hung_up`; what has a life of its own (outbox, parts, closer) is elsewhere.
 */

#include "daemon/session/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "daemon/session/closer.h"
#include "daemon/session/parts.h"
#include "util/cleanup.h"

#define DRAIN_MAX 1024	  /* frames read and thrown away when hanging up */
#define UNWELCOME_MAX 64 /* sessions over their quota that have not been told yet */
#define DEBT_MAX 32	  /* descriptors that a session passed, and that are not closed yet */

struct sessions {
	struct loop *loop;
	struct quota *quota;
	struct session_limits limits;
	struct session_ops ops;
	struct list all, over, unwelcome, debtors;
	struct closer *closer;
	size_t n, n_unwelcome;
	uint64_t last_id;
	struct parts parts;
	struct session *parts_of; /* whose those are, NULL: nobody's */
};

/* A session that is over but for what it owes. */
struct debtor {
	struct list link;
	struct debt *debt;
	struct quota_charge charge;
};

static void receive(struct session *session);
static void send_parts(struct sessions *sessions);

/* ---- over ------------------------------------------------------------------------------- */

void session_hang_up(struct session *session)
{
	if (session->hung_up)
		return;
	session->hung_up = true;
	if (session->sessions->parts_of == session)
		session->sessions->parts_of = NULL;
	outbox_stop(&session->outbox);
	/* at once, so that hanging up and connecting again is not refused for the session just left */
	quota_refund(&session->charge);
	if (!list_empty(&session->unwelcome_link)) {
		list_unlink(&session->unwelcome_link);
		session->sessions->n_unwelcome--;
	}
	list_unlink(&session->link);
	list_append(&session->sessions->over, &session->link);
}

static void close_foreign(int fd, void *data)
{
	struct session *session = data;

	closer_close(session->sessions->closer, fd, session->debt);
}

static void receive_into(struct session *session, struct fdlist *fds)
{
	fdlist_init(fds);
	fds->close = close_foreign;
	fds->data = session;
}

/* Closing a socket with frames unread in it resets the connection, and the client would see that
 * instead of the refusal that was sent before. */
static void drain(struct session *session)
{
	struct fdlist fds;
	size_t size;

	shutdown(session->fd, SHUT_RDWR);
	for (int i = 0; i < DRAIN_MAX; i++) {
		receive_into(session, &fds);
		if (proto_frame_recv(session->fd, session->frame, &size, &fds, MSG_DONTWAIT) < 0)
			return;
		fdlist_clear(&fds);
		if (size == 0)
			return;
	}
}

static void remember_debt(struct session *session)
{
	struct debtor *debtor;

	if (debt_open(session->debt) == 0)
		return;
	debtor = calloc(1, sizeof(*debtor));
	if (!debtor)
		return;
	debtor->debt = take_ptr(session->debt);
	quota_charge_forced(session->user, QUOTA_SESSIONS, 1, &debtor->charge);
	list_init(&debtor->link);
	list_append(&session->sessions->debtors, &debtor->link);
}

static void debtor_free(struct debtor *debtor)
{
	list_unlink(&debtor->link);
	debt_unref(debtor->debt);
	quota_refund(&debtor->charge);
	free(debtor);
}

static void session_free(struct session *session)
{
	drain(session);
	remember_debt(session);
	outbox_deinit(&session->outbox);
	closer_close(session->sessions->closer, session->fd, NULL);
	list_unlink(&session->link);
	debt_unref(session->debt);
	quota_refund(&session->charge);
	quota_user_put(session->user);
	peer_deinit(&session->peer);
	session->sessions->n--;
	free(session);
}

size_t sessions_reap(struct sessions *sessions)
{
	size_t told = 0;

	send_parts(sessions);
	list_for_each (l, &sessions->debtors) {
		struct debtor *debtor = list_entry(l, struct debtor, link);

		if (debt_open(debtor->debt) == 0)
			debtor_free(debtor);
	}
	list_for_each (l, &sessions->over) {
		struct session *session = list_entry(l, struct session, link);

		if (!session->told) {
			session->told = true;
			told++;
			sessions->ops.closed(session, sessions->ops.data);
			loop_poll_stop(&session->ended);
			loop_op_cancel(&session->receive);
		}
		if (!session->receive.busy && outbox_is_idle(&session->outbox))
			session_free(session);
	}
	return told;
}

void sessions_hang_up_all(struct sessions *sessions)
{
	list_for_each (l, &sessions->all)
		session_hang_up(list_entry(l, struct session, link));
}

size_t sessions_count(const struct sessions *sessions)
{
	return sessions->n;
}

/* ---- out -------------------------------------------------------------------------------- */

static void moved(struct outbox *box, int result)
{
	struct session *session = box->data;

	if (result < 0)
		session_hang_up(session);
	else if (session->stalled)
		receive(session);
}

static void send_frame(struct session *session, const char *frame, size_t size, int fd, bool bulk)
{
	if (!bulk && session->outbox.n_owed > session->sessions->limits.max_queue) {
		session_hang_up(session);
		fd_close(fd);
	} else if (outbox_send(&session->outbox, frame, size, fd, bulk) < 0) {
		session_hang_up(session);
	}
}

/* What was collected goes out. */
static void send_parts(struct sessions *sessions)
{
	struct session *session = sessions->parts_of;

	sessions->parts_of = NULL;
	if (session)
		send_frame(session, sessions->parts.frame, sessions->parts.size, -1, true);
}

static void collect_part(struct session *session, const char *message, size_t size)
{
	struct sessions *sessions = session->sessions;

	if (sessions->parts_of == session && parts_add(&sessions->parts, message, size))
		return;
	send_parts(sessions);
	if (session->hung_up)
		return;
	parts_begin(&sessions->parts, message, size);
	sessions->parts_of = session;
}

static void send_message(struct session *session, uint32_t serial, struct proto_message *message,
			 int fd, bool bulk)
{
	struct sessions *sessions = session->sessions;
	char frame[PROTO_FRAME_MAX];
	int size;

	message->serial = serial;
	size = session->hung_up ? 0 : proto_encode(message, frame);
	if (size <= 0) {
		/* what can't be encoded was made here, of what others chose; its reader can't go on */
		session_hang_up(session);
		fd_close(fd);
		return;
	}
	if (bulk) {
		collect_part(session, frame, (size_t)size);
		return;
	}
	if (sessions->parts_of == session) {
		bool added = fd < 0 && parts_add(&sessions->parts, frame, (size_t)size);

		send_parts(sessions);
		if (added)
			return;
	}
	if (session->hung_up)
		fd_close(fd);
	else
		send_frame(session, frame, (size_t)size, fd, false);
}

void session_reply(struct session *session, uint32_t serial, struct proto_message *message, int fd)
{
	send_message(session, serial, message, fd, false);
	if (session->in_flight > 0)
		session->in_flight--;
	if (session->stalled)
		receive(session);
}

void session_part(struct session *session, uint32_t serial, struct proto_message *message)
{
	send_message(session, serial, message, -1, true);
}

void session_event(struct session *session, struct proto_message *message)
{
	send_message(session, 0, message, -1, false);
}

void session_done(struct session *session, uint32_t serial, uint64_t value)
{
	struct proto_message message = { .type = PROTO_DONE, .done.value = value };

	session_reply(session, serial, &message, -1);
}

void session_refuse(struct session *session, uint32_t serial, enum proto_error code,
		    const char *format, ...)
{
	char text[PROTO_STR_MAX];
	struct proto_message message = {
		.type = PROTO_REFUSED,
		.refused = {
			.code = code,
			.number = proto_error_errno(code),
			.text = text,
		},
	};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	proto_str_clean(text);
	session_reply(session, serial, &message, -1);
}

/* ---- in --------------------------------------------------------------------------------- */

/* Whether the request is for the owner. */
static bool negotiate(struct session *session, const struct proto_message *message)
{
	const struct proto_hello *hello = &message->hello;

	if (message->type != PROTO_HELLO) {
		if (session->version)
			return true;
		session_refuse(session, message->serial, PROTO_E_STATE, "HELLO comes first");
		session_hang_up(session);
		return false;
	}
	if (session->version) {
		session_refuse(session, message->serial, PROTO_E_STATE, "HELLO comes only once");
		return false;
	}
	if (hello->min_version > hello->max_version || hello->min_version > PROTO_VERSION ||
	    hello->max_version < 1) {
		session_refuse(session, message->serial, PROTO_E_VERSION,
			       "this supervisor speaks version 1 to %u, the client %u to %u",
			       PROTO_VERSION, hello->min_version, hello->max_version);
		session_hang_up(session);
		return false;
	}
	session->version =
		hello->max_version < PROTO_VERSION ? hello->max_version : PROTO_VERSION;
	return true;
}

/* Who came one too many is judged when it asks: the end of one session and the beginning of the next
 * are heard from two sockets, in any order. */
static bool is_welcome(struct session *session)
{
	if (list_empty(&session->unwelcome_link))
		return true;
	if (quota_charge(session->user, QUOTA_SESSIONS, 1, &session->charge) != 0)
		return false;
	list_unlink(&session->unwelcome_link);
	session->sessions->n_unwelcome--;
	return true;
}

static void turn_away(struct session *session, uint32_t serial)
{
	session_refuse(session, serial, PROTO_E_QUOTA,
		       "uid %u has %llu of %llu sessions; one more is too many", session->peer.uid,
		       (unsigned long long)quota_used(session->user, QUOTA_SESSIONS),
		       (unsigned long long)quota_limit(session->user, QUOTA_SESSIONS));
	session_hang_up(session);
}

static void handle(struct session *session, size_t size, struct fdlist *fds, bool fds_lost)
{
	const struct session_ops *ops = &session->sessions->ops;
	struct proto_message message = { 0 };
	struct proto_fault fault;
	int r;

	session->in_flight++;
	r = proto_decode(session->frame, size, fds->n, PROTO_REQUEST, &message, &fault);
	if (fds_lost)
		session_refuse(session, message.serial, PROTO_E_NO_MEMORY,
			       "the supervisor can't hold the descriptor");
	else if (r != 0)
		session_refuse(session, message.serial, fault.code, "%s", fault.text);
	else if (!is_welcome(session))
		turn_away(session, message.serial);
	else if (negotiate(session, &message))
		ops->request(session, &message, fds, ops->data);
	if (r != 0 && fault.code == PROTO_E_MALFORMED)
		session_hang_up(session);
}

static void received(struct loop_op *op, int result)
{
	struct session *session = op->data;
	struct fdlist fds;
	int lost;

	receive_into(session, &fds);
	if (result >= 0) {
		lost = proto_frame_parse_control(&session->in, &fds);
		if (!session->hung_up && result > 0)
			handle(session, (size_t)result, &fds, lost == PROTO_FRAME_FDS_LOST);
	}
	fdlist_clear(&fds);
	if (debt_open(session->debt) > DEBT_MAX)
		session_hang_up(session);
	if (result == 0 || (result < 0 && result != -EINTR))
		session_hang_up(session);
	receive(session);
}

static void receive(struct session *session)
{
	if (session->hung_up || session->receive.busy)
		return;
	session->stalled = session->in_flight >= session->sessions->limits.max_in_flight ||
			   session->outbox.n_bulk > session->sessions->limits.max_queue;
	if (session->stalled)
		return;
	session->in_iov =
		(struct iovec){ .iov_base = session->frame, .iov_len = sizeof(session->frame) };
	session->in = (struct msghdr){
		.msg_iov = &session->in_iov,
		.msg_iovlen = 1,
		.msg_control = session->in_control,
		.msg_controllen = sizeof(session->in_control),
	};
	if (loop_recvmsg(session->sessions->loop, &session->receive, session->fd, &session->in,
			 MSG_CMSG_CLOEXEC | MSG_TRUNC) < 0)
		session_hang_up(session);
}

/* A child that inherited the socket keeps it open; the seals were the process's. */
static void ended(struct loop_poll *poll, uint32_t events)
{
	(void)events;
	session_hang_up(poll->data);
}

/* ---- beginning -------------------------------------------------------------------------- */

static int session_init(struct session *session, struct sessions *sessions)
{
	int r;

	r = peer_init(&session->peer, session->fd);
	if (r < 0)
		return r;
	r = quota_user_get(sessions->quota, session->peer.uid, &session->user);
	if (r < 0)
		return r;
	session->ended.fd = session->peer.pidfd;
	r = loop_poll_start(sessions->loop, &session->ended, EPOLLIN);
	if (r < 0)
		return r;
	if (quota_charge(session->user, QUOTA_SESSIONS, 1, &session->charge) == 0)
		return 0;
	list_append(&sessions->unwelcome, &session->unwelcome_link);
	if (++sessions->n_unwelcome > UNWELCOME_MAX)
		session_hang_up(list_entry(list_first(&sessions->unwelcome), struct session,
					   unwelcome_link));
	return 0;
}

int sessions_accept(struct sessions *sessions, int fd)
{
	struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session) {
		fd_close(fd);
		return -ENOMEM;
	}
	session->sessions = sessions;
	session->fd = fd;
	session->peer.pidfd = -1;
	session->receive = (struct loop_op){ .fn = received, .data = session };
	outbox_init(&session->outbox, sessions->loop, fd, moved, session);
	session->ended = (struct loop_poll){ .fn = ended, .data = session, .fd = -1 };
	list_init(&session->unwelcome_link);
	session->debt = debt_new();
	r = session->debt ? session_init(session, sessions) : -ENOMEM;
	if (r < 0) {
		debt_unref(session->debt);
		quota_refund(&session->charge);
		quota_user_put(session->user);
		peer_deinit(&session->peer);
		closer_close(sessions->closer, fd, NULL);
		free(session);
		return r;
	}
	session->id = ++sessions->last_id;
	list_append(&sessions->all, &session->link);
	sessions->n++;
	receive(session);
	return 0;
}

int sessions_new(struct loop *loop, struct quota *quota, const struct session_limits *limits,
		 const struct session_ops *ops, struct sessions **ret)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions || closer_new(&sessions->closer) < 0) {
		free(sessions);
		return -ENOMEM;
	}
	sessions->loop = loop;
	sessions->quota = quota;
	sessions->limits = *limits;
	sessions->ops = *ops;
	list_init(&sessions->all);
	list_init(&sessions->over);
	list_init(&sessions->unwelcome);
	list_init(&sessions->debtors);
	*ret = sessions;
	return 0;
}

struct sessions *sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return NULL;
	list_for_each (l, &sessions->debtors)
		debtor_free(list_entry(l, struct debtor, link));
	closer_free(sessions->closer);
	free(sessions);
	return NULL;
}
