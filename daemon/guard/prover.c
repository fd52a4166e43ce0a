/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The prover's thread: hears of broken leases, and looks whether what was let go is over.
 *
 * It is the one that the kernel signals about leases: they are directed at this thread, which has
 * every signal blocked and takes them out of a signalfd. It never reads events of fanotify, so that
 * a lease of ours is given up even while the other thread waits for it.
 *
 * A signal says which lease; what the break wants, the lease itself says when it is looked at. So a
 * signal too many does no harm, nor one that arrives when the lease has gone. Should there have
 * been no memory for one, the kernel sends SIGIO without a name, and all leases are looked at.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/guard/state.h"
#include "util/cleanup.h"

static void broken(struct guard *guard, struct object *object)
{
	enum lease_break by = lease_break(object->fd, object->lease);

	if (by != LEASE_UNBROKEN)
		held_break(guard, object, by == LEASE_BROKEN_BY_WRITER);
}

static void all_broken(struct guard *guard)
{
	for (size_t i = 0; i < guard->n_inodes; i++)
		list_for_each (l, &guard->inodes[i]) {
			struct object *object = list_entry(l, struct object, inode_link);

			if (object->level == GUARD_LEASE)
				broken(guard, object);
		}
}

static void take_signals(struct guard *guard, int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		struct idmap_node *n;

		pthread_mutex_lock(&guard->lock);
		n = idmap_find(&guard->by_fd, (uint64_t)info.ssi_fd);
		if ((int)info.ssi_signo != guard->signal)
			all_broken(guard);
		else if (n)
			broken(guard, container_of(n, struct object, by_fd));
		pthread_mutex_unlock(&guard->lock);
	}
}

void *prover_thread(void *data)
{
	struct guard *guard = data;
	_cleanup_fd_ int signals = -1;
	struct pollfd fds[2];
	uint64_t count;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, guard->signal);
	sigaddset(&set, SIGIO);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	pthread_mutex_lock(&guard->lock);
	guard->prover_tid = signals < 0 ? -errno : gettid();
	pthread_cond_signal(&guard->started);
	pthread_mutex_unlock(&guard->lock);
	fds[0] = (struct pollfd){ .fd = guard->prove_fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
	while (signals >= 0 && !atomic_load(&guard->stop)) {
		uint64_t next;
		struct timespec ts, wait = { 0 };
		bool more;

		take_signals(guard, signals);
		more = outsiders_run(guard);
		more |= attached_run(guard);
		next = prove_due(guard);
		if (more)
			next = 0;
		clock_gettime(CLOCK_MONOTONIC, &ts);
		if (next != UINT64_MAX) {
			uint64_t at =
				(uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;

			next = next > at ? next - at : 0;
			wait.tv_sec = (time_t)(next / UINT64_C(1000000000));
			wait.tv_nsec = (long)(next % UINT64_C(1000000000));
		}
		if (ppoll(fds, 2, next == UINT64_MAX ? NULL : &wait, NULL) > 0 && fds[0].revents &&
		    read(guard->prove_fd, &count, sizeof(count)) < 0)
			break;
	}
	return NULL;
}
