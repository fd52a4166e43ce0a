/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Requests, their replies, and what comes unasked; see wire.c. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/fdlist.h"
#include "proto/frame.h"
#include "proto/proto.h"
#include "util/cleanup.h"
#include "util/list.h"

/* Frames read by one system call. With room for two, one that comes alone is known to be the last. */
#define WIRE_AT_ONCE 2

/* A message that was read; the strings of the message point into it. */
struct wire_frame {
	struct list link;
	struct fdlist fds;
	struct proto_message message;
	unsigned char bytes[];
};

struct wire_frame *wire_frame_free(struct wire_frame *frame);
DEFINE_CLEANUP(struct wire_frame *, wire_frame_free)

/* Sees the reply under the lock, before any later frame is looked at; NULL: there will be none. */
typedef void (*wire_reply_fn)(const struct proto_message *reply, void *data);

struct wire_call {
	struct list link;
	uint32_t serial;
	bool done;   /* its reply came */
	bool posted; /* nobody waits: it belongs to the wire */
	struct list frames;
	wire_reply_fn on_reply;
	void *data;
};

struct wire_handlers {
	/* Under the lock; neither may block. The frame is left to the handler. */
	void (*on_event)(struct wire_frame *frame, void *data);
	void (*on_lost)(void *data);
	void *data;
};

struct wire {
	pthread_mutex_t lock; /* of the whole connection */
	pthread_cond_t changed;
	int socket;
	int nudge; /* eventfd: ends the poll(2) of a reading caller */
	uint32_t serial;
	uint32_t in_flight, max_in_flight;
	struct list calls;
	struct list backlog; /* posts that found no room */
	bool reading;	     /* a caller is in poll(2) */
	bool served;	     /* the agent waits for the socket: callers need not */
	bool lost;
	int reason; /* why, positive errno */
	struct wire_handlers handlers;
};

/* Owns @socket from a success on. */
int wire_init(struct wire *w, int socket, const struct wire_handlers *handlers);

/* @forked: in a child of the owner, where waiters exist no more. */
void wire_deinit(struct wire *w, bool forked);

static inline void wire_lock(struct wire *w)
{
	pthread_mutex_lock(&w->lock);
}

static inline void wire_unlock(struct wire *w)
{
	pthread_mutex_unlock(&w->lock);
}

/*
 * The rest is called under the lock. Those that wait drop it meanwhile. Failures are in
 * mapseal_last_error().
 */

/* Sends, and waits for the reply, which must be of @type. *ret_reply may be NULL. */
int wire_call(struct wire *w, struct proto_message *request, const int *fds, size_t n_fds,
	      wire_reply_fn on_reply, void *data, enum proto_type type,
	      struct wire_frame **ret_reply);

/* The same in steps, for replies of many parts: the last frame is the one that makes call->done. */
int wire_begin(struct wire *w, struct wire_call *call, struct proto_message *request,
	       const int *fds, size_t n_fds, wire_reply_fn on_reply, void *data);
int wire_next(struct wire *w, struct wire_call *call, struct wire_frame **ret);
void wire_end(struct wire *w, struct wire_call *call);

/* Sends and goes on; @on_reply may be NULL. The message has neither strings nor descriptors. */
int wire_post(struct wire *w, const struct proto_message *message, wire_reply_fn on_reply,
	      void *data);

/* The same for an ACQUIRE, which may wait long: with its name, or with @fd if there is none. -EAGAIN: too
 * many wait already. */
int wire_post_acquire(struct wire *w, const struct proto_message *message, int fd,
		      wire_reply_fn on_reply, void *data, uint32_t *ret_serial);

/* Takes in what is there. -ECONNRESET once the supervisor is gone. Never blocks. */
int wire_pump(struct wire *w);

/* Waits until something may have changed. */
void wire_wait(struct wire *w);

/* Wakes everybody in wire_wait(). */
void wire_wake(struct wire *w);

/* Ends the connection: whoever waits gets -ECONNRESET. */
void wire_hang_up(struct wire *w, int reason);

int wire_error_lost(const struct wire *w);
