/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Log lines on stderr, one event a line. A service manager's journal reads the priority from the
 * prefix of sd-daemon(3); a terminal is spared it. What peers chose (names, paths) was made legal
 * before it came here, so a line can't be forged by a newline.
 */

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/supervisor/wiring.h"

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
