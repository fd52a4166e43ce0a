/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How the supervisor is configured while it is measured: room for all sessions of one uid, and no
 * minimum hold, which would be a wait and not work.
 */

#define BENCH_QUOTA                                                                                \
	"[quota]\nmax-sessions = 2000\nmax-seals = 100000\nmax-window-bytes = 8G\n"                \
	"[defaults]\nmin-hold-ms = 0\n"

/* Its one export; %s: the path. The second lends the userfaultfd device too, which transparent
 * holders need. */
#define BENCH_PLAIN_EXPORT "[export file]\npath = %s\nread = *\nwrite = *\n"
#define BENCH_EXPORT "[export file]\npath = %s\nread = *\nwrite = *\nkernel-faults = yes\n"

/* Starts it with its log going to bench-supervisor.log in the current directory: writing the log is
 * part of its work, reading it here is not. */
#define bench_start(rig, ...)                                                                      \
	do {                                                                                       \
		int told_ = bench_log_away();                                                      \
		rig_start(rig, __VA_ARGS__);                                                       \
		bench_log_back(told_);                                                             \
	} while (0)

int bench_log_away(void);
void bench_log_back(int told);
