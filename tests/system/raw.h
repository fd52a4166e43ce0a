/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A client without the library, for what the library would never do: it speaks the protocol by hand and
 * keeps every descriptor that it gets.
 */

#include "proto/proto.h"

struct raw {
	int socket;
	uint32_t serial;
	int fds[PROTO_FDS_MAX]; /* of the last answer; -1: none */
	struct proto_message answer;
	unsigned char frame[PROTO_FRAME_MAX];
	const unsigned char *next; /* what is left of it */
	size_t left;
};

/* Connects to $MAPSEAL_SOCKET without saying anything. */
void raw_connect(struct raw *raw);

/* ... and says HELLO. */
void raw_hello(struct raw *raw);

/* Sends @message (serial filled in) with @fd if that is not -1; waits for the answer to it, past events
 * and parts. The type of the answer; 0: the supervisor hung up. */
unsigned int raw_call(struct raw *raw, struct proto_message *message, int fd);
void raw_send(struct raw *raw, struct proto_message *message, const int *fds, size_t n_fds);
unsigned int raw_receive(struct raw *raw); /* whatever comes next */

/* Sends what is not answered for now, and waits until the supervisor has taken it in. Its serial. */
uint32_t raw_set_off(struct raw *raw, struct proto_message *message);

/* The call must be refused with this code. */
#define raw_refused(raw, message, fd, expected)                                                    \
	do {                                                                                       \
		expect_eq(raw_call(raw, message, fd), PROTO_REFUSED);                              \
		expect_str(proto_error_name((raw)->answer.refused.code), #expected);               \
		expect((raw)->answer.refused.text[0] != '\0');                                     \
	} while (0)

/* A userfaultfd for user-mode faults, not configured, and an untouched page for the proof. */
int raw_userfaultfd(void);
void *raw_probe_page(void);
void raw_attach(struct raw *raw);

/* A WINDOW on an export; fds[0] is its memory. Then maps it as the library would, returns the address. */
void raw_acquire(struct raw *raw, const char *object, uint64_t offset, uint64_t length, uint8_t mode,
		 uint32_t flags);

/* From connecting to a WINDOW on the first @length bytes, not mapped. */
void raw_hold(struct raw *raw, const char *object, uint64_t length, uint8_t mode);
void *raw_map(struct raw *raw);

/* What returns all of the grant that was the last answer. */
struct proto_message raw_returning(const struct raw *raw);
