/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The socket that clients connect to. */

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/loop/loop.h"
#include "util/cleanup.h"

struct listener;

struct listener_ops {
	/* Takes @fd over. */
	void (*accepted)(int fd, void *data);
	void *data;
};

/*
 * Makes the socket at @path with @mode and @group ((gid_t)-1: as it comes); the directory it is in is made too, if only that is missing.
 * A socket that nobody listens on is replaced, and one whose listener is dead. -EADDRINUSE:
 * somebody does, or it is no socket.
 */
int listener_new(struct loop *loop, const char *path, mode_t mode, gid_t group,
		 const struct listener_ops *ops, struct listener **ret);

/* A socket that listens already: the service manager's. -EINVAL: it is none of ours. */
int listener_adopt(struct loop *loop, int fd, const struct listener_ops *ops,
		   struct listener **ret);

/* Accepts nothing more. The struct is freed by listener_free(), when no operation is under way. */
void listener_stop(struct listener *listener);
bool listener_is_idle(const struct listener *listener);
struct listener *listener_free(struct listener *listener);
DEFINE_CLEANUP(struct listener *, listener_free)
