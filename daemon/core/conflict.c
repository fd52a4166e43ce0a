/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The conflict table.
 *
 * A row for what is held, a column for what another holder, or a stranger, wants on the same range.
 * The table is the whole policy: no other code of the core compares modes or kinds to decide
 * whether two parties disturb each other.
 *
 * What the cells rest on:
 * - A READ window promises that the content stays, so writing and moving disturb it, reading and
 *   read-only mapping do not. DIRECT R beside it can't write; DIRECT W can.
 * - A WRITE window holds bytes that are newer than the object. A single read(2) is served by
 *   writing them out first; a mapping would go on reading after that, so it needs a recall.
 *   Pages that may be pinned change without a trace: no flush can be complete, so the window has
 *   to come back even for a read.
 * - DIRECT promises the block map, not the content. Its range is allocated and written, so neither
 *   overwriting nor a writable mapping can allocate under it; extending and moving can. Cloning
 *   changes no byte, but blocks that are shared move at the next write.
 * - DIRECT holders of one range see each other's bytes: they share pages, as any mappings do.
 *
 * The table is symmetric where both sides are seals. Between seals of one session other rules hold:
 * the session itself keeps order among its copies as long as at most one of them can be stale,
 * which a WRITE window beside anything else would break.
 */

#include "daemon/core/conflict.h"

#define S CONFLICT_SHARE
#define R CONFLICT_RECALL
#define F CONFLICT_FLUSH

enum { ROW_WINDOW_READ, ROW_WINDOW_WRITE, ROW_DIRECT_READ, ROW_DIRECT_WRITE, _ROW_N };

static const unsigned char table[_ROW_N][_CORE_WANT_N] = {
	/*		     WINDOW  DIRECT  foreign			  layout
	 *		     R  W    R  W    read map map-w write extend  clone */
	[ROW_WINDOW_READ]  = { S, R, S, R, S, S, R, R, R, R, S },
	[ROW_WINDOW_WRITE] = { R, R, R, R, F, R, R, R, R, R, R },
	[ROW_DIRECT_READ]  = { S, R, S, S, S, S, S, S, R, R, R },
	[ROW_DIRECT_WRITE] = { R, R, S, S, S, S, S, S, R, R, R },
};

#undef S
#undef R
#undef F

enum conflict conflict_check(enum core_kind kind, enum core_mode mode, bool pinnable,
			     enum core_want want)
{
	unsigned int row = (kind == CORE_DIRECT ? ROW_DIRECT_READ : ROW_WINDOW_READ) +
			   (mode == CORE_WRITE);
	enum conflict conflict = table[row][want];

	if (conflict == CONFLICT_FLUSH && pinnable)
		return CONFLICT_RECALL;
	return conflict;
}

bool conflict_own(enum core_kind kind_a, enum core_mode mode_a, enum core_kind kind_b,
		  enum core_mode mode_b)
{
	return (kind_a == CORE_WINDOW && mode_a == CORE_WRITE) ||
	       (kind_b == CORE_WINDOW && mode_b == CORE_WRITE);
}

enum core_want conflict_want(enum core_kind kind, enum core_mode mode)
{
	if (kind == CORE_DIRECT)
		return mode == CORE_WRITE ? CORE_WANT_DIRECT_WRITE : CORE_WANT_DIRECT_READ;
	return mode == CORE_WRITE ? CORE_WANT_WINDOW_WRITE : CORE_WANT_WINDOW_READ;
}
