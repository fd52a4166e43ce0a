/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the pager was told to do, until it reports.
 *
 * A job of the core keeps the core's id as its tag, so that forcing it needs no table; the
 * supervisor's own have the top bit set. A job names client, window and seal by id and not by
 * pointer: by the time it is done each of them may be gone, and then there is simply nobody to tell.
 */

#include <stdlib.h>

#include "daemon/supervisor/wiring.h"

#define OWN_TAG (UINT64_C(1) << 63)

struct job *job_find(const struct supervisor *s, uint64_t tag)
{
	struct idmap_node *n = idmap_find(&s->jobs, tag);

	return n ? container_of(n, struct job, node) : NULL;
}

struct job *job_forget(struct supervisor *s, struct job *job)
{
	if (!job)
		return NULL;
	idmap_remove(&s->jobs, &job->node);
	free(job);
	return NULL;
}

int job_submit(struct supervisor *s, const struct job *context, struct pager_job *job)
{
	struct job *j = malloc(sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	*j = *context;
	j->type = job->type;
	job->tag = context->core_job ? context->core_job : OWN_TAG | ++s->last_tag;
	r = pager_submit(s->pager, job);
	if (r < 0) {
		free(j);
		return r;
	}
	idmap_insert(&s->jobs, &j->node, job->tag);
	return 0;
}

/* For what has to happen: a fence that is not begun would leave its range taken for ever. The core
 * gives up on the same occasion. */
void job_submit_must(struct supervisor *s, const struct job *context, struct pager_job *job)
{
	if (job_submit(s, context, job) < 0) {
		log_line(LOG_LEVEL_ERROR, "out of memory for a job that must not be left out");
		abort();
	}
}
