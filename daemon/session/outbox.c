/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The sending side of a connection.
 *
 * A frame goes straight to the socket. What does not fit there is queued, and sent by the loop one
 * at a time, in order; nothing overtakes. A queued descriptor is the outbox's: closed when sent, and
 * when it can't be. Of descriptors there are fewer than of bytes, so each counts for many.
 *
 * How long the queue may get is for the session to say. It counts here in two sorts: what is owed to
 * the client (answers, events), and bulk, the parts of an answer that it asked for.
 */

#include "daemon/session/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define FD_WEIGHT 16384 /* bytes that a queued descriptor counts for */

struct outgoing {
	struct list link;
	int fd;
	bool bulk;
	size_t size;
	char frame[];
};

static size_t *counter(struct outbox *box, const struct outgoing *o)
{
	return o->bulk ? &box->n_bulk : &box->n_owed;
}

static size_t weight(const struct outgoing *o)
{
	return sizeof(*o) + o->size + (o->fd >= 0 ? FD_WEIGHT : 0);
}

static void outgoing_free(struct outbox *box, struct outgoing *o)
{
	*counter(box, o) -= weight(o);
	list_unlink(&o->link);
	fd_close(o->fd);
	free(o);
}

static int transmit(struct outbox *box)
{
	struct outgoing *o;

	if (box->op.busy || list_empty(&box->queue))
		return 0;
	o = list_entry(list_first(&box->queue), struct outgoing, link);
	box->iov = (struct iovec){ .iov_base = o->frame, .iov_len = o->size };
	box->message = (struct msghdr){ .msg_iov = &box->iov, .msg_iovlen = 1 };
	proto_frame_fill_control(&box->message, box->control, &o->fd, o->fd >= 0);
	return loop_sendmsg(box->loop, &box->op, box->fd, &box->message, MSG_NOSIGNAL);
}

static void transmitted(struct loop_op *op, int result)
{
	struct outbox *box = op->data;
	int r = result == -EINTR || result >= 0 ? 0 : result;

	if (box->stopped)
		return;
	if (result >= 0)
		outgoing_free(box, list_entry(list_first(&box->queue), struct outgoing, link));
	if (r == 0)
		r = transmit(box);
	box->moved(box, r);
}

static int enqueue(struct outbox *box, const char *frame, size_t size, int fd, bool bulk)
{
	struct outgoing *o = malloc(sizeof(*o) + size);

	if (!o) {
		fd_close(fd);
		return -ENOMEM;
	}
	o->fd = fd;
	o->bulk = bulk;
	o->size = size;
	memcpy(o->frame, frame, size);
	*counter(box, o) += weight(o);
	list_append(&box->queue, &o->link);
	return transmit(box);
}

int outbox_send(struct outbox *box, const char *frame, size_t size, int fd, bool bulk)
{
	int r;

	if (list_empty(&box->queue)) {
		r = proto_frame_send(box->fd, frame, size, &fd, fd >= 0, MSG_DONTWAIT);
		if (r != -EAGAIN) {
			fd_close(fd);
			return r;
		}
	}
	return enqueue(box, frame, size, fd, bulk);
}

void outbox_init(struct outbox *box, struct loop *loop, int fd,
		 void (*moved)(struct outbox *box, int result), void *data)
{
	*box = (struct outbox){ .loop = loop, .fd = fd, .moved = moved, .data = data };
	box->op = (struct loop_op){ .fn = transmitted, .data = box };
	list_init(&box->queue);
}

void outbox_deinit(struct outbox *box)
{
	list_for_each (l, &box->queue)
		outgoing_free(box, list_entry(l, struct outgoing, link));
}

void outbox_stop(struct outbox *box)
{
	box->stopped = true;
	loop_op_cancel(&box->op);
}

bool outbox_is_idle(const struct outbox *box)
{
	return !box->op.busy;
}
