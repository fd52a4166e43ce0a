/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The client's end of the socket: requests out, replies to whoever asked, events to the agent.
 *
 * There is no thread whose task is to read. Of all threads that wait for a reply one reads, in
 * poll(2) without the lock, and hands the others theirs; when it has its own it leaves, and another
 * takes over. Where an agent thread waits for the socket anyway (`served`), callers leave it to
 * that; while the agent is in a handler they do without it. So a handler may make any call, as may
 * a thread that a handler waits for.
 *
 * Order is kept: frames are looked at under the lock, one after the other. A reply that creates
 * something (a seal, the upper half of a split, a break) is shown to on_reply() at once, so that an
 * event about it, which may be next in the socket, finds it. on_event() changes state and never
 * calls the application; that is for the agent.
 *
 * More requests than the supervisor allows in flight are not sent: calls that may wait long share
 * half of the room, other calls most of the rest, and posts queue up in the backlog.
 *
 * Whatever is wrong with the supervisor's frames is the end of the connection.
 */

#include "client/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "client/error.h"
#include "proto/table.h"

/* A request nobody waits for. */
struct wire_post {
	struct wire_call call;
	struct proto_message message;
};

struct wire_frame *wire_frame_free(struct wire_frame *frame)
{
	if (frame) {
		list_unlink(&frame->link);
		fdlist_clear(&frame->fds);
		free(frame);
	}
	return NULL;
}

static void drop_frames(struct list *frames)
{
	while (!list_empty(frames))
		wire_frame_free(list_entry(list_first(frames), struct wire_frame, link));
}

static void end_post(struct wire_call *call, const struct proto_message *reply)
{
	list_unlink(&call->link);
	if (call->on_reply)
		call->on_reply(reply, call->data);
	free(container_of(call, struct wire_post, call));
}

static void drop_posts(struct list *posts)
{
	while (!list_empty(posts))
		end_post(list_entry(list_first(posts), struct wire_call, link), NULL);
}

int wire_init(struct wire *w, int socket, const struct wire_handlers *handlers)
{
	int nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (nudge < 0)
		return error_set(errno, "No eventfd for the connection: %m");
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->socket = socket;
	w->nudge = nudge;
	w->serial = 0;
	w->in_flight = 0;
	w->max_in_flight = 1;
	list_init(&w->calls);
	list_init(&w->backlog);
	w->reading = w->served = w->lost = false;
	w->reason = 0;
	w->handlers = *handlers;
	return 0;
}

void wire_deinit(struct wire *w, bool forked)
{
	drop_posts(&w->backlog);
	list_for_each(l, &w->calls) {
		struct wire_call *call = list_entry(l, struct wire_call, link);

		if (call->posted)
			end_post(call, NULL);
	}
	w->socket = fd_close(w->socket);
	w->nudge = fd_close(w->nudge);
	/* The parent's waiters are in the child's copy of the condition variable: leave it alone.
	 * */
	if (!forked) {
		pthread_cond_destroy(&w->changed);
		pthread_mutex_destroy(&w->lock);
	}
}

void wire_wake(struct wire *w)
{
	static const uint64_t one = 1;

	pthread_cond_broadcast(&w->changed);
	/* EAGAIN is a counter that is full: the poll ends all the same. */
	if (w->reading && write(w->nudge, &one, sizeof(one)) < 0)
		return;
}

int wire_error_lost(const struct wire *w)
{
	if (w->reason == EBADMSG)
		return error_set(ECONNRESET, "The connection was closed: what came over it is not "
					     "of the protocol");
	return error_set(ECONNRESET, "The supervisor closed the connection, or is gone");
}

void wire_hang_up(struct wire *w, int reason)
{
	if (w->lost)
		return;
	w->lost = true;
	w->reason = reason;
	/* Not closed: the number must stay ours as long as somebody may poll it. */
	shutdown(w->socket, SHUT_RDWR);

	list_for_each(l, &w->calls) {
		struct wire_call *call = list_entry(l, struct wire_call, link);

		if (call->posted)
			end_post(call, NULL);
		else if (call->on_reply && !call->done)
			call->on_reply(NULL, call->data);
	}
	drop_posts(&w->backlog);
	w->handlers.on_lost(w->handlers.data);
	wire_wake(w);
}

/* ---- out --------------------------------------------------------------------------------- */

static int send_message(struct wire *w, struct wire_call *call, struct proto_message *message,
			const int *fds, size_t n_fds)
{
	unsigned char frame[PROTO_FRAME_MAX];
	struct proto_message checked;
	struct proto_fault fault;
	int n, r;

	if (++w->serial == 0)
		w->serial = 1;
	message->serial = w->serial;
	n = proto_encode(message, frame);
	/* What the supervisor would end the session for is refused here, with its words. A post is
	 * of our own making. */
	if (n >= 0 && (!call->posted || fds) &&
	    proto_decode(frame, (size_t)n, n_fds, PROTO_REQUEST, &checked, &fault))
		return error_set(EINVAL, "%s", fault.text);
	if (n < 0)
		return error_set(EINVAL, "A name is longer than %d bytes", PROTO_STR_MAX);
	r = proto_frame_send(w->socket, frame, (size_t)n, fds, n_fds, 0);
	if (r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN) {
		wire_hang_up(w, ECONNRESET);
		return wire_error_lost(w);
	}
	if (r < 0)
		return error_errno(-r, n_fds ? "Passing the descriptor" : "Sending the request");
	call->serial = message->serial;
	list_append(&w->calls, &call->link);
	w->in_flight++;
	return 0;
}

static uint32_t room(const struct wire *w, enum proto_type type)
{
	uint32_t max = w->max_in_flight;

	if (type == PROTO_ACQUIRE || type == PROTO_BREAK_BEGIN)
		return max > 1 ? max / 2 : 1;
	return max > 4 ? max - 2 : max;
}

int wire_begin(struct wire *w, struct wire_call *call, struct proto_message *request,
	       const int *fds, size_t n_fds, wire_reply_fn on_reply, void *data)
{
	*call = (struct wire_call){ .on_reply = on_reply, .data = data };
	list_init(&call->link);
	list_init(&call->frames);
	while (!w->lost && w->in_flight >= room(w, request->type))
		wire_wait(w);
	if (w->lost)
		return wire_error_lost(w);
	return send_message(w, call, request, fds, n_fds);
}

static struct wire_post *post_new(const struct proto_message *message, wire_reply_fn on_reply,
				  void *data)
{
	struct wire_post *post = calloc(1, sizeof(*post));

	if (!post)
		return NULL;
	post->message = *message;
	post->call.on_reply = on_reply;
	post->call.data = data;
	post->call.posted = true;
	list_init(&post->call.link);
	list_init(&post->call.frames);
	return post;
}

int wire_post(struct wire *w, const struct proto_message *message, wire_reply_fn on_reply,
	      void *data)
{
	struct wire_post *post;
	int r;

	if (w->lost)
		return wire_error_lost(w);
	post = post_new(message, on_reply, data);
	if (!post)
		return error_set(ENOMEM, "Out of memory");
	if (w->in_flight >= w->max_in_flight) {
		list_append(&w->backlog, &post->call.link);
		return 0;
	}
	r = send_message(w, &post->call, &post->message, NULL, 0);
	if (r < 0)
		free(post);
	return r;
}

int wire_post_acquire(struct wire *w, const struct proto_message *message, int fd,
		      wire_reply_fn on_reply, void *data, uint32_t *ret_serial)
{
	struct wire_post *post;
	int r;

	if (w->lost)
		return wire_error_lost(w);
	if (w->in_flight >= room(w, PROTO_ACQUIRE))
		return error_set(EAGAIN, "Too many requests wait already");
	post = post_new(message, on_reply, data);
	if (!post)
		return error_set(ENOMEM, "Out of memory");
	/* it is on its way when this returns, and the name needed no more */
	r = send_message(w, &post->call, &post->message, &fd, message->acquire.object ? 0 : 1);
	if (r < 0) {
		free(post);
		return r;
	}
	*ret_serial = post->call.serial;
	return 0;
}

static void send_backlog(struct wire *w)
{
	while (!w->lost && !list_empty(&w->backlog) && w->in_flight < w->max_in_flight) {
		struct wire_post *post =
			list_entry(list_first(&w->backlog), struct wire_post, call.link);

		list_unlink(&post->call.link);
		if (send_message(w, &post->call, &post->message, NULL, 0) < 0)
			end_post(&post->call, NULL);
	}
}

/* ---- in ---------------------------------------------------------------------------------- */

static struct wire_call *find_call(struct wire *w, uint32_t serial)
{
	list_for_each(l, &w->calls) {
		struct wire_call *call = list_entry(l, struct wire_call, link);

		if (call->serial == serial && !call->done)
			return call;
	}
	return NULL;
}

static void take_reply(struct wire *w, struct wire_frame *frame, enum proto_direction direction)
{
	struct wire_call *call = find_call(w, frame->message.serial);

	if (!call) {
		wire_frame_free(frame);
		wire_hang_up(w, EBADMSG);
		return;
	}
	if (direction == PROTO_REPLY) {
		w->in_flight--;
		call->done = true;
		if (call->posted) {
			end_post(call, &frame->message);
			wire_frame_free(frame);
			send_backlog(w);
			return;
		}
		if (call->on_reply)
			call->on_reply(&frame->message, call->data);
	}
	list_append(&call->frames, &frame->link);
	wire_wake(w);
	if (direction == PROTO_REPLY)
		send_backlog(w);
}

/* One message, which came with @fds if it is the last of its frame. 0, or -ECONNRESET. */
static int take_message(struct wire *w, const unsigned char *bytes, size_t size, bool last,
			struct fdlist *fds)
{
	_cleanup_(wire_frame_freep) struct wire_frame *frame = malloc(sizeof(*frame) + size);
	const struct proto_description *description;
	struct proto_fault fault;

	if (!frame) {
		wire_hang_up(w, ENOMEM);
		return -ECONNRESET;
	}
	list_init(&frame->link);
	fdlist_init(&frame->fds);
	memcpy(frame->bytes, bytes, size);
	/* FDS_LOST is not told apart: a frame without its descriptors is malformed. */
	if (proto_decode(frame->bytes, size, last ? fds->n : 0, PROTO_REPLY, &frame->message,
			 &fault) ||
	    frame->message.more == last) {
		wire_hang_up(w, EBADMSG);
		return -ECONNRESET;
	}
	if (last) {
		frame->fds = *fds;
		fdlist_init(fds);
	}
	description = proto_describe(frame->message.type);
	if (description->direction == PROTO_EVENT)
		w->handlers.on_event(take_ptr(frame), w->handlers.data);
	else
		take_reply(w, take_ptr(frame), description->direction);
	return w->lost ? -ECONNRESET : 0;
}

static int take_frame(struct wire *w, const unsigned char *frame, size_t size, struct fdlist *fds)
{
	int r = 0;

	if (size == 0 || size > PROTO_FRAME_MAX) {
		wire_hang_up(w, size ? EBADMSG : ECONNRESET);
		return -ECONNRESET;
	}
	for (size_t n; r == 0 && size > 0; frame += n, size -= n) {
		n = proto_first(frame, size);
		r = take_message(w, frame, n, n == size, fds);
	}
	return r;
}

int wire_pump(struct wire *w)
{
	/* on the stack: many connections of a process are served out of one place */
	unsigned char frames[WIRE_AT_ONCE][PROTO_FRAME_MAX];
	size_t sizes[WIRE_AT_ONCE], n = WIRE_AT_ONCE;
	struct fdlist fds[WIRE_AT_ONCE];
	int r = w->lost ? -ECONNRESET : 0;

	while (r == 0 && n == WIRE_AT_ONCE) {
		r = proto_frame_recv_many(w->socket, frames, sizes, fds, WIRE_AT_ONCE, &n);
		if (r < 0 && r != -EAGAIN) {
			wire_hang_up(w, -r);
			r = -ECONNRESET;
		}
		for (size_t i = 0; i < n; i++) {
			if (r == 0)
				r = take_frame(w, frames[i], sizes[i], &fds[i]);
			fdlist_clear(&fds[i]);
		}
	}
	return r == -EAGAIN ? 0 : r;
}

void wire_wait(struct wire *w)
{
	struct pollfd polled[] = {
		{ .fd = w->socket, .events = POLLIN },
		{ .fd = w->nudge, .events = POLLIN },
	};
	uint64_t count;

	if (w->lost || w->served || w->reading) {
		pthread_cond_wait(&w->changed, &w->lock);
		return;
	}
	w->reading = true;
	wire_unlock(w);
	poll(polled, 2, -1);
	wire_lock(w);
	w->reading = false;
	if (polled[1].revents && read(w->nudge, &count, sizeof(count)) < 0)
		count = 0;
	wire_pump(w);
	/* Whoever waits on may be the next to read. */
	pthread_cond_broadcast(&w->changed);
}

int wire_next(struct wire *w, struct wire_call *call, struct wire_frame **ret)
{
	struct wire_frame *frame;

	while (list_empty(&call->frames)) {
		if (w->lost)
			return wire_error_lost(w);
		wire_wait(w);
	}
	frame = list_entry(list_first(&call->frames), struct wire_frame, link);
	list_unlink(&frame->link);
	*ret = frame;
	return 0;
}

void wire_end(struct wire *w, struct wire_call *call)
{
	(void)w;
	list_unlink(&call->link);
	drop_frames(&call->frames);
}

int wire_call(struct wire *w, struct proto_message *request, const int *fds, size_t n_fds,
	      wire_reply_fn on_reply, void *data, enum proto_type type,
	      struct wire_frame **ret_reply)
{
	_cleanup_(wire_frame_freep) struct wire_frame *reply = NULL;
	struct wire_call call;
	int r;

	r = wire_begin(w, &call, request, fds, n_fds, on_reply, data);
	if (r < 0)
		return r;
	r = wire_next(w, &call, &reply);
	wire_end(w, &call);
	if (r < 0)
		return r;
	if (reply->message.type == PROTO_REFUSED)
		return error_refused(&reply->message.refused);
	if (reply->message.type != type) {
		wire_hang_up(w, EBADMSG);
		return wire_error_lost(w);
	}
	if (ret_reply)
		*ret_reply = take_ptr(reply);
	return 0;
}
