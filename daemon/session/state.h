/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Sessions from inside.
 *
 *	session.c	beginning, hanging up, and what is left to do after that
 *	request.c	what comes in: one frame at a time, for the owner or refused
 *	reply.c		what goes out: answers, parts of answers, events
 */

#include <stddef.h>
#include <stdint.h>

#include "daemon/session/closer.h"
#include "daemon/session/parts.h"
#include "daemon/session/session.h"

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

/* Nothing has come, nothing is asked for. */
void request_init(struct session *session);

/* Asks for the next frame, unless it was asked for, has to wait (stalled), or the session is over. */
void request_next(struct session *session);

/* Shuts the socket down and throws away what is left unread in it. */
void request_drain(struct session *session);

/* Whether it may stay: who came one too many is judged when it asks for something. */
bool session_admit(struct session *session);

void reply_init(struct session *session);
void reply_stop(struct session *session);

/* Parts that were collected go out. */
void reply_flush(struct sessions *sessions);
