/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A connection, and what hangs on it. Everything here is under wire.lock, but for what never
 * changes after mapseal_connect(). No lock is held while the application's code runs, nor while
 * memory that the supervisor serves is mapped or unmapped: it may need this process to go on.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/space.h"
#include "client/wire.h"
#include "mapseal.h"
#include "util/list.h"

#define CONNECTION_BUCKETS 64

/* How events and time reach whoever runs the callbacks; see agent.c. */
struct agent {
	int epoll; /* the socket, and these two */
	int kick;  /* eventfd: there is work that no frame announces */
	int timer; /* timerfd: the earliest DELAYED handler */
	uint64_t timer_at; /* what it is set to, agent_next(); 0: it is not */
	bool threaded, stop;
	pthread_t thread;
	bool running;	   /* somebody is in agent_run() */
	pthread_t runner;  /* who */
	const void *showing; /* seal or break that a callback is called with */
	bool reading;	   /* what is read now is followed by agent_prompt() */
	bool barrier_due;  /* gates were closed since the last gate_barrier() */
	struct list recalls; /* struct piece: recalled, or to be returned */
	struct list events;  /* struct agent_event */
};

struct mapseal {
	struct wire wire;
	struct agent agent;
	struct space space;
	struct list link; /* all connections of the process, for fork */
	pid_t pid;
	struct proto_welcome welcome;
	void (*on_event)(struct mapseal *m, const struct mapseal_event *event, void *data);
	void *data;
	void (*on_change)(const struct mapseal_change *change, void *data);
	void *change_data;
	struct list seals;
	struct list breaks;
	struct list pieces[CONNECTION_BUCKETS]; /* struct piece by id */
};

/* 0, or -ECHILD in a child of the process that connected. */
int connection_check(const struct mapseal *m);

/* Whether the caller is in a callback of this connection. */
bool connection_in_callback(const struct mapseal *m);

/* Copies a struct whose first field is its size, as its writer knew it. -EINVAL. */
int connection_copy(void *to, size_t to_size, const void *from, const char *what);

/* *@ret is @token, or what $MAPSEAL_TOKEN says if that is 0. -EINVAL. */
int connection_token(uint64_t token, uint64_t *ret);

/* Range checks before any I/O: alignment of @offset and overflow. -EINVAL. */
int connection_check_range(uint64_t offset, uint64_t length);
uint64_t connection_page(void);
