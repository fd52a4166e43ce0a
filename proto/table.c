/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The protocol's table at run time.
 *
 * messages.def is included several times, each time with other macros, and leaves constant arrays
 * behind: the values of every enumeration and the bits of every set of flags, at the index that is
 * their number; the fields and descriptor slots of every message, ended by an entry without a name;
 * and the messages themselves, at the index that is their number. Numbers are small, so the holes
 * cost little and every lookup is one comparison and one load. Nothing is built at start-up and
 * nothing is ever written.
 *
 * What can be wrong with the table itself is refused by the compiler: two messages, values or bits
 * of one number (an element initialised twice), a message that could outgrow a frame, more
 * descriptor slots than a frame may carry, a message newer than the protocol.
 */

#include "proto/table.h"

#include <errno.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- what the compiler checks ---- */

#define WIRE_U8 1
#define WIRE_U16 2
#define WIRE_U32 4
#define WIRE_U64 8
#define WIRE_I32 4
#define WIRE_STR (2 + PROTO_STR_MAX + 1)

#define MSG(U, l, number, since, direction, summary)                                               \
	_Static_assert((since) <= PROTO_VERSION, #U " is newer than the protocol");                \
	_Static_assert(PROTO_HEADER
#define FIELD(U, type, name, doc) +WIRE_##type
#define BITS(U, type, name, flags, doc) +WIRE_##type
#define CODE(U, type, name, enumeration, doc) +WIRE_##type
#define END(U) <= PROTO_FRAME_MAX, #U " may outgrow a frame");
#include "proto/messages.def"

#define MSG(U, l, number, since, direction, summary) _Static_assert(0
#define FD(U, presence, name, doc) +1
#define END(U) <= PROTO_FDS_MAX, #U " has too many descriptors");
#include "proto/messages.def"

/* ---- enumerations, errors and flags ---- */

#define ENUM(NAME, summary) static const struct proto_value values_##NAME[] = {
#define VALUE(NAME, IDENT, number, text, doc) [number] = { #IDENT, text, doc, 0 },
#define ENUM_END(NAME) };
#include "proto/messages.def"

static const struct proto_value values_ERROR[] = {
#define ERROR(IDENT, number, errno_, since, doc) [number] = { #IDENT, #IDENT, doc, errno_ },
#include "proto/messages.def"
};

#define ENUM(NAME, summary)                                                                        \
	static const struct proto_enumeration enumeration_##NAME = {                               \
		#NAME, summary, values_##NAME, ARRAY_SIZE(values_##NAME)                           \
	};
#define VALUE(NAME, IDENT, number, text, doc)
#define ENUM_END(NAME)
#include "proto/messages.def"

static const struct proto_enumeration enumeration_ERROR = {
	"ERROR", "why a request was refused", values_ERROR, ARRAY_SIZE(values_ERROR)
};

static const struct proto_enumeration *const enumerations[_PROTO_TEXT_N] = {
#define ENUM(NAME, summary) [PROTO_TEXT_##NAME] = &enumeration_##NAME,
#define VALUE(NAME, IDENT, number, text, doc)
#define ENUM_END(NAME)
#include "proto/messages.def"
};

#define FLAGS(NAME, summary) static const struct proto_bit bits_##NAME[] = {
#define BIT(NAME, IDENT, bit, doc) [bit] = { #IDENT, doc },
#define FLAGS_END(NAME) };
#include "proto/messages.def"

#define FLAGS(NAME, summary)                                                                       \
	static const struct proto_flags flags_##NAME = {                                           \
		#NAME, summary, PROTO_##NAME##_ALL, bits_##NAME, ARRAY_SIZE(bits_##NAME)           \
	};
#define BIT(NAME, IDENT, bit, doc)
#define FLAGS_END(NAME)
#include "proto/messages.def"

static const struct proto_flags *const all_flags[] = {
#define FLAGS(NAME, summary) &flags_##NAME,
#define BIT(NAME, IDENT, bit, doc)
#define FLAGS_END(NAME)
#include "proto/messages.def"
};

/* ---- messages ---- */

/* FIELD knows its message in capitals only: a name of that form, to take offsets in. */
#define MSG(U, l, number, since, direction, summary) typedef struct proto_##l struct_##U;
#include "proto/messages.def"

#define MSG(U, l, number, since, direction, summary)                                               \
	static const struct proto_field fields_##U[] = {
#define FIELD(U, type, name, doc)                                                                  \
	{ #name, doc, PROTO_##type, offsetof(struct_##U, name), NULL, NULL },
#define BITS(U, type, name, flags, doc)                                                            \
	{ #name, doc, PROTO_##type, offsetof(struct_##U, name), &flags_##flags, NULL },
#define CODE(U, type, name, enumeration, doc)                                                      \
	{ #name, doc, PROTO_##type, offsetof(struct_##U, name), NULL, &enumeration_##enumeration },
#define END(U)                                                                                     \
	{ NULL, NULL, PROTO_U8, 0, NULL, NULL }                                                    \
	};
#include "proto/messages.def"

#define IS_REQUIRED true
#define IS_OPTIONAL false
#define MSG(U, l, number, since, direction, summary) static const struct proto_slot slots_##U[] = {
#define FD(U, presence, name, doc) { #name, doc, IS_##presence },
#define END(U)                                                                                     \
	{ NULL, NULL, false }                                                                      \
	};
#include "proto/messages.def"

#define MSG(U, l, number, since, direction, summary) enum { REQUIRED_##U = 0
#define FD(U, presence, name, doc) +(IS_##presence ? 1 : 0)
#define END(U) };
#include "proto/messages.def"

#define MSG(U, l, number, since, direction, summary)                                               \
	[number] = { #U,         summary,   number,       since,                                   \
		     PROTO_##direction, fields_##U, slots_##U, REQUIRED_##U,                       \
		     ARRAY_SIZE(slots_##U) - 1 - REQUIRED_##U },
static const struct proto_description messages[] = {
#include "proto/messages.def"
};

unsigned int proto_table_types(void)
{
	return ARRAY_SIZE(messages);
}

const struct proto_description *proto_describe(unsigned int type)
{
	if (type >= ARRAY_SIZE(messages) || !messages[type].name)
		return NULL;
	return &messages[type];
}

const struct proto_enumeration *proto_enumeration(enum proto_text enumeration)
{
	return (unsigned int)enumeration < _PROTO_TEXT_N ? enumerations[enumeration] : NULL;
}

const struct proto_enumeration *proto_error_enumeration(void)
{
	return &enumeration_ERROR;
}

const struct proto_value *proto_value(const struct proto_enumeration *enumeration, uint64_t value)
{
	if (value >= enumeration->n_values || !enumeration->values[value].ident)
		return NULL;
	return &enumeration->values[value];
}

const struct proto_flags *proto_flags_at(size_t index)
{
	return index < ARRAY_SIZE(all_flags) ? all_flags[index] : NULL;
}

size_t proto_ident_text(const char *ident, char *text, size_t size)
{
	size_t n = 0;

	for (; ident[n] && n + 1 < size; n++)
		if (ident[n] == '_')
			text[n] = '-';
		else if (ident[n] >= 'A' && ident[n] <= 'Z') /* whatever the locale says of I */
			text[n] = (char)(ident[n] - 'A' + 'a');
		else
			text[n] = ident[n];
	if (size)
		text[n] = '\0';
	return n;
}

/* ---- fields of a message in memory ---- */

/* Every member of the union begins where the union does. */
#define BODY offsetof(struct proto_message, hello)

static const void *field_at(const struct proto_message *message, const struct proto_field *field)
{
	return (const char *)message + BODY + field->offset;
}

uint64_t proto_field_get(const struct proto_message *message, const struct proto_field *field)
{
	const void *at = field_at(message, field);

	switch (field->base) {
	case PROTO_U8:
		return *(const uint8_t *)at;
	case PROTO_U16:
		return *(const uint16_t *)at;
	case PROTO_U32:
		return *(const uint32_t *)at;
	case PROTO_U64:
		return *(const uint64_t *)at;
	case PROTO_I32:
		return (uint32_t)(*(const int32_t *)at);
	case PROTO_STR:
		break;
	}
	return 0;
}

void proto_field_set(struct proto_message *message, const struct proto_field *field, uint64_t value)
{
	void *at = (char *)message + BODY + field->offset;

	switch (field->base) {
	case PROTO_U8:
		*(uint8_t *)at = (uint8_t)value;
		break;
	case PROTO_U16:
		*(uint16_t *)at = (uint16_t)value;
		break;
	case PROTO_U32:
		*(uint32_t *)at = (uint32_t)value;
		break;
	case PROTO_U64:
		*(uint64_t *)at = value;
		break;
	case PROTO_I32:
		*(int32_t *)at = (int32_t)(uint32_t)value;
		break;
	case PROTO_STR:
		break;
	}
}

const char *proto_field_get_str(const struct proto_message *message,
				const struct proto_field *field)
{
	const char *const *at = field_at(message, field);

	return *at ? *at : "";
}

void proto_field_set_str(struct proto_message *message, const struct proto_field *field,
			 const char *value)
{
	*(const char **)(void *)((char *)message + BODY + field->offset) = value;
}

size_t proto_base_size(enum proto_base base)
{
	static const size_t sizes[] = {
		[PROTO_U8] = 1,	 [PROTO_U16] = 2, [PROTO_U32] = 4,
		[PROTO_U64] = 8, [PROTO_I32] = 4, [PROTO_STR] = 0,
	};

	return sizes[base];
}

/* ---- the names that proto.h promises ---- */

const char *proto_type_name(unsigned int type)
{
	const struct proto_description *d = proto_describe(type);

	return d ? d->name : NULL;
}

int proto_type_fds(unsigned int type, size_t *ret_required, size_t *ret_optional)
{
	const struct proto_description *d = proto_describe(type);

	if (!d)
		return -EINVAL;
	*ret_required = d->n_required;
	*ret_optional = d->n_optional;
	return 0;
}

const char *proto_error_name(unsigned int code)
{
	const struct proto_value *v = proto_value(&enumeration_ERROR, code);

	return v ? v->ident : NULL;
}

int proto_error_errno(unsigned int code)
{
	const struct proto_value *v = proto_value(&enumeration_ERROR, code);

	return v ? v->error : EPROTO;
}

const char *proto_error_doc(unsigned int code)
{
	const struct proto_value *v = proto_value(&enumeration_ERROR, code);

	return v ? v->doc : NULL;
}

const char *proto_text(enum proto_text enumeration, unsigned int value)
{
	const struct proto_enumeration *e = proto_enumeration(enumeration);
	const struct proto_value *v = e ? proto_value(e, value) : NULL;

	return v ? v->text : NULL;
}
