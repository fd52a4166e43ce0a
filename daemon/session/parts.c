/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Messages that share a frame.
 *
 * An account of a thousand lines is some dozen frames this way instead of a thousand, for the sender
 * as for the reader. Each message says of itself whether another follows it, so what came last is
 * marked when there is a next one.
 */

#include "daemon/session/parts.h"

#include <string.h>

void parts_begin(struct parts *parts, const char *message, size_t size)
{
	memcpy(parts->frame, message, size);
	parts->last = 0;
	parts->size = size;
}

bool parts_add(struct parts *parts, const char *message, size_t size)
{
	if (size > sizeof(parts->frame) - parts->size)
		return false;
	proto_set_more(parts->frame + parts->last, parts->size - parts->last);
	memcpy(parts->frame + parts->size, message, size);
	parts->last = parts->size;
	parts->size += size;
	return true;
}
