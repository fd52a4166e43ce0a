/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One connection over a real socket, with an owner that does what the test says. Each test begins
 * with setup() and one client that has said nothing, and ends with teardown(), which holds it to as
 * many open descriptors as before.
 */

#include <check.h>
#include <stdbool.h>

#include "daemon/session/session.h"

extern struct loop *loop;
extern struct quota *quota;
extern struct sessions *sessions;
extern struct session *current; /* the one that the last request came from */
extern unsigned int n_requests, n_closed;
extern uint32_t last_serial;
extern bool answers; /* the owner answers at once */
extern int client;

void setup(void);
void teardown(void);
int rig_run(Suite *suite); /* the status to exit with */

int connect_one(void);
size_t count_open(void);

/* Everything that can happen without anybody doing anything more. */
void settle(void);

void say_with(int socket, struct proto_message *message, uint32_t serial, const int *fds,
	      size_t n_fds);
void say(uint16_t type, uint32_t serial);
void hello(void);

/* What the client hears next: 0 if it was hung up on, -EAGAIN if nothing. */
int hear(struct proto_message *ret);
void hear_refused(uint32_t serial, enum proto_error code);
