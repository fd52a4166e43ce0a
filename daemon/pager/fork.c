/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Children of holders.
 *
 * A seal is its holder's, not its children's. But a child inherits the mappings, and a range that
 * nobody serves is filled with zeros, which would end up in memory that the parent reads. So the
 * child's userfaultfd is kept for as long as its address space lives, and every touch of something
 * absent is SIGBUS. What is present the child may read, like any memory it inherited; WRITE windows
 * are write-protected in it, so that nothing changes behind the parent's back.
 *
 * Children cost a descriptor each. Of one parent only so many are kept; those beyond are poisoned
 * at once, as far as that goes in bounded time, and let go.
 */

#include "daemon/pager/state.h"
#include "util/cleanup.h"

#define CHILDREN_MAX 64

/* Empty entries of [start, end); present ones are skipped one by one. False when the budget is
 * spent or the space does not answer. */
static bool poison_range(struct space *space, uint64_t start, uint64_t end, uint64_t *budget)
{
	while (start < end) {
		uint64_t size = end - start, done;
		int r;

		if (*budget == 0)
			return false;
		if (size > SLICE_PAGES << PAGE_SHIFT)
			size = SLICE_PAGES << PAGE_SHIFT;
		if (size > *budget << PAGE_SHIFT)
			size = *budget << PAGE_SHIFT;
		uffd_protect(space->uffd, start, size, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
		r = uffd_poison(space->uffd, start, size, &done);
		if (r == UFFD_EXISTS || r == UFFD_MOVED || r == UFFD_NO_PAGE)
			done += PAGE_BYTES;
		else if (r != 0)
			return false;
		start += done;
		*budget -= done >> PAGE_SHIFT;
	}
	return true;
}

void space_poison(struct space *space, const struct segments *segments, uint64_t budget)
{
	bool go_on = space->pager->features & UFFD_FEATURE_POISON;

	for (size_t i = 0; i < segments->n; i++) {
		const struct segment *segment = segments->at[i];

		if (go_on)
			go_on = poison_range(space, segment->start, segment->end, &budget);
		uffd_wake(space->uffd, segment->start, segment->end - segment->start);
	}
}

static void protect_child(struct space *child, const struct segments *segments)
{
	for (size_t i = 0; i < segments->n; i++) {
		const struct segment *segment = segments->at[i];

		if (segment->window && segment->window->view->write)
			uffd_protect(child->uffd, segment->start, segment->end - segment->start,
				     UFFDIO_WRITEPROTECT_MODE_WP);
	}
}

void space_forked(struct space *parent, int uffd)
{
	struct pager *pager = parent->pager;
	struct space *from = parent->parent ? parent->parent : parent, *child;

	if (from->n_children >= CHILDREN_MAX || space_new(pager, 0, uffd, -1, &child) < 0) {
		struct space passing = { .pager = pager, .uffd = uffd };

		space_poison(&passing, &from->segments, POISON_PAGES);
		fd_close(uffd);
		return;
	}
	child->parent = from;
	from->n_children++;
	protect_child(child, &from->segments);
}
