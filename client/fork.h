/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The connections of the process, for fork(2); see fork.c. */

#include <sys/types.h>

#include "mapseal.h"

int fork_add(struct mapseal *m);
void fork_remove(struct mapseal *m);

/* getpid(2), mostly without the system call. For signal handlers too. */
pid_t fork_self(void);
