/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the commands of mapsealctl share: the global options, the exit statuses, how arguments are
 * taken, how a connection is made and how failure is told.
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/ctl/object.h"
#include "client/ctl/options.h"
#include "mapseal.h"
#include "util/cleanup.h"

DEFINE_CLEANUP(struct mapseal *, mapseal_close)
DEFINE_CLEANUP(struct mapseal_seal *, mapseal_seal_free)

/* Documented in mapsealctl(1), and stable. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_SUPERVISOR = 3,
	EXIT_LATER = 4,	 /* held by somebody: EAGAIN, EBUSY */
	EXIT_DENIED = 5, /* EACCES, EPERM, ETXTBSY */
	EXIT_TIMED_OUT = 6,
	EXIT_REVOKED = 7, /* what was held ended before it should have */
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128, /* + the signal */
};

struct ctl {
	const char *socket;
	bool json, help, version;
};

/* A command: its own options are taken by its run(), which returns the exit status. */
struct command {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *summary;
	int (*run)(struct ctl *ctl, const struct command *self, char **argv);
};

#define COMMAND_FN(name) int name(struct ctl *ctl, const struct command *self, char **argv)
COMMAND_FN(cmd_status);
COMMAND_FN(cmd_list);
COMMAND_FN(cmd_show);
COMMAND_FN(cmd_cat);
COMMAND_FN(cmd_hold);
COMMAND_FN(cmd_break);
COMMAND_FN(cmd_watch);
COMMAND_FN(cmd_doctor);
COMMAND_FN(cmd_quarantine);
COMMAND_FN(cmd_extents);
COMMAND_FN(cmd_verify);

enum {
	CTL_NO_JSON = 1u << 8, /* --json means nothing here and is refused; beside enum OPTIONS_* */
};

/*
 * Takes global options and @options from @argv, and between @min and @max operands. False: the
 * command is over (help was printed, or misuse reported) with *@ret_status.
 */
bool ctl_arguments(struct ctl *ctl, const struct command *self, const struct option_spec *options,
		   unsigned int flags, char **argv, size_t min, size_t max,
		   struct options_rest *ret, int *ret_status);

/* "mapsealctl: ...", escaped, on stderr. */
__attribute__((__format__(__printf__, 1, 2))) void ctl_complain(const char *format, ...);

/* Complains of misuse and returns EXIT_USAGE. */
__attribute__((__format__(__printf__, 1, 2))) int ctl_misuse(const char *format, ...);

/* The exit status that belongs to a negative errno. */
int ctl_status(int r);

/* Tells why the library refused (mapseal_last_error()) and returns the status for @r. */
int ctl_fail(int r);

/* Connects; 0, or the exit status after having complained. @options may be NULL. */
int ctl_connect(const struct ctl *ctl, const struct mapseal_options *options, struct mapseal **ret);

/* OBJECT[:RANGE] parsed, opened: 0, or the exit status after having complained. */
int ctl_object(const char *text, bool writable, struct object *ret, int *ret_fd);

/* An id, 1 or more: 0, or the exit status after having complained. */
int ctl_id(const char *text, uint64_t *ret);

/* Flushes stdout; 0, or EXIT_FAILED after having complained that it cannot be written. */
int ctl_flush(void);
