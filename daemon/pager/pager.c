/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The pager's thread.
 *
 * A round takes a bounded number of jobs, gives each space that has something to say one turn, and
 * each operation that can go on one step; then it looks for completions, and sleeps only when
 * there was nothing at all. So no space, and no fence of many megabytes, can keep the others waiting for more than a round.
 *
 * A space that had faults is looked at again for a while (spin_us) before anything sleeps: the
 * thread that was served often faults again at once, and a wake-up costs more than many looks.
 *
 * The thread makes its loop itself, because the loop belongs to the thread that makes it.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/pager/state.h"
#include "daemon/pager/writer.h"
#include "util/cleanup.h"

#define JOBS_AT_ONCE 32
#define LOOK_NSEC 2000000000ull /* how often spaces are asked whether they live */
#define RING_ENTRIES 256
#define LOOKS_PER_STEP 8 /* while it spins, the loop is asked every so many rounds */

/* ---- operations -------------------------------------------------------------------------- */

void op_init(struct op *op, struct pager *pager, void (*step)(struct op *op))
{
	*op = (struct op){ .step = step, .pager = pager };
	list_init(&op->link);
}

void op_again(struct op *op)
{
	list_unlink(&op->link);
	list_append(&op->pager->runnable, &op->link);
}

void op_sleep(struct op *op, uint64_t until)
{
	list_unlink(&op->link);
	op->wake_at = until;
	list_append(&op->pager->sleeping, &op->link);
}

void op_stop(struct op *op)
{
	list_unlink(&op->link);
}

static bool run_operations(struct pager *pager, uint64_t now)
{
	struct list round = LIST_INIT(round);
	bool any = false;

	list_for_each (pos, &pager->sleeping) {
		struct op *op = list_entry(pos, struct op, link);

		if (op->wake_at <= now)
			op_again(op);
	}
	/* those that are made runnable meanwhile are for the next round */
	while (!list_empty(&pager->runnable)) {
		struct list *link = list_first(&pager->runnable);

		list_unlink(link);
		list_append(&round, link);
	}
	while (!list_empty(&round)) {
		struct op *op = list_entry(list_first(&round), struct op, link);

		list_unlink(&op->link);
		op->step(op);
		any = true;
	}
	return any;
}

/* ---- jobs -------------------------------------------------------------------------------- */

void job_done(struct pager *pager, struct job *job, int error, uint64_t value)
{
	struct notice *notice = job->done;

	job->done = NULL;
	notice->event.error = error;
	notice->event.value = error ? 0 : value;
	queue_push(&pager->events, &notice->link);
	job_free(job);
}

static int object_open(struct pager *pager, struct pager_job *job)
{
	struct object *object;
	int r;

	object = calloc(1, sizeof(*object));
	if (!object)
		return -ENOMEM;
	*object = (struct object){
		.pager = pager,
		.id = job->object,
		.size = job->end,
		.fd = job->fd,
		.writable = job->writable,
		.anonymous = job->anonymous,
	};
	list_init(&object->views);
	if (object->fd < 0 && job->anonymous)
		object->fd = memory_new(pager, "mapseal-object", object->size, 0);
	r = object->fd < 0 ? -EBADF : idtable_put(&pager->objects_by_id, object->id, object);
	if (r < 0) {
		if (object->fd != job->fd)
			fd_close(object->fd);
		free(object);
		return r;
	}
	job->fd = -1;
	return 0;
}

static int object_close(struct pager *pager, uint64_t id)
{
	struct object *object = idtable_get(&pager->objects_by_id, id);

	if (!object)
		return -EINVAL;
	idtable_remove(&pager->objects_by_id, id);
	object->closed = true;
	if (object->users == 0) {
		fd_close(object->fd);
		free(object);
	}
	return 0;
}

static int object_resized(struct pager *pager, uint64_t id, uint64_t size)
{
	struct object *object = idtable_get(&pager->objects_by_id, id);

	if (!object)
		return -EINVAL;
	object->size = size;
	list_for_each (pos, &object->views)
		list_entry(pos, struct view, link)->short_at = UINT64_MAX;
	return 0;
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
	struct space *space = idtable_get(&pager->spaces_by_id, id);

	if (!space)
		return -EINVAL;
	space_close(space);
	return 0;
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
		r = with_window(pager, what->window, window_regrant);
		break;
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
		struct space *space =
			list_entry(list_first(&round), struct space, ready_link);
		uint64_t due = UINT64_MAX;

		list_unlink(&space->ready_link);
		if (space->quiet_until > now) {
			due = space->quiet_until;
		} else if (space_turn(space, now)) {
			any = true;
			space->busy_until = now + pager->config.spin_us * 1000ull;
			due = 0;
		} else if (space->busy_until > now) {
			*ret_spin = true;
		} else if (space->n_deferred || space->quiet_until > now) {
			due = space->n_deferred ? space->retry_at : space->quiet_until;
		} else {
			continue; /* it will say so when there is something */
		}
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
	pager->look_at = now + LOOK_NSEC;
	list_for_each (pos, &pager->spaces)
		space_look(list_entry(pos, struct space, link));
	list_for_each (pos, &pager->children)
		space_look(list_entry(pos, struct space, link));
}

static uint64_t next_deadline(const struct pager *pager, uint64_t deadline)
{
	list_for_each (pos, &pager->sleeping) {
		const struct op *op = list_entry(pos, struct op, link);

		if (op->wake_at < deadline)
			deadline = op->wake_at;
	}
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
		bool any = false, spin;
		int r = 0;

		look_at_spaces(pager, now);
		if (pager->jobs_ready) {
			pager->jobs_ready = false;
			any |= run_jobs(pager);
		}
		any |= serve_spaces(pager, now, &spin, &deadline);
		any |= run_operations(pager, now);
		if (pager->jobs_ready || !list_empty(&pager->runnable))
			deadline = 0;
		if (atomic_load(&pager->stop) && !pager->jobs_ready && pager->n_ops == 0 &&
		    pager->n_fills == 0)
			return 0;
		if (any || spin) {
			/* the loop is a system call, and most of the time it knows nothing */
			if (++looks % LOOKS_PER_STEP == 0 || pager->n_fills || pager->n_ops)
				r = loop_step(pager->loop, 0);
		} else {
			r = loop_step(pager->loop, next_deadline(pager, deadline));
		}
		if (r < 0)
			return r;
	}
}

/* ---- beginning and end ------------------------------------------------------------------- */

struct start {
	struct pager *pager;
	pthread_mutex_t lock;
	pthread_cond_t started;
	bool done;
	int result;
};

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
	return loop_poll_start(pager->loop, &pager->jobs_poll, EPOLLIN);
}

static void tear_down(struct pager *pager)
{
	pager->ending = true;
	list_for_each (pos, &pager->spaces) {
		struct space *space = list_entry(pos, struct space, link);

		/* nothing is unmapped or poisoned: the client's own descriptor keeps threads waiting */
		space->closed = space->lost = true;
		while (!list_empty(&space->windows))
			window_close(list_entry(list_first(&space->windows), struct window,
						space_link));
		space_unuse(space);
	}
	list_for_each (pos, &pager->children) {
		struct space *child = list_entry(pos, struct space, link);

		child->users = 1;
		space_unuse(child);
	}
	/* a removal moves later entries into its place */
	for (size_t i = 0; i < pager->objects_by_id.room;) {
		if (pager->objects_by_id.slots[i].id)
			object_close(pager, pager->objects_by_id.slots[i].id);
		else
			i++;
	}
	pager->loop = loop_free(pager->loop);
}

static void *run(void *data)
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
	rounds(pager);
	tear_down(pager);
	return NULL;
}

static int start_thread(struct pager *pager)
{
	struct start start = { .pager = pager };
	int r;

	pthread_mutex_init(&start.lock, NULL);
	pthread_cond_init(&start.started, NULL);
	r = -pthread_create(&pager->thread, NULL, run, &start);
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
	writer_deinit(pager);
	idtable_deinit(&pager->spaces_by_id);
	idtable_deinit(&pager->objects_by_id);
	idtable_deinit(&pager->windows_by_id);
	queue_deinit(&pager->jobs);
	queue_deinit(&pager->events);
	queue_deinit(&pager->forces);
	pthread_mutex_destroy(&pager->tables);
	pthread_mutex_destroy(&pager->registry);
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
	pager->scratch_pages = pager->config.readahead_pages > pager->config.sequential_pages ?
				       pager->config.readahead_pages :
				       pager->config.sequential_pages;
	pager->kernel = kernel;
	if (config->without_poison)
		pager->kernel.poison = false;
	if (config->without_wp_continue)
		pager->kernel.wp_continue = false;
	pager->features = UFFD_FEATURES_NEEDED;
	if (pager->kernel.poison)
		pager->features |= UFFD_FEATURE_POISON;
	pager->jobs.fd = pager->events.fd = pager->forces.fd = -1;
	pthread_mutex_init(&pager->tables, NULL);
	pthread_mutex_init(&pager->registry, NULL);
	list_init(&pager->spaces);
	list_init(&pager->children);
	list_init(&pager->ready);
	list_init(&pager->runnable);
	list_init(&pager->sleeping);
	list_init(&pager->fences);
	list_init(&pager->spare_fills);
	list_init(&pager->spare_buffers);
	list_init(&pager->jobs.items);
	list_init(&pager->events.items);
	list_init(&pager->forces.items);
	pager->scratch = malloc(pager->scratch_pages << PAGE_SHIFT);
	r = pager->scratch ? 0 : -ENOMEM;
	if (r == 0)
		r = queue_init(&pager->jobs);
	if (r == 0)
		r = queue_init(&pager->events);
	if (r == 0)
		r = queue_init(&pager->forces);
	if (r == 0)
		r = start_thread(pager);
	if (r < 0) {
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

struct pager *pager_free(struct pager *pager)
{
	const uint64_t one = 1;

	if (!pager)
		return NULL;
	atomic_store(&pager->stop, true);
	if (write(pager->jobs.fd, &one, sizeof(one)) < 0)
		return NULL; /* can't be: a counter takes that */
	pthread_join(pager->thread, NULL);
	if (!pthread_equal(pager->forcer, pager->thread)) {
		pager_force(pager, 0);
		pthread_join(pager->forcer, NULL);
	}
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
	if (from->type == PAGER_FENCE) {
		if (fence_prepare(job) < 0) {
			job_free(job);
			return -ENOMEM;
		}
		fence_register(pager, job);
	}
	queue_push(&pager->jobs, &job->link);
	return 0;
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
	pthread_mutex_t *tables = (pthread_mutex_t *)&pager->tables;
	struct window *window;
	struct view *view = NULL;
	uint64_t bytes;

	pthread_mutex_lock(tables);
	window = idtable_get(&pager->windows_by_id, id);
	if (window)
		view = view_ref(window->view);
	pthread_mutex_unlock(tables);
	if (!view)
		return 0;
	bytes = view_dirty(view, 0, view->pages);
	view_unref(view);
	return bytes;
}
