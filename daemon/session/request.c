/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a session hears.
 *
 * Receiving is one operation of the loop at a time: a frame comes, is handed on, and only then is
 * the next one asked for. So each session gets one request a round, however fast it writes, and a
 * decoded message may point into the session's only buffer. With too many requests unanswered, or
 * too many parts of answers unread, no further frame is asked for (stalled): the socket's own flow
 * control does the rest. What waits for *other* clients has a lower limit of its own, which the
 * owner keeps, so a stalled session waits for nothing but the supervisor.
 *
 * Descriptors that the client passed are closed elsewhere (closer.h), and are the session's debt
 * until then. One that owes too many is hung up on.
 */

#include <errno.h>

#include "daemon/session/state.h"

#define DRAIN_MAX 1024 /* frames read and thrown away when hanging up */
#define DEBT_MAX  32   /* descriptors that a session passed, and that are not closed yet */

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
	else if (!session_admit(session))
		turn_away(session, message.serial);
	else if (negotiate(session, &message))
		ops->request(session, &message, fds, ops->data);
	if (r != 0 && fault.code == PROTO_E_MALFORMED)
		session_hang_up(session);
}

static void close_foreign(int fd, void *data)
{
	struct session *session = data;

	closer_close(session->sessions->closer, fd, session->debt);
}

static void init_fds(struct session *session, struct fdlist *fds)
{
	fdlist_init(fds);
	fds->close = close_foreign;
	fds->data = session;
}

static void received(struct loop_op *op, int result)
{
	struct session *session = op->data;
	struct fdlist fds;
	int lost;

	init_fds(session, &fds);
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
	request_next(session);
}

void request_init(struct session *session)
{
	session->receive = (struct loop_op){ .fn = received, .data = session };
}

void request_next(struct session *session)
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

/* Closing a socket with frames unread in it resets the connection, and the client would see that
 * instead of the refusal that was sent before. */
void request_drain(struct session *session)
{
	struct fdlist fds;
	size_t size;

	shutdown(session->fd, SHUT_RDWR);
	for (int i = 0; i < DRAIN_MAX; i++) {
		init_fds(session, &fds);
		if (proto_frame_recv(session->fd, session->frame, &size, &fds, MSG_DONTWAIT) < 0)
			return;
		fdlist_clear(&fds);
		if (size == 0)
			return;
	}
}
