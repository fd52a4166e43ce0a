/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The codec: one walk over a message's description in either direction.
 *
 * It is pure: no socket, no allocation, no clock, nothing kept from call to call. It never reads a
 * byte outside the frame it was given and never writes the caller's message unless the whole frame
 * was right. A message has one encoding and no other: what decodes, encodes to the same bytes.
 *
 * A fault is either one of form (MALFORMED: what follows in the frame, or on the connection, cannot
 * be trusted) or one of meaning (a number, bit or value that this version does not know; the peer
 * can be told and the session go on). The walk goes on behind a fault of meaning, and a fault of
 * form that is found later wins.
 *
 * The encoder refuses what the decoder at the other end would refuse, so that a mistake shows where
 * it was made instead of ending somebody else's session.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/str.h"
#include "proto/table.h"

static uint64_t get_number(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static void put_number(uint8_t *at, size_t size, uint64_t value)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

__attribute__((format(printf, 3, 4))) static int fault(struct proto_fault *ret,
						       enum proto_error code, const char *format,
						       ...)
{
	va_list ap;

	ret->code = code;
	va_start(ap, format);
	vsnprintf(ret->text, sizeof(ret->text), format, ap);
	va_end(ap);
	return code;
}

static const char *direction_text(enum proto_direction direction)
{
	return direction == PROTO_REQUEST ? "the client" : "the supervisor";
}

/* An event is unasked; everything else belongs to a request, if its number could be read. */
static bool serial_is_right(const struct proto_description *d, uint32_t serial)
{
	if (d->direction == PROTO_EVENT)
		return serial == 0;
	return serial != 0 || d->number == PROTO_REFUSED;
}

/* What the number means: 0, or UNKNOWN_FLAG. */
static int check_meaning(const struct proto_description *d, const struct proto_field *f,
			 uint64_t value, struct proto_fault *ret_fault)
{
	if (f->flags && (value & ~f->flags->mask))
		return fault(ret_fault, PROTO_E_UNKNOWN_FLAG, "%s.%s: unknown bit 0x%" PRIx64,
			     d->name, f->name, value & ~f->flags->mask);
	if (f->enumeration && !proto_value(f->enumeration, value))
		return fault(ret_fault, PROTO_E_UNKNOWN_FLAG, "%s.%s: unknown value %" PRIu64,
			     d->name, f->name, value);
	return 0;
}

/* ---- decoding ---- */

struct reader {
	const struct proto_description *description;
	const uint8_t *at;
	size_t left;
};

static int get_string(struct reader *r, const struct proto_field *f, const char **ret,
		      struct proto_fault *ret_fault)
{
	const char *name = r->description->name, *text;
	enum proto_str_fault wrong;
	size_t n, where = 0;

	if (r->left < 2)
		return fault(ret_fault, PROTO_E_MALFORMED, "%s.%s: truncated, %zu of 2 bytes",
			     name, f->name, r->left);
	n = get_number(r->at, 2);
	if (n > PROTO_STR_MAX)
		return fault(ret_fault, PROTO_E_MALFORMED, "%s.%s: %zu bytes long, at most %d",
			     name, f->name, n, PROTO_STR_MAX);
	if (r->left - 2 < n + 1)
		return fault(ret_fault, PROTO_E_MALFORMED,
			     "%s.%s: truncated, %zu of %zu bytes with the NUL", name, f->name,
			     r->left - 2, n + 1);
	text = (const char *)r->at + 2;
	if (text[n] != '\0')
		return fault(ret_fault, PROTO_E_MALFORMED, "%s.%s: no NUL after its %zu bytes",
			     name, f->name, n);
	wrong = proto_str_check(text, n, &where);
	if (wrong)
		return fault(ret_fault, PROTO_E_MALFORMED, "%s.%s: %s (0x%02x) at byte %zu", name,
			     f->name, proto_str_fault_text(wrong), (unsigned char)text[where],
			     where);

	*ret = text;
	r->at += 2 + n + 1;
	r->left -= 2 + n + 1;
	return 0;
}

static int get_integer(struct reader *r, const struct proto_field *f, uint64_t *ret,
		       struct proto_fault *ret_fault)
{
	size_t size = proto_base_size(f->base);

	if (r->left < size)
		return fault(ret_fault, PROTO_E_MALFORMED, "%s.%s: truncated, %zu of %zu bytes",
			     r->description->name, f->name, r->left, size);
	*ret = get_number(r->at, size);
	r->at += size;
	r->left -= size;
	return 0;
}

static int get_fields(struct reader *r, struct proto_message *message,
		      struct proto_fault *ret_fault)
{
	const struct proto_description *d = r->description;
	const char *text = "";
	uint64_t value = 0;
	int meaning = 0, code;

	for (const struct proto_field *f = d->fields; f->name; f++) {
		if (f->base == PROTO_STR) {
			code = get_string(r, f, &text, ret_fault);
			if (code)
				return code;
			proto_field_set_str(message, f, text);
			continue;
		}
		code = get_integer(r, f, &value, ret_fault);
		if (code)
			return code;
		if (!meaning)
			meaning = check_meaning(d, f, value, ret_fault);
		proto_field_set(message, f, value);
	}
	if (r->left)
		return fault(ret_fault, PROTO_E_MALFORMED, "%s: %zu bytes after the last field",
			     d->name, r->left);
	return meaning;
}

static int check_fds(const struct proto_description *d, size_t n_fds, struct proto_fault *ret_fault)
{
	size_t most = d->n_required + d->n_optional;

	if (n_fds < d->n_required)
		return fault(ret_fault, PROTO_E_MALFORMED,
			     "%s.%s: no descriptor, %zu came with the frame", d->name,
			     d->slots[n_fds].name, n_fds);
	if (n_fds > most)
		return fault(ret_fault, PROTO_E_MALFORMED, "%s: %zu descriptors, at most %zu",
			     d->name, n_fds, most);
	return 0;
}

int proto_decode(const void *frame, size_t size, size_t n_fds, enum proto_direction direction,
		 struct proto_message *ret, struct proto_fault *ret_fault)
{
	const struct proto_description *d;
	struct proto_message message = { 0 };
	const uint8_t *bytes = frame;
	struct reader reader;
	unsigned int more;
	int code;

	if (size < PROTO_HEADER)
		return fault(ret_fault, PROTO_E_MALFORMED,
			     "too short, %zu bytes: the header alone has %d", size, PROTO_HEADER);
	message.type = (uint16_t)get_number(bytes, 2);
	more = (unsigned int)get_number(bytes + 2, 2);
	message.serial = (uint32_t)get_number(bytes + 4, 4);
	ret->type = message.type;
	ret->serial = message.serial;

	if (size > PROTO_FRAME_MAX)
		return fault(ret_fault, PROTO_E_MALFORMED, "too long, %zu bytes: at most %d", size,
			     PROTO_FRAME_MAX);
	d = proto_describe(message.type);
	if (more && (!d || d->direction != PROTO_PART || more != size))
		return fault(ret_fault, PROTO_E_MALFORMED, "header: 0x%04x instead of zero", more);
	message.more = more;
	if (!d)
		return fault(ret_fault, PROTO_E_UNKNOWN_MESSAGE, "no message has the number %u",
			     message.type);
	if ((d->direction == PROTO_REQUEST) != (direction == PROTO_REQUEST))
		return fault(ret_fault, PROTO_E_MALFORMED, "%s: is never sent by %s", d->name,
			     direction_text(direction));
	if (!serial_is_right(d, message.serial))
		return fault(ret_fault, PROTO_E_MALFORMED,
			     d->direction == PROTO_EVENT ? "%s: serial %" PRIu32 ", an event has 0"
							 : "%s: serial %" PRIu32 " is not allowed",
			     d->name, message.serial);
	code = check_fds(d, n_fds, ret_fault);
	if (code)
		return code;

	reader.description = d;
	reader.at = bytes + PROTO_HEADER;
	reader.left = size - PROTO_HEADER;
	code = get_fields(&reader, &message, ret_fault);
	if (code)
		return code;
	*ret = message;
	return 0;
}

/* ---- encoding ---- */

/* Returns the bytes written, or -EINVAL. */
static int put_string(uint8_t *at, const char *text)
{
	size_t n = strnlen(text, PROTO_STR_MAX + 1), where;

	if (n > PROTO_STR_MAX || proto_str_check(text, n, &where))
		return -EINVAL;
	put_number(at, 2, n);
	memcpy(at + 2, text, n);
	at[2 + n] = '\0';
	return (int)(2 + n + 1);
}

int proto_encode(const struct proto_message *message, void *frame)
{
	const struct proto_description *d = proto_describe(message->type);
	struct proto_fault unused;
	uint8_t *at = frame;

	if (!d || !serial_is_right(d, message->serial) ||
	    (message->more && d->direction != PROTO_PART))
		return -EINVAL;
	put_number(at, 2, message->type);
	put_number(at + 2, 2, 0);
	put_number(at + 4, 4, message->serial);
	at += PROTO_HEADER;

	/* The table cannot describe a message that outgrows the frame: no bound is checked here. */
	for (const struct proto_field *f = d->fields; f->name; f++) {
		if (f->base == PROTO_STR) {
			int n = put_string(at, proto_field_get_str(message, f));

			if (n < 0)
				return n;
			at += n;
		} else {
			size_t size = proto_base_size(f->base);
			uint64_t value = proto_field_get(message, f);

			if (check_meaning(d, f, value, &unused))
				return -EINVAL;
			put_number(at, size, value);
			at += size;
		}
	}
	if (message->more)
		proto_set_more(frame, (size_t)(at - (uint8_t *)frame));
	return (int)(at - (uint8_t *)frame);
}

/* ---- frames of several ---- */

size_t proto_first(const void *frame, size_t size)
{
	size_t more = size < PROTO_HEADER ? 0 : get_number((const uint8_t *)frame + 2, 2);

	return more >= PROTO_HEADER && more < size ? more : size;
}

void proto_set_more(void *message, size_t size)
{
	put_number((uint8_t *)message + 2, 2, size);
}
