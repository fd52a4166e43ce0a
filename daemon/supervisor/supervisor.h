/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The supervisor: core, pager, loop and sessions, wired together. It is the only place that knows
 * all of them.
 *
 * supervisor_run() is what the daemon does. Tests and fuzzers hand connections to
 * supervisor_accept() and turn the crank themselves.
 */

#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"

struct config;
struct supervisor;

/* @config must stay; @guard_group, from guard_open_group() or -1, is taken over. -ENOSYS, -EPERM, -EOPNOTSUPP: no io_uring, or no userfaultfd, to be had. -EINVAL: a
 * setting can't be had here, which the log names. */
int supervisor_new(const struct config *config, int guard_group, struct supervisor **ret);

/* Everything must have ended before: supervisor_run() has returned, or supervisor_stop() and then
 * supervisor_is_over() was true; or the process ends anyway. */
struct supervisor *supervisor_free(struct supervisor *s);
DEFINE_CLEANUP(struct supervisor *, supervisor_free)

/* A socket of our own, or one that the service manager made. */
int supervisor_listen(struct supervisor *s, const char *path);
int supervisor_adopt(struct supervisor *s, int fd);

/* One connection; takes @fd over. */
int supervisor_accept(struct supervisor *s, int fd);

/* Serves until SIGTERM or SIGINT, which must be blocked, ends it in order. 0 or -errno. */
int supervisor_run(struct supervisor *s);

/* One round: waits until something happens, at most until @deadline (CLOCK_MONOTONIC, ns). */
int supervisor_step(struct supervisor *s, uint64_t deadline);

/* Accepts nothing more and ends every session; what was written is written back. */
void supervisor_stop(struct supervisor *s);
bool supervisor_is_over(const struct supervisor *s);
