/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Refusals: a code for programs and a sentence for people.
 *
 * What finds out that something can't be done is often several calls away from the request, and may not
 * know it. So the reason is a value that is handed up, and whoever gives up sends it; a request
 * is thereby answered once, whatever went wrong on its way.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/supervisor/wiring.h"

const char *error_text(int number)
{
	const char *text = strerrordesc_np(number);

	return text ? text : "unknown error";
}

int refuse(struct refusal *refusal, enum proto_error code, const char *format, ...)
{
	va_list args;

	refusal->code = code;
	refusal->number = 0;
	va_start(args, format);
	vsnprintf(refusal->text, sizeof(refusal->text), format, args);
	va_end(args);
	return (int)code;
}

int refuse_errno(struct refusal *refusal, enum proto_error code, int error, const char *format, ...)
{
	va_list args;
	size_t n;

	refusal->code = code;
	refusal->number = error < 0 ? -error : error;
	va_start(args, format);
	vsnprintf(refusal->text, sizeof(refusal->text), format, args);
	va_end(args);
	n = strlen(refusal->text);
	snprintf(refusal->text + n, sizeof(refusal->text) - n, ": %s",
		 error_text(refusal->number));
	return (int)code;
}

int refuse_core(struct refusal *refusal, int error)
{
	static const struct {
		int core;
		enum proto_error code;
		const char *text;
	} table[] = {
		{ CORE_E_BAD_RANGE, PROTO_E_BAD_RANGE, "the range is empty or wraps" },
		{ CORE_E_BAD_HOLDER, PROTO_E_GONE, "this session is over" },
		{ CORE_E_BAD_OBJECT, PROTO_E_GONE, "the object is gone" },
		{ CORE_E_BAD_SEAL, PROTO_E_BAD_SEAL, "no such seal of this session" },
		{ CORE_E_OLD_SEQ, PROTO_E_OLD_SEQ,
		  "something newer happened to the seal; read it first" },
		{ CORE_E_BAD_BREAK, PROTO_E_BAD_TOKEN, "no such break hold, or another's token" },
		{ CORE_E_STATE, PROTO_E_STATE, "the seal is not in a state for this" },
		{ CORE_E_OWN_CONFLICT, PROTO_E_OWN_CONFLICT,
		  "this session already holds a seal there that would be incoherent with it" },
		{ CORE_E_DENIED, PROTO_E_CONFLICT, "a hard seal is in the way" },
		{ CORE_E_DEADLOCK, PROTO_E_DEADLOCK, "waiting would close a cycle" },
		{ CORE_E_RECALL_CONFLICT, PROTO_E_RECALL_CONFLICT,
		  "this session was asked for the range itself, and has not answered" },
		{ CORE_E_RETURN_CONFLICT, PROTO_E_RETURN_CONFLICT,
		  "this session was asked for the range itself, and has not returned it" },
		{ CORE_E_TRY_LATER, PROTO_E_TRY_LATER, "try again later" },
		{ CORE_E_TIMED_OUT, PROTO_E_TIMED_OUT, "the time to wait went by" },
		{ CORE_E_UNBOUNDED, PROTO_E_UNBOUNDED,
		  "the max_io_ms of this session is over the hard limit of the object" },
		{ CORE_E_HOLDER_GONE, PROTO_E_GONE, "this session is over" },
		{ CORE_E_IO, PROTO_E_IO, "written pages in the way could not be flushed" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].core == error)
			return refuse(refusal, table[i].code, "%s", table[i].text);
	return refuse(refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
}

void refusal_send(struct client *client, uint32_t serial, const struct refusal *refusal)
{
	char text[sizeof(refusal->text)];
	struct proto_message message = {
		.type = PROTO_REFUSED,
		.refused = {
			.code = refusal->code,
			.number = refusal->number ? refusal->number
						  : proto_error_errno(refusal->code),
			.text = text,
		},
	};

	if (!client->session)
		return;
	strcpy(text, refusal->text);
	proto_str_clean(text);
	session_reply(client->session, serial, &message, -1);
}
