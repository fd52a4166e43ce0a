/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the pager was told to do, until it reports.
 *
 * A job of the core keeps the core's id as its tag, so that forcing it needs no table; the
 * supervisor's own have the top bit set. A job names client, window and seal by id and not by
 * pointer: by the time it is done each of them may be gone, and then there is simply nobody to tell.
 *
 * The pager is woken once for all jobs of a round. A late job is one that nobody waits for: it does not
 * wake the pager while requests wait for each other's holders, whom the pager would only keep from
 * running, but is taken along with the next that does, and is not put off for long (deadline.h). Jobs
 * stay in the order in which they were submitted, late or not.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/core/deadline.h"
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

/* A job that the pager has not been given yet. */
struct late {
	struct list link;
	struct job context;
	struct pager_job job;
};

static int submit(struct supervisor *s, const struct job *context, struct pager_job *job)
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

static void must(int r)
{
	if (r == 0)
		return;
	log_line(LOG_LEVEL_ERROR, "out of memory for a job that must not be left out");
	abort();
}

static void submit_late(struct supervisor *s)
{
	list_for_each (l, &s->late) {
		struct late *late = list_entry(l, struct late, link);

		must(submit(s, &late->context, &late->job));
		list_unlink(l);
		free(late);
	}
}

int job_submit(struct supervisor *s, const struct job *context, struct pager_job *job)
{
	int r;

	submit_late(s);
	r = submit(s, context, job);
	if (r == 0)
		s->kick_at = 0;
	return r;
}

/* For what has to happen: a fence that is not begun would leave its range taken for ever. The core
 * gives up on the same occasion. */
void job_submit_must(struct supervisor *s, const struct job *context, struct pager_job *job)
{
	must(job_submit(s, context, job));
}

void job_submit_late(struct supervisor *s, const struct job *context, struct pager_job *job)
{
	struct late *late = malloc(sizeof(*late));

	must(late ? 0 : -ENOMEM);
	*late = (struct late){ .context = *context, .job = *job };
	list_init(&late->link);
	list_append(&s->late, &late->link);
	if (s->kick_at == CORE_NEVER)
		s->kick_at = loop_now() + DEADLINE_LATE_NS;
}

void jobs_forget_late(struct supervisor *s)
{
	list_for_each (l, &s->late)
		free(list_entry(l, struct late, link));
	list_init(&s->late);
}

/* The pager is told of all jobs at once: of the first that somebody waits for in this round. */
uint64_t jobs_due(const struct supervisor *s)
{
	uint64_t soon = DEADLINE_LATE_NS - DEADLINE_LATE_IDLE_NS;

	if (s->n_unanswered || s->kick_at == CORE_NEVER || s->kick_at < soon)
		return s->kick_at;
	return s->kick_at - soon;
}

void jobs_begin(struct supervisor *s)
{
	uint64_t due = jobs_due(s);

	if (due == CORE_NEVER || (due && due > loop_now()))
		return;
	submit_late(s);
	s->kick_at = CORE_NEVER;
	pager_kick(s->pager);
}
