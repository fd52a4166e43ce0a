/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The protocol's messages as C, made from messages.def, and the pure codec.
 *
 * A frame is one SOCK_SEQPACKET message of at most PROTO_FRAME_MAX bytes, little-endian, packed:
 *
 *	u16 type   u16 more   u32 serial   fields in the order of the table
 *
 * U8 U16 U32 U64 I32 are what they say; STR is u16 n, then n bytes, then one NUL that n does not
 * count; at most PROTO_STR_MAX, no NUL and no control character inside, UTF-8. Descriptors travel
 * beside the frame in the order of the table's slots.
 *
 * A frame holds one message, and `more` is zero; but a PART may be followed by another message of the
 * supervisor in the same frame, and then `more` is the size of the PART. Descriptors belong to the last.
 *
 * The codec allocates nothing and knows no socket. A decoded STR points into the frame.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_VERSION 1
#define PROTO_FRAME_MAX 8192
#define PROTO_STR_MAX 1024
#define PROTO_HEADER 8
#define PROTO_FDS_MAX 2

/* PROTO_MODE_READ, ... */
#define ENUM(NAME, summary) enum proto_e_##NAME {
#define VALUE(NAME, IDENT, number, text, doc) PROTO_##NAME##_##IDENT = number,
#define ENUM_END(NAME) };
#include "proto/messages.def"

/* PROTO_ACQUIRE_NO_WAIT, ... and PROTO_ACQUIRE_ALL */
#define ENUM(NAME, summary)
#define VALUE(NAME, IDENT, number, text, doc)
#define ENUM_END(NAME)
#define FLAGS(NAME, summary) enum proto_f_##NAME {
#define BIT(NAME, IDENT, bit, doc) PROTO_##NAME##_##IDENT = 1 << (bit),
#define FLAGS_END(NAME) };
#include "proto/messages.def"

#define FLAGS(NAME, summary) enum { PROTO_##NAME##_ALL = 0
#define BIT(NAME, IDENT, bit, doc) | PROTO_##NAME##_##IDENT
#define FLAGS_END(NAME) };
#include "proto/messages.def"

/* PROTO_E_MALFORMED, ... */
enum proto_error {
	PROTO_E_OK = 0,
#define ERROR(IDENT, number, errno_, since, doc) PROTO_E_##IDENT = number,
#include "proto/messages.def"
};

/* PROTO_HELLO, ... */
enum proto_type {
#define MSG(U, l, number, since, direction, summary) PROTO_##U = number,
#include "proto/messages.def"
};

/* struct proto_hello, ... ; a message without fields still has a struct */
#define PROTO_C_U8 uint8_t
#define PROTO_C_U16 uint16_t
#define PROTO_C_U32 uint32_t
#define PROTO_C_U64 uint64_t
#define PROTO_C_I32 int32_t
#define PROTO_C_STR const char *
#define MSG(U, l, number, since, direction, summary) struct proto_##l {
#define FIELD(U, type, name, doc) PROTO_C_##type name;
#define BITS(U, type, name, flags, doc) PROTO_C_##type name;
#define CODE(U, type, name, enumeration, doc) PROTO_C_##type name;
#define END(U) };
#include "proto/messages.def"

struct proto_message {
	uint16_t type;
	bool more; /* another one follows in the frame */
	uint32_t serial;
	union {
#define MSG(U, l, number, since, direction, summary) struct proto_##l l;
#include "proto/messages.def"
	};
};

enum proto_direction { PROTO_REQUEST, PROTO_REPLY, PROTO_PART, PROTO_EVENT };

/*
 * Where a frame was found wrong. MALFORMED outranks UNKNOWN_FLAG: a frame is refused for a bit or a
 * value without meaning only if its form is right to the last byte, so that the session may go on.
 */
struct proto_fault {
	enum proto_error code; /* MALFORMED, UNKNOWN_MESSAGE, UNKNOWN_FLAG */
	char text[160];	       /* "ACQUIRE.flags: unknown bit 0x80", for the peer's log */
};

/*
 * Decodes @frame with @n_fds descriptors beside it, travelling in @direction REQUEST or, for any
 * other value, from supervisor to client. 0, or PROTO_E_* with *ret_fault told and *ret untouched
 * except type and serial, which are set as soon as the header is whole (for the REFUSED reply).
 * Strings in *ret point into @frame. The serial is 0 in an EVENT and in nothing else, except a
 * REFUSED that answers a frame without a header. @size may be more than PROTO_FRAME_MAX, for a
 * frame that was cut off there.
 */
int proto_decode(const void *frame, size_t size, size_t n_fds, enum proto_direction direction,
		 struct proto_message *ret, struct proto_fault *ret_fault);

/* How long the first message in @frame is, to be decoded on its own: @size unless others follow it. */
size_t proto_first(const void *frame, size_t size);

/* Says of the encoded PART @message, of @size bytes, that another message follows it. */
void proto_set_more(void *message, size_t size);

/*
 * Encodes into @frame of PROTO_FRAME_MAX bytes. The size; or -EINVAL for what proto_decode() would
 * refuse (a bug of the caller): a type that does not exist, a wrong serial, a string that is too
 * long or holds what no STR may, an unknown bit or value. A NULL string is the empty one.
 */
int proto_encode(const struct proto_message *message, void *frame);

/* Makes a legal STR of any bytes, in place: replaces what may not be in one by '?', cuts it to
 * PROTO_STR_MAX between two characters. For names that others chose. Returns @text. */
char *proto_str_clean(char *text);

/* "#7 ACQUIRE object="db" mode=read kind=window flags=no-wait|pinnable ..." on one line, truncated
 * to @size. Returns @line. */
const char *proto_dump(const struct proto_message *message, char *line, size_t size);

/* Names from the table; NULL if there is no such number. "ACQUIRE"; "TRY_LATER". */
const char *proto_type_name(unsigned int type);
const char *proto_error_name(unsigned int code);
int proto_error_errno(unsigned int code); /* positive errno; EPROTO if unknown */
const char *proto_error_doc(unsigned int code);
int proto_type_fds(unsigned int type, size_t *ret_required, size_t *ret_optional);

/* Text of a value: proto_text(PROTO_TEXT_RESULT, PROTO_RESULT_REVOKED) == "revoked"; or NULL. */
enum proto_text {
#define ENUM(NAME, summary) PROTO_TEXT_##NAME,
#define VALUE(NAME, IDENT, number, text, doc)
#define ENUM_END(NAME)
#include "proto/messages.def"
	_PROTO_TEXT_N,
};
const char *proto_text(enum proto_text enumeration, unsigned int value);
