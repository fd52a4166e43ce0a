/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What direct/ was told to do, until it reports: the counterpart of jobs.c. An errand names
 * client, window and seal by id, since by the time it is done each of them may be gone.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "daemon/supervisor/wiring.h"

struct errand *errand_find(const struct supervisor *s, uint64_t tag)
{
	struct idmap_node *n = idmap_find(&s->errands, tag);

	return n ? container_of(n, struct errand, node) : NULL;
}

struct errand *errand_forget(struct supervisor *s, struct errand *errand)
{
	if (!errand)
		return NULL;
	idmap_remove(&s->errands, &errand->node);
	free(errand);
	return NULL;
}

/* Adds what is known of @window, and references of its own. What is in @job is the caller's again if
 * this fails. *ret_tag, if not NULL, names it. */
int errand_submit(struct supervisor *s, const struct errand *context, struct window *window,
		  struct direct_job *job, uint64_t *ret_tag)
{
	struct errand *errand = malloc(sizeof(*errand));
	int r;

	if (!errand)
		return -ENOMEM;
	*errand = *context;
	errand->window = window->node.id;
	errand->holder = window->client->node.id;
	errand->object = window->object->node.id;
	errand->map_version = window->map_version;
	job->tag = ++s->last_tag;
	job->device = window->object->dev;
	job->start = errand->start;
	job->end = errand->end;
	job->fd = fcntl(window->object->fd, F_DUPFD_CLOEXEC, 3);
	job->map = window->map ? direct_map_ref(window->map) : NULL;
	r = job->fd < 0 ? -errno : direct_submit(s->direct, job);
	if (r < 0) {
		fd_close(job->fd);
		direct_map_unref(job->map);
		free(errand);
		return r;
	}
	idmap_insert(&s->errands, &errand->node, job->tag);
	if (ret_tag)
		*ret_tag = job->tag;
	return 0;
}

void direct_forget(struct supervisor *s)
{
	struct idmap_node *n;

	while ((n = idmap_any(&s->errands)))
		errand_forget(s, container_of(n, struct errand, node));
}
