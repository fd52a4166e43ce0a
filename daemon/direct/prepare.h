/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Making the blocks of a range such that they can be promised; see prepare.c. */

#include <stdatomic.h>

#include "daemon/direct/direct.h"
#include "daemon/direct/extents.h"

struct prepare {
	int fd; /* writable, our own */
	uint64_t start, end;
	bool unshare;
	const _Atomic bool *cancelled;
};

/* 0 and the map of the range; enum direct_error or -errno, and why. */
int prepare_range(const struct prepare *p, struct extents *ret, char why[DIRECT_WHY_MAX]);
