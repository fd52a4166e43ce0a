/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each uid's share of the strangers that may be held at a time.
 *
 * There is a limit to them, and who has many threads could use it up on a file of its own: then
 * everybody else's would be denied what they may do. So a uid gets at most half of what all the
 * others leave free: alone it has half, beside one that has that it has a quarter of the whole, and
 * never nothing as long as two are free. Those whose uid nobody can tell are one uid.
 *
 * A share is there while somebody of its uid is held. All of it is one look-up, under the guard's
 * lock. Breaks of leases, one of each kind for a file, are of no uid and count for all; loop devices, of
 * which nobody is held, do not count.
 */

#include <stdlib.h>

#include "daemon/guard/state.h"

struct share {
	struct idmap_node node; /* by uid */
	uint32_t n;
};

struct share *share_charge(struct guard *guard, uid_t uid)
{
	struct idmap_node *node = idmap_find(&guard->shares, uid);
	struct share *share = node ? container_of(node, struct share, node) : NULL;
	uint32_t used = share ? share->n : 0, others = guard->n_held - used;

	if (guard->n_held >= guard->config.max_held || used >= (guard->config.max_held - others) / 2)
		return NULL;
	if (!share) {
		share = calloc(1, sizeof(*share));
		if (!share)
			return NULL;
		idmap_insert(&guard->shares, &share->node, uid);
	}
	share->n++;
	return share;
}

void share_refund(struct guard *guard, struct share *share)
{
	if (!share || --share->n > 0)
		return;
	idmap_remove(&guard->shares, &share->node);
	free(share);
}
