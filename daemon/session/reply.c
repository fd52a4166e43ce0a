/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a session says.
 *
 * Parts of an answer share frames: they are collected, for one session at a time, until the answer
 * is complete. Sending is the outbox's (outbox.h). It is bounded: a client that lets it fill up is
 * hung up on, since anything else would be a promise to remember without end. Parts don't count
 * there, for the client asked for them; it gets to ask for nothing more while too many are unread.
 */

#include <stdarg.h>
#include <stdio.h>

#include "daemon/session/state.h"
#include "util/cleanup.h"

static void moved(struct outbox *box, int result)
{
	struct session *session = box->data;

	if (result < 0)
		session_hang_up(session);
	else if (session->stalled)
		request_next(session);
}

void reply_init(struct session *session)
{
	outbox_init(&session->outbox, session->sessions->loop, session->fd, moved, session);
}

void reply_stop(struct session *session)
{
	if (session->sessions->parts_of == session)
		session->sessions->parts_of = NULL;
	outbox_stop(&session->outbox);
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

void reply_flush(struct sessions *sessions)
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
	reply_flush(sessions);
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

		reply_flush(sessions);
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
		request_next(session);
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
