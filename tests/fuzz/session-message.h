/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Requests, made by the protocol's table from the bytes of an input. */

#include "tests/fuzz/session-client.h"

/* The bytes of an input; zeros when they have come to an end. */
struct reader {
	const uint8_t *at, *end;
};

uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint64_t read_u64(struct reader *r);

#define MESSAGE_FDS 4

struct parcel {
	uint8_t frame[PROTO_FRAME_MAX];
	size_t size;
	int fds[MESSAGE_FDS];
	size_t n_fds;
};

/* Reads a message as session-ops.h describes it. Its serial is the connection's next one. */
void parcel_read(struct reader *r, struct client_end *end, struct parcel *ret);

/* What no frame may say, because harm would come to this process and not to the supervisor. */
void parcel_tame(uint8_t *frame, size_t size);

void parcel_read_fds(struct reader *r, struct client_end *end, struct parcel *parcel);
void parcel_close_fds(struct parcel *parcel);

/* Of a known type, with nothing but what is usual. */
void parcel_usual(struct client_end *end, unsigned int type, unsigned int argument,
		   struct parcel *ret);
void parcel_map(struct client_end *end, uint64_t seal, uint64_t address, uint64_t length,
		 struct parcel *ret);
void parcel_part(struct client_end *end, const struct grant *grant, unsigned int from,
		  unsigned int pages, struct parcel *ret);
