/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The other ends: connections, and what was learnt from what came over them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/fdlist.h"
#include "proto/proto.h"
#include "tests/fuzz/session-ops.h"

#define CLIENT_GRANTS 8
#define CLIENT_UFFDS 4

struct grant {
	uint64_t seal, offset, length, memory_offset;
	uint32_t seq;
	bool write;
	int memory;
	uint64_t address; /* 0: not mapped */
	size_t mapped;
};

struct client_end {
	int socket; /* -1: none */
	unsigned int how;
	uint32_t serial;
	struct grant grants[CLIENT_GRANTS];
	size_t n_grants; /* so far; the oldest make room */
	int uffds[CLIENT_UFFDS];
	size_t n_uffds;
	uint64_t break_id, break_token, recall;
};

/* Of all connections. */
struct learnt {
	char memory[64]; /* name of the object that was created last */
	int device;	 /* the userfaultfd device, -1: not lent */
	uint64_t ids[8]; /* seals, breaks, quarantine entries, as they were heard of */
	size_t n_ids;
};

extern struct client_end clients_of_input[SESSION_CONNECTIONS];
extern struct learnt learnt;

/* Nothing is open. */
void ends_begin(void);

/* Closes everything: sockets first; then, when the supervisor is done with them, the rest. */
void ends_hang_up(void);
void ends_close(void);

void end_open(struct client_end *end, unsigned int how);
void end_close(struct client_end *end);

/* Whatever is there to be read. Every frame must be right, and answer something that was asked. */
void end_read(struct client_end *end);

/* A frame with @n descriptors, which stay the caller's. False: it could not be sent. */
bool end_send(struct client_end *end, const void *frame, size_t size, const int *fds, size_t n);

struct grant *end_grant(struct client_end *end, unsigned int which); /* NULL: none */

/* Keeps the client's copy of a userfaultfd. */
void end_keep_uffd(struct client_end *end, int fd);
