/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Log lines on stderr, one event a line. A service manager's journal reads the priority from the
 * prefix of sd-daemon(3); a terminal is spared it. What peers chose (names, paths) was made legal
 * before it came here, so a line can't be forged by a newline.
 *
 * What a peer can bring about as often as it likes gets a line a second, and the next one is
 * preceded by how many there were in between: else the log, and the disk below it, would be in that
 * peer's hands.
 */

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/supervisor/wiring.h"

#define SAID_EVERY_NS UINT64_C(1000000000)

void log_line(enum log_level level, const char *format, ...)
{
	static int terminal = -1;
	char line[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (terminal < 0)
		terminal = isatty(STDERR_FILENO);
	if (terminal)
		fprintf(stderr, "mapseald: %s\n", line);
	else
		fprintf(stderr, "<%d>%s\n", level, line);
}

bool log_may(struct log_limit *limit, enum log_level level, const char *others)
{
	uint64_t now = loop_now();

	if (limit->at && now - limit->at < SAID_EVERY_NS) {
		limit->unsaid++;
		return false;
	}
	if (limit->unsaid)
		log_line(level, "%llu more %s in between", (unsigned long long)limit->unsaid, others);
	limit->unsaid = 0;
	limit->at = now;
	return true;
}
