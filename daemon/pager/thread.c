/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The pager's thread.
 *
 * A round takes a bounded number of jobs, gives each space that has something to say one turn, and
 * each operation that can go on one step; then it looks for completions, and sleeps only when there
 * was nothing at all. So no space, and no fence of many megabytes, can keep the others waiting for
 * more than a round. What happened is told when nothing is left that can go on at once, or after a
 * few rounds: whoever hears of it would take the processor from the rest.
 *
 * A space that had faults is looked at again for a while (spin_us) before anything sleeps: the
 * thread that was served often faults again at once, and a wake-up costs more than many looks.
 *
 * The thread makes its loop itself, because the loop belongs to the thread that makes it.
 *
 * It ends when nothing is under way any more. What a disk never gives back can't be waited for: then, when
 * its time is up, it goes and leaves everything as it is.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/core/deadline.h"
#include "daemon/pager/state.h"
#include "daemon/pager/writer.h"
#include "util/cleanup.h"

#define JOBS_AT_ONCE 32
#define RING_ENTRIES 256
#define LEFT_BEHIND 1
#define LOOKS_PER_STEP 8 /* while it is busy, the loop is asked every so many rounds */

/* ---- jobs -------------------------------------------------------------------------------- */

void job_done(struct pager *pager, struct job *job, int error, uint64_t value)
{
	struct notice *notice = job->done;

	job->done = NULL;
	notice->event.error = error;
	notice->event.value = error ? 0 : value;
	queue_add(&pager->events, &notice->link);
	job_free(job);
}

static int with_window(struct pager *pager, uint64_t id, void (*fn)(struct window *window))
{
	struct window *window = window_get(pager, id);

	if (!window)
		return -EINVAL;
	fn(window);
	return 0;
}

static int close_space(struct pager *pager, uint64_t id)
{
	struct space *space = space_get(pager, id);

	if (space)
		space_close(space);
	return space || space_unwanted(pager, id) ? 0 : -EINVAL;
}

static void run_job(struct pager *pager, struct job *job)
{
	struct pager_job *what = &job->job;
	int r = -EINVAL;

	switch (what->type) {
	case PAGER_SPACE_ATTACH:
		space_attach(pager, job);
		return;
	case PAGER_SPACE_CLOSE:
		r = close_space(pager, what->space);
		break;
	case PAGER_OBJECT_OPEN:
		r = object_open(pager, what);
		break;
	case PAGER_OBJECT_RESIZED:
		r = object_resized(pager, what->object, what->end);
		break;
	case PAGER_OBJECT_CLOSE:
		r = object_close(pager, what->object);
		break;
	case PAGER_WINDOW_OPEN:
		window_open(pager, job);
		return;
	case PAGER_WINDOW_MAP:
		window_map(pager, job);
		return;
	case PAGER_POPULATE:
		populate_start(pager, job);
		return;
	case PAGER_FLUSH:
	case PAGER_COMMIT:
		writeback_start(pager, job);
		return;
	case PAGER_FENCE:
		fence_start(pager, job);
		return;
	case PAGER_REGRANT:
		regrant_start(pager, job);
		return;
	case PAGER_WINDOW_CLOSE:
		r = with_window(pager, what->window, window_close);
		break;
	case PAGER_DROP_CLEAN:
		drop_start(pager, job);
		return;
	}
	job_done(pager, job, r, 0);
}

static bool run_jobs(struct pager *pager)
{
	for (int i = 0; i < JOBS_AT_ONCE; i++) {
		struct list *link = queue_pop(&pager->jobs);

		if (!link)
			return i > 0;
		run_job(pager, list_entry(link, struct job, link));
	}
	pager->jobs_ready = true;
	return true;
}

static void take_proofs(struct pager *pager)
{
	struct list *link;

	while ((link = queue_pop(&pager->proofs)))
		space_proved(pager, link);
}

static void proofs_polled(struct loop_poll *poll, uint32_t events)
{
	(void)events;
	((struct pager *)poll->data)->proofs_ready = true;
}

static void jobs_polled(struct loop_poll *poll, uint32_t events)
{
	(void)events;
	((struct pager *)poll->data)->jobs_ready = true;
}

/* ---- rounds ------------------------------------------------------------------------------ */

/* Returns whether anything happened; *ret_spin: something may happen at any moment. */
static bool serve_spaces(struct pager *pager, uint64_t now, bool *ret_spin, uint64_t *deadline)
{
	struct list round = LIST_INIT(round);
	bool any = false;

	*ret_spin = false;
	while (!list_empty(&pager->ready)) {
		struct list *link = list_first(&pager->ready);

		list_unlink(link);
		list_append(&round, link);
	}
	while (!list_empty(&round)) {
		struct space *space = list_entry(list_first(&round), struct space, ready_link);
		uint64_t due = UINT64_MAX;
		int n = 0;

		list_unlink(&space->ready_link);
		if (space->quiet_until <= now)
			n = space_turn(space, now);
		if (n > 0) {
			any = true;
			/* serving took its time */
			now = loop_now();
			space->busy_until = now + pager->config.spin_us * 1000ull;
		}
		if (n == MESSAGES_AT_ONCE)
			due = 0;
		else if (space->quiet_until > now)
			due = space->quiet_until;
		else if (space->n_deferred)
			due = space->retry_at;
		else if (space->busy_until <= now)
			continue; /* it will say so when there is something */
		else
			*ret_spin = true;
		list_append(&pager->ready, &space->ready_link);
		if (due < *deadline)
			*deadline = due;
	}
	return any;
}

static void look_at_spaces(struct pager *pager, uint64_t now)
{
	if (now < pager->look_at)
		return;
	pager->look_at = now + DEADLINE_LOOK_NS;
	spare_want(pager, true);
	spare_want(pager, false);
	list_for_each (pos, &pager->spaces)
		space_look(list_entry(pos, struct space, link));
	list_for_each (pos, &pager->children)
		space_look(list_entry(pos, struct space, link));
}

static uint64_t next_deadline(const struct pager *pager, uint64_t deadline)
{
	uint64_t asleep = ops_deadline(pager);

	if (asleep < deadline)
		deadline = asleep;
	if (!list_empty(&pager->spaces) || !list_empty(&pager->children))
		if (pager->look_at < deadline)
			deadline = pager->look_at;
	return deadline;
}

static int rounds(struct pager *pager)
{
	unsigned int looks = 0;

	for (;;) {
		uint64_t now = loop_now(), deadline = UINT64_MAX;
		bool any = false, spin, calm, step;
		int r = 0;

		look_at_spaces(pager, now);
		if (pager->jobs_ready) {
			pager->jobs_ready = false;
			any |= run_jobs(pager);
		}
		if (pager->proofs_ready) {
			pager->proofs_ready = false;
			take_proofs(pager);
		}
		any |= serve_spaces(pager, now, &spin, &deadline);
		any |= ops_run(pager, now);
		if (pager->jobs_ready || !list_empty(&pager->runnable))
			deadline = 0;
		if (atomic_load(&pager->stop)) {
			/* what was submitted before may not have been heard of yet */
			any |= run_jobs(pager);
			if (!pager->jobs_ready && pager->n_ops == 0 && pager->n_fills == 0)
				return 0;
			if (now >= pager->stop_by)
				return LEFT_BEHIND;
			if (pager->stop_by < deadline)
				deadline = pager->stop_by;
		}
		/* the loop is a system call, and most of the time it knows nothing */
		step = ++looks % LOOKS_PER_STEP == 0;
		calm = !pager->jobs_ready && list_empty(&pager->runnable);
		if (calm || step)
			queue_wake(&pager->events);
		if (!any && !spin)
			r = loop_step(pager->loop, spare_prepare(pager)
							   ? 0
							   : next_deadline(pager, deadline));
		else if (step || pager->n_fills || (calm && pager->n_ops))
			r = loop_step(pager->loop, 0);
		if (r < 0)
			return r;
	}
}

/* ---- beginning and end ------------------------------------------------------------------- */

static int set_up(struct pager *pager)
{
	int r = loop_new(RING_ENTRIES, &pager->loop);

	if (r < 0)
		return r;
	pager->jobs_poll = (struct loop_poll){
		.fd = pager->jobs.fd,
		.fn = jobs_polled,
		.data = pager,
	};
	pager->proofs_poll = (struct loop_poll){
		.fd = pager->proofs.fd,
		.fn = proofs_polled,
		.data = pager,
	};
	r = loop_poll_start(pager->loop, &pager->jobs_poll, EPOLLIN);
	return r < 0 ? r : loop_poll_start(pager->loop, &pager->proofs_poll, EPOLLIN);
}

static void tear_down(struct pager *pager)
{
	struct idmap_node *n;

	pager->ending = true;
	list_for_each (pos, &pager->spaces) {
		struct space *space = list_entry(pos, struct space, link);

		/* nothing is unmapped or poisoned: the client's own descriptor keeps threads
		 * waiting */
		space->closed = space->lost = true;
		while (!list_empty(&space->windows))
			window_close(
				list_entry(list_first(&space->windows), struct window, space_link));
		space_unuse(space);
	}
	list_for_each (pos, &pager->children) {
		struct space *child = list_entry(pos, struct space, link);

		child->users = 1;
		space_unuse(child);
	}
	while ((n = idmap_any(&pager->objects)))
		object_close(pager, n->id);
	pager->loop = loop_free(pager->loop);
}

/* The kernel has buffers of ours, and the operations that wait for it have windows. */
static void leave_behind(struct pager *pager)
{
	struct pager_left left = { .jobs = pager->n_ops, .reads = pager->n_fills };

	list_for_each (pos, &pager->windows) {
		struct view *view = list_entry(pos, struct window, link)->view;

		left.bytes += view_dirty(view, 0, view->pages);
	}
	pthread_mutex_lock(&pager->end_lock);
	pager->left = left;
	pager->left_behind = true;
	pthread_mutex_unlock(&pager->end_lock);
}

void *pager_thread(void *data)
{
	struct start *start = data;
	struct pager *pager = start->pager;
	sigset_t all;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	r = set_up(pager);
	pthread_mutex_lock(&start->lock);
	start->result = r;
	start->done = true;
	pthread_cond_signal(&start->started);
	pthread_mutex_unlock(&start->lock);
	if (r < 0) {
		pager->loop = loop_free(pager->loop);
		return NULL;
	}
	if (rounds(pager) == LEFT_BEHIND)
		leave_behind(pager);
	else
		tear_down(pager);
	pthread_mutex_lock(&pager->end_lock);
	pager->ended = true;
	pthread_cond_signal(&pager->end_cond);
	pthread_mutex_unlock(&pager->end_lock);
	return NULL;
}
