/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the codec's tests share: the frame at hand, and the claim that it is refused. */

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"
#include "tests/unit/proto/sample.h"

extern struct sample sample;
extern uint8_t frame[PROTO_FRAME_MAX + 64];

#define for_each_message(d)                                                                        \
	for (unsigned int type_ = 0; type_ < proto_table_types(); type_++)                         \
		for (const struct proto_description *d = proto_describe(type_); d; d = NULL)

/* Fills the frame with a valid message; its size. */
size_t make(const struct proto_description *d, struct proto_message *ret);

/* The frame is refused with @code and a text that holds @words, and nothing is changed. */
void refused(size_t size, size_t n_fds, enum proto_direction direction, bool header,
	     enum proto_error code, const char *words, ...) __attribute__((format(printf, 6, 7)));

int run_case(const char *name, void (*add_tests)(TCase *tc)); /* an exit code */
