/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Closing what came from others.
 *
 * close(2) can wait for as long as somebody else likes: a FUSE server is asked to flush, a TCP socket
 * may linger, and a socket takes with it whatever is still queued in it. So descriptors that a
 * client passed are closed by threads that may get stuck, and who passed them owes them until then.
 */

#include <stdbool.h>

#include "util/cleanup.h"

struct closer;

int closer_new(struct closer **ret);
/* Waits for nothing: what is stuck stays so. */
struct closer *closer_free(struct closer *closer);
DEFINE_CLEANUP(struct closer *, closer_free)

/* A debt, counted; it goes with whoever lets go of it last. */
struct debt;
struct debt *debt_new(void);
struct debt *debt_unref(struct debt *debt);
unsigned int debt_open(const struct debt *debt); /* descriptors that are not closed yet */

/* Takes @fd over. Never waits. @debt may be NULL. */
void closer_close(struct closer *closer, int fd, struct debt *debt);

/* The same for a process that has run out of them: the number is free when this returns. */
void closer_close_number(struct closer *closer, int fd);

/* Memory and userfaultfds, which nobody else has a say in. */
bool closer_is_plain(int fd);
bool closer_is_userfaultfd(int fd);
