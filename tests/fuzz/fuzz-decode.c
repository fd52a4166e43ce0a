/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Any bytes, as a frame, in both directions and with every number of descriptors that makes a
 * difference. What is accepted must encode to the same bytes, and only with the descriptors that
 * the message has slots for; what is refused must say why in a printable line and change nothing.
 * The dump of a message, and the cleaning of any bytes, must be legal strings.
 */

#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "proto/proto.h"
#include "proto/str.h"

static void legal(const char *text, size_t size)
{
	size_t n = strnlen(text, size), at;

	promise(n < size);
	promise(proto_str_check(text, n, &at) == PROTO_STR_OK);
}

static void accepted(const struct proto_message *message, const uint8_t *data, size_t size,
		     size_t n_fds)
{
	uint8_t again[PROTO_FRAME_MAX];
	char line[512], longest[5 * PROTO_FRAME_MAX];
	size_t required, optional, cut;

	promise(proto_type_fds(message->type, &required, &optional) == 0);
	promise(n_fds >= required && n_fds <= required + optional);
	promise(proto_encode(message, again) == (int)size);
	promise(!memcmp(again, data, size));
	cut = 1 + data[size - 1] % sizeof(line); /* anywhere */
	legal(proto_dump(message, line, cut), cut);
	legal(proto_dump(message, longest, sizeof(longest)), sizeof(longest));
}

static void refused(const struct proto_message *message, const struct proto_fault *fault, int code)
{
	struct proto_message before;

	promise((int)fault->code == code);
	promise(code == PROTO_E_MALFORMED || code == PROTO_E_UNKNOWN_MESSAGE ||
		code == PROTO_E_UNKNOWN_FLAG);
	promise(fault->text[0]);
	legal(fault->text, sizeof(fault->text));
	memset(&before, 0x5a, sizeof(before));
	promise(!memcmp(&message->hello, &before.hello,
			sizeof(before) - offsetof(struct proto_message, hello)));
}

static void clean(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	promise(text);
	memcpy(text, data, size);
	text[size] = '\0';
	legal(proto_str_clean(text), PROTO_STR_MAX + 1);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum proto_direction directions[] = { PROTO_REQUEST, PROTO_EVENT };

	for (size_t d = 0; d < 2; d++) {
		for (size_t n_fds = 0; n_fds <= PROTO_FDS_MAX + 1; n_fds++) {
			struct proto_message message;
			struct proto_fault fault;
			int code;

			memset(&message, 0x5a, sizeof(message));
			memset(&fault, 0x5a, sizeof(fault));
			code = proto_decode(data, size, n_fds, directions[d], &message, &fault);
			if (code)
				refused(&message, &fault, code);
			else
				accepted(&message, data, size, n_fds);
		}
	}
	clean(data, size);
	return 0;
}
