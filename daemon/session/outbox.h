/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is on its way to one client: frames in order, each with at most one descriptor. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "daemon/loop/loop.h"
#include "proto/frame.h"
#include "util/list.h"

struct outbox {
	struct loop *loop;
	int fd; /* the socket, the caller's */
	/* A frame has left the queue (0), or none ever will (-errno). Not called once it is stopped. */
	void (*moved)(struct outbox *box, int result);
	void *data;
	size_t n_owed, n_bulk; /* what the queued frames count for, owed to the client or its own doing */

	/* the outbox's own */
	bool stopped;
	struct list queue;
	struct loop_op op;
	struct msghdr message;
	struct iovec iov;
	char control[PROTO_CONTROL_SEND] PROTO_CONTROL_ALIGNED;
};

void outbox_init(struct outbox *box, struct loop *loop, int fd,
		 void (*moved)(struct outbox *box, int result), void *data);
/* When it is idle. */
void outbox_deinit(struct outbox *box);

/* Takes @fd over, -1 for none, also on failure. -errno: nothing can be sent any more. */
int outbox_send(struct outbox *box, const char *frame, size_t size, int fd, bool bulk);

/* Sends nothing more. */
void outbox_stop(struct outbox *box);
bool outbox_is_idle(const struct outbox *box); /* the kernel has given its buffers back */
