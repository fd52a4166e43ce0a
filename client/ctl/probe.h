/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What doctor finds out about this kernel, by trying.
 */

#include <stdbool.h>
#include <stddef.h>

enum probe_state { PROBE_NO, PROBE_YES, PROBE_UNKNOWN };

struct finding {
	const char *name; /* stable, in mapsealctl(1) */
	enum probe_state state;
	char detail[160];	 /* what was seen */
	const char *consequence; /* what follows from this state */
	bool required;		 /* nothing works without it */
};

struct findings {
	struct finding list[40];
	size_t n;
};

/* Adds a finding; @consequence is by state: no, yes, unknown. */
__attribute__((__format__(__printf__, 6, 7))) void
findings_add(struct findings *f, const char *name, enum probe_state state, bool required,
	     const char *const consequence[3], const char *format, ...);

/* Of what was added already; PROBE_UNKNOWN if it was not. */
enum probe_state findings_state(const struct findings *f, const char *name);

/* Reads a number or a word from a file of /proc or /sys; false if it can't be read. */
bool probe_file(const char *path, char *text, size_t size);

/* The release of the running kernel; false: it is not numbered. */
bool probe_release_at_least(unsigned int major, unsigned int minor);

void probe_userfaultfd(struct findings *f);
void probe_system(struct findings *f);
