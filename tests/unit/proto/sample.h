/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Valid messages made up from the table, for tests that must not know any message by name. The same
 * seed gives the same messages.
 */

#include <stdint.h>

#include "proto/table.h"

#define SAMPLE_STRINGS 8

struct sample {
	uint64_t state;
	char strings[SAMPLE_STRINGS][PROTO_STR_MAX + 1]; /* of the last message */
};

void sample_init(struct sample *sample, uint64_t seed);
uint64_t sample_number(struct sample *sample);

/* Any legal STR of @n bytes, between one-byte and four-byte characters. */
void sample_text(struct sample *sample, char *text, size_t n);

/* Any valid message of the type. Its strings live until the next one. */
void sample_message(struct sample *sample, const struct proto_description *description,
		    struct proto_message *ret);

/* Where the field begins in a valid @frame of the message. */
size_t sample_offset(const struct proto_description *description, const void *frame,
		     const struct proto_field *field);
