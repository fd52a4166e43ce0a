/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Jobs by lanes. A lane is what may wait for itself and for nobody else: one kind of job on one
 * device. It has up to a few threads while it has jobs, and none otherwise. So a grant that writes
 * a terabyte does not keep a return waiting, nor do those who only want to know (`asked`), as often as
 * they like, and a disk that never answers keeps its own lanes only.
 *
 * Everything that is shared is under one lock, held for moments. A job is its thread's while that
 * runs it; only `cancelled` is looked at from both sides. What a job needs to be told is allocated
 * with it, so that ending can't fail.
 */

#include "daemon/direct/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "daemon/core/deadline.h"
#include "daemon/direct/job.h"
#include "daemon/direct/map.h"
#include "daemon/direct/prepare.h"
#include "util/cleanup.h"
#include "util/list.h"

#define LANE_THREADS 4

struct lane {
	struct list link;
	enum direct_job_type type;
	bool asked;
	uint64_t device;
	struct list tasks;
	unsigned int threads;
	struct direct *direct;
};

struct direct {
	pthread_mutex_t lock;
	pthread_cond_t idle; /* the last thread went */
	struct list lanes;
	struct list done;
	struct idmap tasks; /* all that are not told yet */
	struct list all;    /* the same */
	unsigned int threads;
	int fd;
};

struct direct_map *direct_map_ref(struct direct_map *map)
{
	atomic_fetch_add_explicit(&map->refs, 1, memory_order_relaxed);
	return map;
}

struct direct_map *direct_map_unref(struct direct_map *map)
{
	if (map && atomic_fetch_sub_explicit(&map->refs, 1, memory_order_acq_rel) == 1) {
		extents_deinit(&map->extents);
		free(map);
	}
	return NULL;
}

void direct_event_deinit(struct direct_event *event)
{
	event->fd = fd_close(event->fd);
	event->map = direct_map_unref(event->map);
	free(event->differences);
	event->differences = NULL;
}

/* ---- one job ---------------------------------------------------------------------------- */

static int hand_out(const struct direct_job *job, int *ret)
{
	_cleanup_fd_ int fd = -1;
	char path[64];
	int flags;

	/* O_NONBLOCK: a lease must not keep us */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", job->fd);
	fd = open(path, (job->write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

/* What was promised before outside of [start, end), with @range in it. */
static int compose(struct extents *to, const struct direct_job *job, const struct extents *range)
{
	int r = 0;

	if (job->map)
		r = extents_copy(to, &job->map->extents, 0, job->start);
	if (r == 0)
		r = extents_copy(to, range, job->start, job->end);
	if (r == 0 && job->map)
		r = extents_copy(to, &job->map->extents, job->end, UINT64_MAX);
	return r;
}

static void prepare(struct task *task)
{
	struct prepare p = {
		.fd = task->job.fd,
		.start = task->job.start,
		.end = task->job.end,
		.unshare = task->job.unshare,
		.cancelled = &task->cancelled,
	};
	struct direct_map *map = task->event.map;
	struct extents range = { 0 };
	int r;

	r = prepare_range(&p, &range, task->event.why);
	if (r == 0) {
		r = compose(&map->extents, &task->job, &range);
		if (r == 0 && task->job.hand_out)
			r = hand_out(&task->job, &task->event.fd);
		if (r < 0)
			snprintf(task->event.why, sizeof(task->event.why),
				 "the file can't be handed out: %s", strerrordesc_np(-r));
	}
	extents_deinit(&range);
	task->event.error = r;
}

static void note_difference(const struct extents_difference *d, void *data)
{
	struct direct_event *event = data;

	if (event->n_differences < DIRECT_DIFFERENCES_MAX)
		event->differences[event->n_differences++] = *d;
}

static void verify(struct task *task)
{
	struct direct_event *event = &task->event;
	struct direct_job *job = &task->job;
	struct extents now = { 0 };

	event->error = map_read(job->fd, job->start, job->end, &now);
	if (event->error == -EAGAIN) /* it changes under our hands: once more, then as it is */
		event->error = map_read(job->fd, job->start, job->end, &now);
	if (event->error) {
		snprintf(event->why, sizeof(event->why), "the block map can't be read: %s",
			 strerrordesc_np(-event->error));
		return;
	}
	event->n_differences =
		extents_compare(&job->map->extents, &now, job->start, job->end, note_difference,
				event, &event->bytes);
	event->extents = now.n;
	extents_deinit(&now);
}

static void run(struct task *task)
{
	if (atomic_load(&task->cancelled)) {
		task->event.error = -ECANCELED;
		return;
	}
	switch (task->job.type) {
	case DIRECT_PREPARE:
		prepare(task);
		break;
	case DIRECT_VERIFY:
		verify(task);
		break;
	case DIRECT_HELPER:
		helper_run(task);
		break;
	}
}

/* ---- lanes ------------------------------------------------------------------------------ */

static void tell(struct direct *direct, struct task *task)
{
	const uint64_t one = 1;
	ssize_t r;

	list_append(&direct->done, &task->link);
	r = write(direct->fd, &one, sizeof(one));
	(void)r; /* a counter that is full polls readable all the same */
}

static void leave(struct lane *lane)
{
	struct direct *direct = lane->direct;

	if (--lane->threads == 0) {
		list_unlink(&lane->link);
		free(lane);
	}
	if (--direct->threads == 0)
		pthread_cond_signal(&direct->idle);
}

static void *lane_main(void *data)
{
	struct lane *lane = data;
	struct direct *direct = lane->direct;
	struct list *l;

	pthread_mutex_lock(&direct->lock);
	while ((l = list_first(&lane->tasks))) {
		struct task *task = list_entry(l, struct task, link);

		list_unlink(l);
		pthread_mutex_unlock(&direct->lock);
		run(task);
		pthread_mutex_lock(&direct->lock);
		tell(direct, task);
	}
	leave(lane);
	pthread_mutex_unlock(&direct->lock);
	return NULL;
}

static struct lane *lane_get(struct direct *direct, const struct direct_job *job)
{
	struct lane *lane;

	list_for_each (l, &direct->lanes) {
		lane = list_entry(l, struct lane, link);
		if (lane->type == job->type && lane->asked == job->asked &&
		    lane->device == job->device)
			return lane;
	}
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	lane->type = job->type;
	lane->asked = job->asked;
	lane->device = job->device;
	lane->direct = direct;
	list_init(&lane->tasks);
	list_append(&direct->lanes, &lane->link);
	return lane;
}

static int lane_staff(struct lane *lane)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (lane->threads == LANE_THREADS)
		return 0;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, lane_main, lane);
	pthread_attr_destroy(&attr);
	if (r == 0) {
		lane->threads++;
		lane->direct->threads++;
	}
	/* those who are there do it later */
	return r && lane->threads == 0 ? -EAGAIN : 0;
}

/* ---- jobs ------------------------------------------------------------------------------- */

static struct task *task_free(struct task *task)
{
	if (!task)
		return NULL;
	fd_close(task->wake);
	direct_event_deinit(&task->event);
	free(task);
	return NULL;
}

/* What the job owns, which is still the caller's until it is on its way. */
static void job_deinit(struct direct_job *job)
{
	job->fd = fd_close(job->fd);
	job->map = direct_map_unref(job->map);
	free(job->helper);
	free(job->facts);
	job->helper = job->facts = NULL;
}

static struct task *task_new(const struct direct_job *job)
{
	struct task *task = calloc(1, sizeof(*task));
	bool complete = true;

	if (!task)
		return NULL;
	list_init(&task->link);
	list_init(&task->all_link);
	task->job = *job;
	task->wake = -1;
	task->event = (struct direct_event){ .type = job->type, .tag = job->tag, .fd = -1 };
	if (job->type == DIRECT_PREPARE) {
		task->event.map = calloc(1, sizeof(*task->event.map));
		complete = task->event.map;
		if (complete)
			task->event.map->refs = 1;
	} else if (job->type == DIRECT_VERIFY) {
		task->event.differences =
			calloc(DIRECT_DIFFERENCES_MAX, sizeof(*task->event.differences));
		complete = task->event.differences;
	} else {
		task->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		complete = task->wake >= 0;
	}
	return complete ? task : task_free(task);
}

int direct_submit(struct direct *direct, const struct direct_job *job)
{
	struct task *task = task_new(job);
	struct lane *lane;
	int r = -ENOMEM;

	if (!task)
		return -ENOMEM;
	pthread_mutex_lock(&direct->lock);
	lane = lane_get(direct, job);
	if (lane) {
		list_append(&lane->tasks, &task->link);
		list_append(&direct->all, &task->all_link);
		idmap_insert(&direct->tasks, &task->node, job->tag);
		r = lane_staff(lane);
		if (r < 0) {
			idmap_remove(&direct->tasks, &task->node);
			list_unlink(&task->all_link);
			list_unlink(&task->link);
			list_unlink(&lane->link);
			free(lane);
		}
	}
	pthread_mutex_unlock(&direct->lock);
	if (r < 0)
		task_free(task);
	return r;
}

static void cancel(struct task *task)
{
	const uint64_t one = 1;
	ssize_t r = 0;

	atomic_store(&task->cancelled, true);
	if (task->wake >= 0)
		r = write(task->wake, &one, sizeof(one));
	(void)r;
}

void direct_cancel(struct direct *direct, uint64_t tag)
{
	struct idmap_node *n;

	pthread_mutex_lock(&direct->lock);
	n = idmap_find(&direct->tasks, tag);
	if (n)
		cancel(container_of(n, struct task, node));
	pthread_mutex_unlock(&direct->lock);
}

bool direct_next(struct direct *direct, struct direct_event *ret)
{
	struct task *task = NULL;
	uint64_t count;
	struct list *l;

	pthread_mutex_lock(&direct->lock);
	l = list_first(&direct->done);
	if (l) {
		task = list_entry(l, struct task, link);
		list_unlink(l);
		list_unlink(&task->all_link);
		idmap_remove(&direct->tasks, &task->node);
	} else if (read(direct->fd, &count, sizeof(count)) < 0) {
		count = 0;
	}
	pthread_mutex_unlock(&direct->lock);
	if (!task)
		return false;
	*ret = task->event;
	task->event = (struct direct_event){ .fd = -1 };
	job_deinit(&task->job);
	task_free(task);
	return true;
}

int direct_get_fd(const struct direct *direct)
{
	return direct->fd;
}

/* ---- beginning and end ------------------------------------------------------------------ */

int direct_new(struct direct **ret)
{
	struct direct *direct = calloc(1, sizeof(*direct));
	pthread_condattr_t attr;

	if (!direct)
		return -ENOMEM;
	direct->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (direct->fd < 0) {
		free(direct);
		return -errno;
	}
	pthread_mutex_init(&direct->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&direct->idle, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&direct->lanes);
	list_init(&direct->done);
	list_init(&direct->all);
	*ret = direct;
	return 0;
}

static bool wait_idle(struct direct *direct)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += DEADLINE_LEAVE_S;
	while (direct->threads > 0 && r == 0)
		r = pthread_cond_timedwait(&direct->idle, &direct->lock, &until);
	return direct->threads == 0;
}

struct direct *direct_free(struct direct *direct)
{
	struct direct_event event;
	bool idle;

	if (!direct)
		return NULL;
	pthread_mutex_lock(&direct->lock);
	list_for_each (l, &direct->all)
		cancel(list_entry(l, struct task, all_link));
	idle = wait_idle(direct);
	pthread_mutex_unlock(&direct->lock);
	if (!idle)
		return NULL; /* a disk has them; what they will touch stays */
	while (direct_next(direct, &event))
		direct_event_deinit(&event);
	idmap_deinit(&direct->tasks);
	fd_close(direct->fd);
	pthread_cond_destroy(&direct->idle);
	pthread_mutex_destroy(&direct->lock);
	free(direct);
	return NULL;
}
