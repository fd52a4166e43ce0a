/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Messages about devices, taken apart where they are. Nothing is copied, and nothing is believed to
 * end where it has not been seen to.
 */

#include "daemon/uevent/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void take(const char *pair, const char *key, const char **ret)
{
	size_t n = strlen(key);

	if (strncmp(pair, key, n) == 0)
		*ret = pair + n;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno ? 0 : n;
}

bool uevent_decode(const char *message, size_t length, struct uevent *ret)
{
	struct uevent uevent = { "", "", "", 0, false };
	const char *end = message + length, *diskseq = "", *synthetic = NULL;

	if (length == 0 || end[-1] != '\0' || !strchr(message, '@'))
		return false;
	for (const char *at = message + strlen(message) + 1; at < end; at += strlen(at) + 1) {
		take(at, "ACTION=", &uevent.action);
		take(at, "SUBSYSTEM=", &uevent.subsystem);
		take(at, "DEVNAME=", &uevent.devname);
		take(at, "DISKSEQ=", &diskseq);
		take(at, "SYNTH_UUID=", &synthetic);
	}
	uevent.diskseq = number(diskseq);
	uevent.synthetic = synthetic;
	*ret = uevent;
	return true;
}
