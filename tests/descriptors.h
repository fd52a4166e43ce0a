/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How many descriptors a process has. Those of windows' memory count only if they are more than a pager may
 * keep for windows to come (daemon/pager/spare.h), those of threads' calls only if they are more than the guard
 * does (daemon/guard/proc.h). @show: lists them all on stderr. */
size_t count_descriptors(pid_t pid, bool show);
