/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading the block map of a file; see map.c. */

#include "daemon/direct/extents.h"

/* What the file system says about [start, end) of @fd, cut to that; written out first. -errno. */
int map_read(int fd, uint64_t start, uint64_t end, struct extents *ret);
