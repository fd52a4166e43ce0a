/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The guard's beginning and end.
 *
 * Both threads have all signals blocked, whatever the program does with its own. What is missing
 * here, fanotify's permission events or the right to use them, is found out once, by trying;
 * whether a file's file system takes part is found out for each file (object.c).
 *
 * At the end strangers are let go: those that were read by an answer, those that were not by the
 * kernel, when the group is closed. The same happens if this process dies.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/core/deadline.h"
#include "daemon/guard/fan.h"
#include "daemon/guard/state.h"
#include "util/cleanup.h"

static void free_tables(struct guard *guard)
{
	struct idmap_node *n;

	while ((n = idmap_any(&guard->tickets))) {
		struct held *held = container_of(n, struct held, node);

		notice_drop(&held->notice);
		notice_drop(&held->notice_gone);
		idmap_remove(&guard->tickets, n);
		if (held->number >= 0)
			fan_answer(guard->group, held->number, 0);
		share_refund(guard, take_ptr(held->share));
		held_free(held);
	}
	while ((n = idmap_any(&guard->seals))) {
		struct seal *seal = container_of(n, struct seal, node);

		notice_drop(&seal->settled);
		idmap_remove(&guard->seals, n);
		free(seal);
	}
	for (size_t i = 0; i < guard->n_inodes; i++)
		list_for_each (l, &guard->inodes[i]) {
			struct object *object = list_entry(l, struct object, inode_link);

			if (object->lease != LEASE_NONE)
				lease_drop(object->fd);
			fd_close(object->fd);
			taint_clear(&guard->threads, &object->taint);
			list_unlink(l);
			free(object);
		}
	list_for_each (l, &guard->notices) {
		struct notice *notice = list_entry(l, struct notice, link);

		list_unlink(l);
		if (notice->on_heap)
			free(notice);
	}
	free(guard->inodes);
	idmap_deinit(&guard->tickets);
	idmap_deinit(&guard->shares);
	idmap_deinit(&guard->seals);
	idmap_deinit(&guard->objects);
	idmap_deinit(&guard->by_fd);
	idmap_deinit(&guard->threads.threads);
	idmap_deinit(&guard->threads.flights);
}

struct guard *guard_free(struct guard *guard)
{
	const uint64_t one = 1;

	if (!guard)
		return NULL;
	atomic_store(&guard->stop, true);
	if ((guard->police_runs && write(guard->stop_fd, &one, sizeof(one)) < 0) ||
	    (guard->prover_runs && write(guard->prove_fd, &one, sizeof(one)) < 0))
		return NULL; /* can't be: a counter takes that */
	if (guard->police_runs)
		pthread_join(guard->police, NULL);
	if (guard->prover_runs)
		pthread_join(guard->prover, NULL);
	outsiders_free(guard);
	free_tables(guard);
	fd_close(guard->group);
	fd_close(guard->stand_in);
	fd_close(guard->own_tasks);
	fd_close(guard->stop_fd);
	fd_close(guard->poll_fd);
	fd_close(guard->notices_fd);
	fd_close(guard->prove_fd);
	pthread_cond_destroy(&guard->started);
	pthread_mutex_destroy(&guard->lock);
	free(guard);
	return NULL;
}

static int start_threads(struct guard *guard)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&guard->prover, NULL, prover_thread, guard);
	guard->prover_runs = r == 0;
	if (r == 0 && guard->group >= 0) {
		r = -pthread_create(&guard->police, NULL, police_thread, guard);
		guard->police_runs = r == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	pthread_mutex_lock(&guard->lock);
	while (!guard->prover_tid)
		pthread_cond_wait(&guard->started, &guard->lock);
	r = guard->prover_tid < 0 ? guard->prover_tid : 0;
	pthread_mutex_unlock(&guard->lock);
	return r;
}

static int watch(struct guard *guard, int fd, uint64_t what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = what };

	return epoll_ctl(guard->poll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_all(struct guard *guard)
{
	int r;

	guard->notices_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	guard->prove_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	guard->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	guard->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	guard->own_tasks = open("/proc/self/task", O_PATH | O_DIRECTORY | O_CLOEXEC);
	guard->stand_in = open("/proc/self", O_PATH | O_CLOEXEC);
	if (guard->notices_fd < 0 || guard->prove_fd < 0 || guard->stop_fd < 0 ||
	    guard->poll_fd < 0 || guard->own_tasks < 0 || guard->stand_in < 0)
		return -errno;
	guard->level = guard->config.strongest;
	if (guard->level == GUARD_FANOTIFY && guard->group < 0)
		guard->level = GUARD_LEASE;
	if (guard->level < GUARD_FANOTIFY)
		guard->group = fd_close(guard->group);
	if (guard->group < 0)
		return 0;
	r = watch(guard, guard->group, 0);
	/* readable for ever once it was written: the loop ends before it looks again */
	return r < 0 ? r : watch(guard, guard->stop_fd, 0);
}

int guard_open_group(void)
{
	int fd;

	return fan_new(&fd) == 0 ? fd : -1;
}

int guard_new(const struct guard_config *config, struct guard **ret)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	int r;

	if (!guard) {
		fd_close(config->group);
		return -ENOMEM;
	}
	guard->config = *config;
	guard->group = config->group;
	guard->stand_in = guard->own_tasks = guard->stop_fd = guard->poll_fd =
		guard->notices_fd = guard->prove_fd = -1;
	guard->attached_at = SIZE_MAX;
	guard->loop_group = attached_group();
	guard->signal = SIGRTMIN + 3;
	pthread_mutex_init(&guard->lock, NULL);
	pthread_cond_init(&guard->started, NULL);
	for (size_t i = 0; i < PROVE_LEVELS; i++)
		list_init(&guard->prove[i]);
	list_init(&guard->notices);
	list_init(&guard->outsiders);
	r = open_all(guard);
	if (r == 0)
		r = start_threads(guard);
	if (r < 0) {
		guard_free(guard);
		return r;
	}
	*ret = guard;
	return 0;
}

enum guard_level guard_level(const struct guard *guard)
{
	return guard->level;
}

uint32_t guard_limit_ms(const struct guard *guard, enum guard_level level)
{
	uint32_t ms = lease_break_ms();

	(void)guard;
	if (level != GUARD_LEASE || ms == 0)
		return 0;
	return ms - (ms / 5 < DEADLINE_MARGIN_MS ? ms / 5 : DEADLINE_MARGIN_MS);
}

void guard_stats(struct guard *guard, struct guard_stats *ret)
{
	pthread_mutex_lock(&guard->lock);
	*ret = guard->stats;
	ret->held = guard->n_held;
	pthread_mutex_unlock(&guard->lock);
}
