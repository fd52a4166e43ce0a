/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The descriptors that came with one frame, and who owns them: this list, until one is taken.
 *
 * A peer may send up to 253 of them beside any frame, asked for or not. The list keeps as many as a
 * message can have use for and closes the others at once, but goes on counting, so that the codec
 * can refuse the frame for the surplus.
 */

#include <stddef.h>

#include "proto/proto.h"
#include "util/cleanup.h"

struct fdlist {
	int fds[PROTO_FDS_MAX]; /* -1: taken, or never there */
	size_t n;		/* how many came, the closed surplus too: proto_decode()'s n_fds */
	/* how they are closed, for who must not wait for it; NULL: by close(2) */
	void (*close)(int fd, void *data);
	void *data;
};

void fdlist_init(struct fdlist *list);

/* Closes what is left. The list is empty afterwards and may be used again. */
void fdlist_clear(struct fdlist *list);

/* The list owns @fd from here on. */
void fdlist_add(struct fdlist *list, int fd);

/* The caller owns it from here on; -1 if there is none at @index. */
int fdlist_take(struct fdlist *list, size_t index);

