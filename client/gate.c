/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Gates: a recall waits for the threads that use the window, and they hardly pay for it.
 *
 * A thread announces in its own mapseal_self which gate it goes through, then looks whether the
 * gate is closed. Whoever recalls closes the gate, then looks at all threads' announcements. Either
 * the thread sees the closed gate or it is seen. That needs a full fence between store and load on
 * both sides; the threads' side has none, since gate_barrier() makes every thread of the process
 * execute one (membarrier(2)) at the moment when it matters.
 *
 *	thread				recall
 *	inside = gate			closed = 1, watched = 1
 *	(compiler fence)		membarrier
 *	if (closed) withdraw		if (any inside == gate) wait for exits
 *
 * Leaving is the same the other way around: `inside` is cleared, then `closed` is read; a thread
 * whose read missed the closing is one whose clearing was seen.
 *
 * Nobody waits for a lock to go in or out. The list of threads has a lock, taken by a thread's
 * first enter, its end, and a scan; signals are blocked meanwhile, so that a signal handler may
 * enter too. For its sake a thread takes its place (depth) before it announces anything there. A
 * gate never decides whether it is open: that is for the seal it belongs to.
 *
 * A process in which no thread has ever entered is spared all that. A thread's first enter counts it
 * before it looks whether the gate is closed, and a recall closes before it looks at the count, both in
 * the one order of sequentially consistent accesses: either the recall counts the thread, or the
 * thread sees the closed gate.
 */

#include "client/gate.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/error.h"
#include "client/fork.h"
#include "util/list.h"

/* A thread that has entered once, on the list of all of them. */
struct gate_thread {
	struct list link;
	struct mapseal_self *self;
};

_Static_assert(offsetof(struct gate, public) == 0, "mapseal_enter() takes the seal for its gate");

__thread struct mapseal_self mapseal_self __attribute__((__tls_model__("initial-exec")));

static __thread struct gate_thread thread;
static struct list threads = LIST_INIT(threads);
static uint32_t n_threads; /* on the list */
static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t threads_key;
static int threads_key_error;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool global_barrier; /* PRIVATE_EXPEDITED is refused here */

static void lock_threads(sigset_t *saved)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
	pthread_mutex_lock(&threads_lock);
}

static void unlock_threads(const sigset_t *saved)
{
	pthread_mutex_unlock(&threads_lock);
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/* ---- the recall's side ------------------------------------------------------------------- */

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void notify(struct gate *gate)
{
	static const uint64_t one = 1;
	int saved = errno;

	if (__atomic_load_n(&gate->watched, __ATOMIC_SEQ_CST) == 0)
		return;
	__atomic_add_fetch(&gate->exits, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &gate->exits, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	/* EAGAIN is a counter that is full: the agent wakes all the same. */
	if (write(gate->kick, &one, sizeof(one)) < 0 || errno != saved)
		errno = saved;
}

/* The thread ends. One that ends inside has left; its own memory goes away after this. */
static void forget_thread(void *data)
{
	struct mapseal_self *self = &mapseal_self;
	const struct mapseal_gate *inside[MAPSEAL_NEST];
	uint32_t depth = self->depth;
	sigset_t saved;

	(void)data;
	lock_threads(&saved);
	list_unlink(&thread.link);
	for (uint32_t i = 0; i < MAPSEAL_NEST; i++) {
		inside[i] = self->inside[i];
		__atomic_store_n(&self->inside[i], NULL, __ATOMIC_SEQ_CST);
	}
	self->depth = 0;
	self->ready = 0;
	__atomic_sub_fetch(&n_threads, 1, __ATOMIC_SEQ_CST);
	unlock_threads(&saved);
	for (uint32_t i = 0; i < depth; i++)
		if (inside[i])
			notify(container_of(inside[i], struct gate, public));
}

static void make_key(void)
{
	threads_key_error = pthread_key_create(&threads_key, forget_thread);
}

int gate_setup(void)
{
	pthread_once(&once, make_key);
	if (threads_key_error)
		return error_set(threads_key_error, "No pthread key for the end of threads");
	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0)
		return 0;
	if (membarrier(MEMBARRIER_CMD_GLOBAL) < 0)
		return error_set(EOPNOTSUPP, "membarrier(2) is not allowed in this process: %m");
	__atomic_store_n(&global_barrier, true, __ATOMIC_RELAXED);
	return 0;
}

void gate_init(struct gate *gate, int kick)
{
	*gate = (struct gate){ .public.closed = 1, .kick = kick, .pid = getpid() };
}

void gate_open(struct gate *gate)
{
	__atomic_store_n(&gate->public.closed, 0, __ATOMIC_RELEASE);
}

void gate_close(struct gate *gate)
{
	__atomic_store_n(&gate->public.closed, 1, __ATOMIC_SEQ_CST);
}

void gate_watch(struct gate *gate)
{
	__atomic_add_fetch(&gate->watched, 1, __ATOMIC_SEQ_CST);
}

void gate_unwatch(struct gate *gate)
{
	__atomic_sub_fetch(&gate->watched, 1, __ATOMIC_SEQ_CST);
}

static bool nobody_entered(void)
{
	return __atomic_load_n(&n_threads, __ATOMIC_SEQ_CST) == 0;
}

void gate_barrier(void)
{
	if (nobody_entered())
		return;
	if (!__atomic_load_n(&global_barrier, __ATOMIC_RELAXED) &&
	    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
		return;
	membarrier(MEMBARRIER_CMD_GLOBAL);
}

static bool announces(const struct mapseal_self *self, const struct gate *gate)
{
	bool inside = false;

	/* No early end: each load acquires what its thread did before it left. */
	for (size_t i = 0; i < MAPSEAL_NEST; i++)
		inside |= __atomic_load_n(&self->inside[i], __ATOMIC_ACQUIRE) == &gate->public;
	return inside;
}

bool gate_inside(const struct gate *gate)
{
	bool inside = false;
	sigset_t saved;

	if (nobody_entered())
		return false;
	lock_threads(&saved);
	list_for_each(l, &threads)
		inside |= announces(list_entry(l, struct gate_thread, link)->self, gate);
	unlock_threads(&saved);
	return inside;
}

bool gate_inside_self(const struct gate *gate)
{
	return announces(&mapseal_self, gate);
}

void gate_wait_empty(struct gate *gate)
{
	gate_watch(gate);
	gate_barrier();
	for (;;) {
		uint32_t exits = __atomic_load_n(&gate->exits, __ATOMIC_ACQUIRE);

		if (!gate_inside(gate))
			break;
		syscall(SYS_futex, &gate->exits, FUTEX_WAIT_PRIVATE, exits, NULL, NULL, 0);
	}
	gate_unwatch(gate);
}

/* ---- the threads' side ------------------------------------------------------------------- */

static int join_threads(struct mapseal_self *self)
{
	sigset_t saved;
	int r;

	lock_threads(&saved);
	/* A signal handler may have been first. */
	r = self->ready ? 0 : pthread_setspecific(threads_key, self);
	if (r == 0 && !self->ready) {
		thread.self = self;
		list_append(&threads, &thread.link);
		__atomic_add_fetch(&n_threads, 1, __ATOMIC_SEQ_CST);
		self->ready = 1;
	}
	unlock_threads(&saved);
	return r;
}

int mapseal_enter_slow(struct mapseal_seal *seal)
{
	struct gate *gate = (struct gate *)(void *)seal;
	struct mapseal_self *self = &mapseal_self;
	uint32_t depth = self->depth;

	if (gate->pid != fork_self())
		return error_plain(ECHILD, "The seal belongs to the parent process");
	if (!self->ready && join_threads(self))
		return error_plain(ENOMEM, "No room to note the end of this thread");
	if (depth == MAPSEAL_NEST)
		return error_plain(EOVERFLOW, "mapseal_enter() is nested too deep");
	/* Who is inside already may go in again, closed or not: the recall waits for it anyway. */
	self->depth = depth + 1;
	if (!gate_inside_self(gate)) {
		__atomic_store_n(&self->inside[depth], &gate->public, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&gate->public.closed, __ATOMIC_SEQ_CST)) {
			__atomic_store_n(&self->inside[depth], NULL, __ATOMIC_SEQ_CST);
			self->depth = depth;
			/* It may have been seen here. */
			notify(gate);
			return error_plain(ESTALE, "The seal is recalled, returned or revoked");
		}
	}
	__atomic_store_n(&self->inside[depth], &gate->public, __ATOMIC_RELAXED);
	return 0;
}

void mapseal_exit_slow(struct mapseal_seal *seal)
{
	notify((struct gate *)(void *)seal);
}

/* ---- fork -------------------------------------------------------------------------------- */

static sigset_t fork_saved;

void gate_fork_prepare(void)
{
	sigset_t saved;

	lock_threads(&saved);
	fork_saved = saved;
}

void gate_fork_parent(void)
{
	sigset_t saved = fork_saved;

	unlock_threads(&saved);
}

/* Of all threads only this one is left. */
void gate_fork_child(void)
{
	list_init(&threads);
	if (mapseal_self.ready)
		list_append(&threads, &thread.link);
	__atomic_store_n(&n_threads, mapseal_self.ready ? 1 : 0, __ATOMIC_SEQ_CST);
	gate_fork_parent();
}
