/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Messages that share a frame: parts of an answer, and the message that ends it. */

#include <stdbool.h>
#include <stddef.h>

#include "proto/proto.h"

struct parts {
	size_t size, last; /* last: where the last message begins */
	char frame[PROTO_FRAME_MAX];
};

/* @message is encoded already, and a PART. */
void parts_begin(struct parts *parts, const char *message, size_t size);

/* False: there is no room for it. What came last before is a PART. */
bool parts_add(struct parts *parts, const char *message, size_t size);
