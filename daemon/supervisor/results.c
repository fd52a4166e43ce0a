/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the pager reports, handed to whoever waits for it: the core (fences and flushes of its own),
 * or a request.
 *
 * A descriptor in an event is taken by the function that has a use for it; what is left is closed
 * here, so an event for somebody who is gone leaks nothing.
 */

#include "daemon/supervisor/wiring.h"

static void fenced(struct supervisor *s, const struct job *job, struct pager_event *event)
{
	struct core_fence_result result = {
		.job = job->core_job,
		.error = job->cause == CORE_CAUSE_RETURN ? event->error : 0,
		.fence = (enum core_fence)event->fence,
		.quarantined = event->quarantined,
		.quarantine_errno = event->quarantine_errno,
	};

	if (event->quarantined > 0)
		quarantine_keep(s, job, event);
	if (job->cause == CORE_CAUSE_PARK)
		watch_tell(s, &(struct change){
				      .change = PROTO_CHANGE_PARKED,
				      .id = job->seal,
				      .object = window_find(s, job->window)
							? window_find(s, job->window)->object->node.id
							: 0,
				      .start = job->start,
				      .end = job->end,
				      .holder = job->holder,
				      .detail = proto_text(PROTO_TEXT_FENCE, event->fence),
			      });
	core_fenced(s->core, &result, loop_now());
}

static void done(struct supervisor *s, struct job *job, struct pager_event *event)
{
	switch (job->type) {
	case PAGER_SPACE_ATTACH:
		client_space_done(s, job, event);
		break;
	case PAGER_WINDOW_OPEN:
		window_opened(s, job, event);
		break;
	case PAGER_WINDOW_MAP:
		window_mapped(s, job, event);
		break;
	case PAGER_WINDOW_CLOSE:
		window_closed(s, job);
		break;
	case PAGER_FENCE:
		if (job->core_job)
			fenced(s, job, event);
		else
			return_late_done(s, job);
		break;
	case PAGER_FLUSH:
		if (job->core_job)
			core_flushed(s->core, job->core_job, event->error, loop_now());
		else
			memory_job_done(s, job, event);
		break;
	case PAGER_POPULATE:
	case PAGER_COMMIT:
		memory_job_done(s, job, event);
		break;
	case PAGER_DROP_CLEAN:
		supervisor_alive(s, job);
		pressure_relieved(s, job, event->value);
		break;
	case PAGER_SPACE_CLOSE:
	case PAGER_OBJECT_OPEN:
	case PAGER_OBJECT_RESIZED:
	case PAGER_OBJECT_CLOSE:
	case PAGER_REGRANT:
		break;
	}
}

void results_drain(struct supervisor *s)
{
	struct pager_event event;
	struct job *job;

	while (pager_next(s->pager, &event)) {
		if (event.type == PAGER_EVENT_SPACE_LOST) {
			client_space_lost(s, event.space);
		} else if (event.type == PAGER_EVENT_DONE) {
			job = job_find(s, event.tag);
			if (job)
				done(s, job, &event);
			job_forget(s, job);
			fd_close(event.fd);
			fd_close(event.quarantine_fd);
		}
		/* before the next report: it may be about what this one set off */
		commands_drain(s);
	}
}
