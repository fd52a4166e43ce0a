/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The conflict table a second time, as sentences rather than as a table, so that a slip in one is
 * not a slip in both.
 */

#include "tests/simulation/world.h"

enum core_want table_want(enum core_kind kind, enum core_mode mode)
{
	if (kind == CORE_WINDOW)
		return mode == CORE_READ ? CORE_WANT_WINDOW_READ : CORE_WANT_WINDOW_WRITE;
	return mode == CORE_READ ? CORE_WANT_DIRECT_READ : CORE_WANT_DIRECT_WRITE;
}

static bool only_looks(enum core_want want)
{
	return want == CORE_WANT_WINDOW_READ || want == CORE_WANT_DIRECT_READ ||
	       want == CORE_WANT_FOREIGN_READ || want == CORE_WANT_FOREIGN_MAP;
}

enum sim_conflict table_conflict(const struct sim_seal *held, enum core_want want)
{
	if (held->kind == CORE_WINDOW && held->mode == CORE_WRITE) {
		/* Bytes that nobody else has: everybody waits, a single read for a flush only. */
		if (want != CORE_WANT_FOREIGN_READ)
			return SIM_RECALL;
		return held->flags & CORE_F_PINNABLE ? SIM_RECALL : SIM_FLUSH;
	}
	if (only_looks(want) && (held->mode == CORE_READ || want == CORE_WANT_FOREIGN_READ ||
				 want == CORE_WANT_FOREIGN_MAP))
		return SIM_SHARE;
	/* A copy of what is read has to stay true. */
	if (held->kind == CORE_WINDOW)
		return want == CORE_WANT_FOREIGN_CLONE ? SIM_SHARE : SIM_RECALL;
	/* DIRECT: the file itself; others may use its bytes, not move its blocks or copy them. */
	if (want == CORE_WANT_LAYOUT || want == CORE_WANT_FOREIGN_EXTEND ||
	    want == CORE_WANT_WINDOW_WRITE || want == CORE_WANT_WINDOW_READ ||
	    want == CORE_WANT_FOREIGN_CLONE)
		return SIM_RECALL;
	return SIM_SHARE;
}
