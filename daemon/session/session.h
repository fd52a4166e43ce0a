/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Connections: frames in, frames out, and nothing of what they mean.
 *
 * A session hands each decoded request to its owner, who answers it exactly once with
 * session_reply() or session_refuse(), at once or later. It may be hung up on at any point, by
 * either side; it then stays a valid object that ignores what is sent through it, until
 * sessions_reap(), which tells the owner and frees it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "daemon/loop/loop.h"
#include "daemon/session/outbox.h"
#include "daemon/session/peer.h"
#include "daemon/session/quota.h"
#include "proto/frame.h"
#include "proto/proto.h"
#include "util/list.h"

struct sessions; /* all of them */
struct session;

struct session_ops {
	/* A request of the right form at the right time: the first one is HELLO, and no other is.
	 * Strings in @message and the list are gone when this returns; what is left in @fds is
	 * closed. session->version is what HELLO negotiated. */
	void (*request)(struct session *session, const struct proto_message *message,
			struct fdlist *fds, void *data);

	/* The session is over, and freed when this returns. */
	void (*closed)(struct session *session, void *data);
	void *data;
};

struct session_limits {
	uint32_t max_in_flight; /* unanswered requests, before the socket is not read any more */
	size_t max_queue;	/* bytes that a client may leave unread; then it is hung up on */
};

struct session {
	struct list link, unwelcome_link;
	struct sessions *sessions;
	uint64_t id;
	struct peer peer;
	struct quota_user *user;
	uint16_t version; /* 0: HELLO is still to come */
	bool hung_up;
	void *data; /* the owner's */

	/* the session's own */
	int fd;
	bool told, stalled;
	uint32_t in_flight;
	struct quota_charge charge;
	struct debt *debt;
	struct outbox outbox;
	struct loop_op receive;
	struct loop_poll ended;
	struct msghdr in;
	struct iovec in_iov;
	char in_control[PROTO_CONTROL_MAX] PROTO_CONTROL_ALIGNED;
	char frame[PROTO_FRAME_MAX];
};

int sessions_new(struct loop *loop, struct quota *quota, const struct session_limits *limits,
		 const struct session_ops *ops, struct sessions **ret);
struct sessions *sessions_free(struct sessions *sessions); /* after all were reaped */
DEFINE_CLEANUP(struct sessions *, sessions_free)

/* Takes @fd over, also on failure. A peer that may have no more sessions is told so when it says HELLO. */
int sessions_accept(struct sessions *sessions, int fd);

/* Tells the owner of sessions that are over, and frees them as soon as the kernel has let go of their
 * buffers. To be called when no session is in use, once a round. How many were told. */
size_t sessions_reap(struct sessions *sessions);
void sessions_hang_up_all(struct sessions *sessions);
size_t sessions_count(const struct sessions *sessions);

/* The answer to request @serial. Takes over @fd, -1 for none. */
void session_reply(struct session *session, uint32_t serial, struct proto_message *message, int fd);

/* One of several before the reply. They are the client's own doing, so they don't count towards what
 * it may leave unread; but with too many of them unread nothing more is read from it. */
void session_part(struct session *session, uint32_t serial, struct proto_message *message);
void session_event(struct session *session, struct proto_message *message);
void session_done(struct session *session, uint32_t serial, uint64_t value);

/* A REFUSED with code and text alone. */
void session_refuse(struct session *session, uint32_t serial, enum proto_error code,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

void session_hang_up(struct session *session);
