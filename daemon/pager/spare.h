/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Memory that is ready for the next windows: descriptors, and no page. */

#include <stdbool.h>
#include <sys/types.h>

struct pager;

#define SPARES_MAX 4 /* of each kind, with two descriptors each */

struct spare {
	int memory;
	int lent; /* a description for its first holder: of a READ view one that can't be made writable */
	dev_t device;
	ino_t inode;
};

struct spares {
	struct spare at[2][SPARES_MAX]; /* READ, WRITE */
	unsigned int n[2];
	unsigned int wanted[2]; /* to be made, of those that are missing */
};

/* Empty memory without size or seals. */
int spare_take(struct pager *pager, bool write, struct spare *ret);

/* One more will be made when there is nothing else to do. */
void spare_want(struct pager *pager, bool write);

/* Makes one, if one is wanted and missing. True if there may be more to make. */
bool spare_prepare(struct pager *pager);

void spare_deinit(struct pager *pager);
