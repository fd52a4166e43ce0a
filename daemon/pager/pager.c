/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The pager as its users see it: its beginning and end, jobs in, events out.
 *
 * What is called here from other threads touches the queues, the counters and what is under a lock,
 * nothing else; the rest belongs to the thread (thread.c).
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/core/deadline.h"
#include "daemon/pager/state.h"
#include "daemon/pager/writer.h"
#include "util/cleanup.h"

static int start_thread(struct pager *pager)
{
	struct start start = { .pager = pager };
	int r;

	pthread_mutex_init(&start.lock, NULL);
	pthread_cond_init(&start.started, NULL);
	r = -pthread_create(&pager->thread, NULL, pager_thread, &start);
	if (r == 0) {
		pthread_mutex_lock(&start.lock);
		while (!start.done)
			pthread_cond_wait(&start.started, &start.lock);
		r = start.result;
		pthread_mutex_unlock(&start.lock);
		if (r < 0)
			pthread_join(pager->thread, NULL);
	}
	pthread_cond_destroy(&start.started);
	pthread_mutex_destroy(&start.lock);
	return r;
}

static void release(struct pager *pager)
{
	struct list *link;

	while ((link = queue_pop(&pager->jobs)))
		job_free(list_entry(link, struct job, link));
	while ((link = queue_pop(&pager->events))) {
		struct notice *notice = list_entry(link, struct notice, link);

		fd_close(notice->event.fd);
		fd_close(notice->event.quarantine_fd);
		free(notice);
	}
	fill_deinit(pager);
	spare_deinit(pager);
	writer_deinit(pager);
	idmap_deinit(&pager->spaces_by_id);
	idmap_deinit(&pager->objects);
	idmap_deinit(&pager->windows_by_id);
	queue_deinit(&pager->jobs);
	queue_deinit(&pager->events);
	queue_deinit(&pager->forces);
	queue_deinit(&pager->proofs);
	pthread_mutex_destroy(&pager->tables);
	pthread_mutex_destroy(&pager->registry);
	pthread_mutex_destroy(&pager->end_lock);
	pthread_cond_destroy(&pager->end_cond);
	free(pager->scratch);
	free(pager);
}

static uint64_t power_of_two(uint32_t n, uint32_t most)
{
	uint64_t power = 1;

	while (power * 2 <= n && power * 2 <= most)
		power *= 2;
	return power;
}

static void init_end(struct pager *pager)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&pager->end_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pager->end_cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* Found out now rather than at the first grant. */
static int try_owner(const struct pager *pager)
{
	int fd = memory_new(pager, "mapseal-probe", PAGE_BYTES, 0);

	if (fd < 0)
		return fd == -EINVAL || fd == -EPERM ? PAGER_E_OWNER : fd;
	fd_close(fd);
	return 0;
}

int pager_new(const struct pager_config *config, struct pager **ret)
{
	struct pager_kernel kernel;
	struct pager *pager;
	int r = pager_probe(&kernel);

	if (r < 0)
		return r;
	pager = calloc(1, sizeof(*pager));
	if (!pager)
		return -ENOMEM;
	pager->config = *config;
	pager->config.readahead_pages = (uint32_t)power_of_two(config->readahead_pages, 512);
	pager->config.sequential_pages = (uint32_t)power_of_two(config->sequential_pages, 512);
	pager->config.granule_pages = (uint32_t)power_of_two(config->granule_pages, 512);
	if (!pager->config.max_mappers)
		pager->config.max_mappers = 1;
	pager->scratch_pages = pager->config.readahead_pages > pager->config.sequential_pages
				       ? pager->config.readahead_pages
				       : pager->config.sequential_pages;
	pager->kernel = kernel;
	if (config->without_poison)
		pager->kernel.poison = false;
	if (config->without_wp_continue)
		pager->kernel.wp_continue = false;
	pager->features = UFFD_FEATURES_NEEDED;
	if (pager->kernel.poison)
		pager->features |= UFFD_FEATURE_POISON;
	pager->jobs.fd = pager->events.fd = pager->forces.fd = pager->proofs.fd = -1;
	pthread_mutex_init(&pager->tables, NULL);
	pthread_mutex_init(&pager->registry, NULL);
	init_end(pager);
	list_init(&pager->spaces);
	list_init(&pager->children);
	list_init(&pager->windows);
	list_init(&pager->ready);
	list_init(&pager->attaching);
	list_init(&pager->attach_line);
	list_init(&pager->runnable);
	list_init(&pager->sleeping);
	list_init(&pager->fences);
	list_init(&pager->spare_fills);
	list_init(&pager->spare_buffers);
	list_init(&pager->jobs.items);
	list_init(&pager->events.items);
	list_init(&pager->forces.items);
	list_init(&pager->proofs.items);
	pager->scratch = malloc(pager->scratch_pages << PAGE_SHIFT);
	r = pager->scratch ? try_owner(pager) : -ENOMEM;
	if (r == 0)
		r = queue_init(&pager->jobs);
	if (r == 0)
		r = queue_init(&pager->events);
	if (r == 0)
		r = queue_init(&pager->forces);
	if (r == 0)
		r = queue_init(&pager->proofs);
	if (r == 0)
		r = start_thread(pager);
	if (r != 0) {
		release(pager);
		return r;
	}
	r = -pthread_create(&pager->forcer, NULL, force_thread, pager);
	if (r < 0) {
		pager->forcer = pager->thread; /* none: see below */
		pager_free(pager);
		return r;
	}
	*ret = pager;
	return 0;
}

/* ---- its end ----------------------------------------------------------------------------- */

#define NSEC_PER_S 1000000000ull
#define STUCK_NSEC (NSEC_PER_S / 2) /* more than that after its time: it is not coming */

static struct pager *volatile last_left; /* what the kernel may still write to is not to be mistaken for a leak */

static bool wait_ended(struct pager *pager, uint64_t until)
{
	struct timespec ts = {
		.tv_sec = (time_t)(until / 1000000000u),
		.tv_nsec = (long)(until % 1000000000u),
	};
	int r = 0;

	while (!pager->ended && r == 0)
		r = pthread_cond_timedwait(&pager->end_cond, &pager->end_lock, &ts);
	return pager->ended;
}

int pager_end(struct pager *pager, uint64_t until, struct pager_left *ret)
{
	const uint64_t one = 1;
	bool ended, left_behind;

	pager->stop_by = until;
	atomic_store(&pager->stop, true);
	if (write(pager->jobs.fd, &one, sizeof(one)) < 0)
		return -errno; /* can't be: a counter takes that */
	pthread_mutex_lock(&pager->end_lock);
	ended = wait_ended(pager, until + STUCK_NSEC);
	left_behind = pager->left_behind;
	if (!ended)
		pager->left_behind = pager->left.stuck = true;
	*ret = pager->left;
	pthread_mutex_unlock(&pager->end_lock);
	/* one that leaves requests to the kernel may not be able to end before these do */
	if (ended && !left_behind)
		pthread_join(pager->thread, NULL);
	else
		pthread_detach(pager->thread);
	if (!pthread_equal(pager->forcer, pager->thread)) {
		pager_force(pager, 0);
		pthread_join(pager->forcer, NULL);
	}
	return ended && !left_behind ? 0 : -ETIMEDOUT;
}

struct pager *pager_free(struct pager *pager)
{
	struct pager_left left;
	bool left_behind;

	if (!pager)
		return NULL;
	if (!atomic_load(&pager->stop))
		pager_end(pager, loop_now() + DEADLINE_LEAVE_S * NSEC_PER_S, &left);
	pthread_mutex_lock(&pager->end_lock);
	left_behind = pager->left_behind;
	pthread_mutex_unlock(&pager->end_lock);
	if (left_behind)
		last_left = pager;
	else
		release(pager);
	return NULL;
}

/* ---- from other threads ------------------------------------------------------------------ */

int pager_get_fd(const struct pager *pager)
{
	return pager->events.fd;
}

int pager_submit(struct pager *pager, const struct pager_job *from)
{
	struct job *job = job_new(from);

	if (!job)
		return -ENOMEM;
	if ((from->type == PAGER_FENCE && fence_prepare(job) < 0) ||
	    (from->type == PAGER_REGRANT && regrant_prepare(job) < 0)) {
		job_free(job);
		return -ENOMEM;
	}
	if (from->type == PAGER_FENCE)
		fence_register(pager, job);
	queue_add(&pager->jobs, &job->link);
	return 0;
}

void pager_kick(struct pager *pager)
{
	queue_wake(&pager->jobs);
}

bool pager_next(struct pager *pager, struct pager_event *ret)
{
	struct list *link = queue_pop(&pager->events);
	struct notice *notice;

	if (!link)
		return false;
	notice = list_entry(link, struct notice, link);
	*ret = notice->event;
	free(notice);
	return true;
}

void pager_stats(const struct pager *pager, struct pager_stats *ret)
{
	const struct counters *counters = &pager->counters;

	*ret = (struct pager_stats){
		.faults = counters->faults,
		.write_faults = counters->write_faults,
		.pages_filled = counters->pages_filled,
		.pages_mapped = counters->pages_mapped,
		.pages_written = counters->pages_written,
		.pages_punched = counters->pages_punched,
		.fences = counters->fences,
		.torn = counters->torn,
		.quarantines = counters->quarantines,
		.reads_cached = counters->reads_cached,
		.reads_queued = counters->reads_queued,
		.window_bytes = counters->window_bytes,
	};
}

uint64_t pager_dirty(const struct pager *pager, uint64_t id)
{
	return pager_dirty_in(pager, id, 0, UINT64_MAX);
}

uint64_t pager_dirty_in(const struct pager *pager, uint64_t id, uint64_t start, uint64_t end)
{
	pthread_mutex_t *tables = (pthread_mutex_t *)&pager->tables;
	struct window *window;
	struct view *view = NULL;
	uint64_t bytes, first, last;

	pthread_mutex_lock(tables);
	window = window_get(pager, id);
	if (window && window_pages(window, start, end, &first, &last))
		view = view_ref(window->view);
	pthread_mutex_unlock(tables);
	if (!view)
		return 0;
	bytes = view_dirty(view, first, last);
	view_unref(view);
	return bytes;
}
