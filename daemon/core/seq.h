/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Sequence numbers of seals (RFC 8881 8.2.2): 1 at the grant, never 0, 0xffffffff is followed by 1.
 * So they form a ring of 2^32 - 1 values, and older and newer mean the shorter way around it.
 */

#include <stdbool.h>
#include <stdint.h>

#define SEQ_FIRST 1u

static inline uint32_t seq_next(uint32_t seq)
{
	return seq == UINT32_MAX ? SEQ_FIRST : seq + 1;
}

/* Whether @a was used before @b. Of two values at opposite ends neither is older by much; the ring
 * has an odd number of places, so the answer is never the same both ways round. */
static inline bool seq_older(uint32_t a, uint32_t b)
{
	uint32_t ahead;

	if (a == b)
		return false;
	/* How many steps lead from @a to @b, leaving out 0. */
	ahead = b > a ? b - a : b - a - 1;
	return ahead <= UINT32_MAX / 2;
}
