/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Spare memory: what a grant needs, as far as that can be made before anybody knows its size.
 *
 * Most of what it takes to make memory for a window is giving it away (its mode, its owner) and
 * opening it for the holder. So a grant takes a spare one, and has only to size and seal it; when
 * there is none it is made on the spot.
 *
 * Whoever was granted a window asks for the next thing in a moment, and would wait if another were
 * made in its place at once. So one is made when a window was closed, and one of each kind when
 * address spaces are looked at, and only in rounds in which there is nothing else to do. If that
 * fails, for want of descriptors, it is not tried again before the next occasion.
 *
 * A spare one was never anybody's, and what was a window never becomes one.
 */

#include "daemon/pager/spare.h"

#include <errno.h>
#include <sys/stat.h>

#include "daemon/pager/state.h"
#include "util/cleanup.h"

static void spare_close(struct spare *spare)
{
	spare->memory = fd_close(spare->memory);
	spare->lent = fd_close(spare->lent);
}

static int make(const struct pager *pager, bool write, struct spare *ret)
{
	struct spare spare;
	struct stat st;
	int r;

	spare.memory = memory_new(pager, write ? "mapseal-write" : "mapseal-read", 0, 0);
	if (spare.memory < 0)
		return spare.memory;
	spare.lent = memory_open(spare.memory, write);
	r = spare.lent;
	if (r >= 0 && fstat(spare.memory, &st) < 0)
		r = -errno;
	if (r < 0) {
		spare_close(&spare);
		return r;
	}
	spare.device = st.st_dev;
	spare.inode = st.st_ino;
	*ret = spare;
	return 0;
}

int spare_take(struct pager *pager, bool write, struct spare *ret)
{
	struct spares *spares = &pager->spares;

	if (spares->n[write] == 0)
		return make(pager, write, ret);
	*ret = spares->at[write][--spares->n[write]];
	return 0;
}

void spare_want(struct pager *pager, bool write)
{
	struct spares *spares = &pager->spares;

	if (spares->n[write] + spares->wanted[write] < SPARES_MAX)
		spares->wanted[write]++;
}

bool spare_prepare(struct pager *pager)
{
	struct spares *spares = &pager->spares;
	bool write = spares->wanted[0] == 0;

	if (spares->wanted[write] == 0)
		return false;
	spares->wanted[write]--;
	if (make(pager, write, &spares->at[write][spares->n[write]]) == 0)
		spares->n[write]++;
	return true;
}

void spare_deinit(struct pager *pager)
{
	for (int write = 0; write < 2; write++)
		while (pager->spares.n[write] > 0)
			spare_close(&pager->spares.at[write][--pager->spares.n[write]]);
}
