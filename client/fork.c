/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fork(2): seals stay with the process that acquired them.
 *
 * A child has copies of everything but the windows, and may use nothing of it: every call compares
 * the connection's pid with its own. mapseal_enter() makes no call, so the gates are closed in the
 * child, which sends it the slow way, where there is such a comparison. The pid is remembered in a page
 * that the kernel empties in a child (MADV_WIPEONFORK), however that was made.
 *
 * For that the locks have to be free in the child: they are all taken before the fork, in the order
 * list of connections, connections, threads, which no other code takes in any other order.
 */

#include "client/fork.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/connection.h"
#include "client/error.h"
#include "client/gate.h"
#include "client/seal.h"

static struct list connections = LIST_INIT(connections);
static pthread_mutex_t connections_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;
static pid_t *self; /* NULL: it is asked for each time */

static void prepare(void)
{
	pthread_mutex_lock(&connections_lock);
	list_for_each(l, &connections)
		wire_lock(&list_entry(l, struct mapseal, link)->wire);
	gate_fork_prepare();
}

static void unlock(void)
{
	list_for_each(l, &connections)
		wire_unlock(&list_entry(l, struct mapseal, link)->wire);
	pthread_mutex_unlock(&connections_lock);
}

static void parent(void)
{
	gate_fork_parent();
	unlock();
}

static void child(void)
{
	gate_fork_child();
	list_for_each(l, &connections) {
		struct mapseal *m = list_entry(l, struct mapseal, link);

		list_for_each(s, &m->seals)
			gate_close(&list_entry(s, struct mapseal_seal, link)->gate);
	}
	unlock();
}

static void set_up(void)
{
	size_t size = connection_page();
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	once_error = pthread_atfork(prepare, parent, child);
	if (page == MAP_FAILED)
		return;
	if (madvise(page, size, MADV_WIPEONFORK) == 0)
		self = page;
	else
		munmap(page, size);
}

pid_t fork_self(void)
{
	pid_t pid = self ? __atomic_load_n(self, __ATOMIC_RELAXED) : 0;

	if (pid)
		return pid;
	pid = getpid();
	if (self)
		__atomic_store_n(self, pid, __ATOMIC_RELAXED);
	return pid;
}

int fork_add(struct mapseal *m)
{
	pthread_once(&once, set_up);
	if (once_error)
		return error_set(once_error, "No room for a fork handler");
	pthread_mutex_lock(&connections_lock);
	list_append(&connections, &m->link);
	pthread_mutex_unlock(&connections_lock);
	return 0;
}

void fork_remove(struct mapseal *m)
{
	pthread_mutex_lock(&connections_lock);
	list_unlink(&m->link);
	pthread_mutex_unlock(&connections_lock);
}
