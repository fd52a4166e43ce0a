/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Events on their way to the control thread.
 *
 * They are embedded in what they tell of, so that telling can't fail. What is freed takes its
 * notice back first. The eventfd is written for the first and read with the last.
 */

#include <stdlib.h>
#include <unistd.h>

#include "daemon/guard/state.h"

void notice_post(struct guard *guard, struct notice *notice)
{
	const uint64_t one = 1;

	list_append(&guard->notices, &notice->link);
	if (!guard->told)
		guard->told = write(guard->notices_fd, &one, sizeof(one)) == sizeof(one);
}

void notice_drop(struct notice *notice)
{
	list_unlink(&notice->link);
}

int guard_get_fd(const struct guard *guard)
{
	return guard->notices_fd;
}

bool guard_next(struct guard *guard, struct guard_event *ret)
{
	struct list *link;
	uint64_t count;

	pthread_mutex_lock(&guard->lock);
	link = list_first(&guard->notices);
	if (link) {
		struct notice *notice = list_entry(link, struct notice, link);

		list_unlink(link);
		*ret = notice->event;
		if (notice->on_heap)
			free(notice);
	}
	if (guard->told && list_empty(&guard->notices))
		guard->told = read(guard->notices_fd, &count, sizeof(count)) < 0;
	pthread_mutex_unlock(&guard->lock);
	return link;
}
