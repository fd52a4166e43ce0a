/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * messages.def as something to look things up in at run time. Codec, dumper, generator and tests go
 * by these descriptions; none of them knows a message by name.
 */

#include "proto/proto.h"

enum proto_base { PROTO_U8, PROTO_U16, PROTO_U32, PROTO_U64, PROTO_I32, PROTO_STR };

/* A value of an enumeration; an error is one, too: its text is its name. */
struct proto_value {
	const char *ident; /* "NO_MATCHING"; NULL: no such value */
	const char *text;  /* "no-matching" */
	const char *doc;
	int error; /* errors: their errno */
};

struct proto_enumeration {
	const char *name;
	const char *summary;
	const struct proto_value *values; /* by number, with holes */
	size_t n_values;
};

struct proto_bit {
	const char *ident; /* NULL: no such bit */
	const char *doc;
};

struct proto_flags {
	const char *name;
	const char *summary;
	uint64_t mask;
	const struct proto_bit *bits; /* by position, with holes */
	size_t n_bits;
};

/* A plain field has neither flags nor an enumeration. */
struct proto_field {
	const char *name; /* NULL ends a list of fields */
	const char *doc;
	enum proto_base base;
	size_t offset; /* in the message's struct */
	const struct proto_flags *flags;
	const struct proto_enumeration *enumeration;
};

struct proto_slot {
	const char *name; /* NULL ends a list of slots */
	const char *doc;
	bool required;
};

struct proto_description {
	const char *name;
	const char *summary;
	unsigned int number;
	unsigned int since;
	enum proto_direction direction;
	const struct proto_field *fields;
	const struct proto_slot *slots;
	size_t n_required; /* descriptors; the optional ones come after them */
	size_t n_optional;
};

/* One more than the highest message number, to go through all of them. */
unsigned int proto_table_types(void);

/* The errors, as the enumeration that REFUSED.code is of. */
const struct proto_enumeration *proto_error_enumeration(void);

/* All of these are O(1); NULL if there is no such number. */
const struct proto_description *proto_describe(unsigned int type);
const struct proto_enumeration *proto_enumeration(enum proto_text enumeration);
const struct proto_value *proto_value(const struct proto_enumeration *enumeration, uint64_t value);

/* The set of flags at @index, in the order of messages.def; NULL past the last. */
const struct proto_flags *proto_flags_at(size_t index);

/* "NO_WAIT" as it is shown to people: "no-wait". Returns the length, at most @size - 1. */
size_t proto_ident_text(const char *ident, char *text, size_t size);

/* A field in @message. An I32 comes as its 32 bits; a NULL string reads as "". */
uint64_t proto_field_get(const struct proto_message *message, const struct proto_field *field);
void proto_field_set(struct proto_message *message, const struct proto_field *field,
		     uint64_t value);
const char *proto_field_get_str(const struct proto_message *message,
				const struct proto_field *field);
void proto_field_set_str(struct proto_message *message, const struct proto_field *field,
			 const char *value);

/* Bytes of a number on the wire; 0 for STR, which has no fixed size. */
size_t proto_base_size(enum proto_base base);
