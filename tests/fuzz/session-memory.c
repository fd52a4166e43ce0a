/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Windows in the process that also serves them.
 *
 * A thread that touches a window, or changes its mapping, waits in the kernel for the supervisor.
 * So the main thread, which turns the supervisor's rounds, never does: it only maps fresh places,
 * that no userfaultfd knows, and unmaps after the last of those was closed. One more thread does
 * the rest, one thing at a time; it may be parked as long as the input likes, but when all is
 * closed it must be free.
 *
 * Places are never given back during an input: a hole would be filled by the allocator, and a later
 * touch would hit that.
 */

#include "tests/fuzz/session-memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session-ops.h"
#include "util/cleanup.h"

#define SLOTS 24
#define PROBES 64
#define PATIENCE_S 8
#define MOMENT_NS 2000000

struct task {
	unsigned int how;
	uint64_t address, length, page;
	int fd;	     /* its own */
	void *place; /* another slot, for what moves */
};

static unsigned char *arena, *probes;
static size_t n_slots, n_probes;
static struct task task;
static bool busy;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static _Thread_local sigjmp_buf out;
static _Thread_local volatile sig_atomic_t touching;
static struct sigaction before[2];

/* ---- places ----------------------------------------------------------------------------- */

static void *reserve(void *at, size_t size)
{
	void *p = mmap(at, size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);

	promise(p != MAP_FAILED);
	return p;
}

static void *take_slot(void)
{
	return n_slots < SLOTS ? arena + MEMORY_SLOT * n_slots++ : NULL;
}

void *memory_map(int fd, size_t length, int protection, int sharing, uint64_t offset)
{
	void *place, *p;

	if (fd < 0 || length == 0 || length > MEMORY_SLOT || !(place = take_slot()))
		return NULL;
	p = mmap(place, length, protection, sharing | MAP_FIXED, fd, (off_t)offset);
	return p == MAP_FAILED ? NULL : p;
}

uint64_t memory_probe(void)
{
	unsigned char *page = probes + MEMORY_PAGE * (n_probes % PROBES);

	if (n_probes++ < PROBES)
		promise(mmap(page, MEMORY_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
	return (uintptr_t)page;
}

uint64_t memory_harmless(uint64_t address)
{
	uint64_t base = (uintptr_t)arena;

	if (address - base < MEMORY_SLOT * SLOTS ||
	    address - (uintptr_t)probes < MEMORY_PAGE * PROBES)
		return address;
	switch (address % 8) {
	case 0:
		return 0;
	case 1:
		return memory_probe() + 1;
	case 2:
		return UINT64_MAX - 4095;
	case 3:
		return (uintptr_t)&memory_harmless & ~(uint64_t)4095; /* a file's */
	case 4:
		return base; /* whatever is there */
	default:
		return memory_probe();
	}
}

/* ---- the thread ------------------------------------------------------------------------- */

static void caught(int number, siginfo_t *info, void *context)
{
	const struct sigaction *then = &before[number == SIGSEGV];

	if (touching)
		siglongjmp(out, 1);
	if (then->sa_flags & SA_SIGINFO)
		then->sa_sigaction(number, info, context);
	else
		abort();
}

static void touch(const struct task *t)
{
	void *page = (void *)(uintptr_t)(t->address + t->page * MEMORY_PAGE);
	volatile unsigned char *byte = page;
	struct iovec local, remote = { page, 8 };
	char bytes[8];

	switch (t->how) {
	case SESSION_TOUCH_READ:
		(void)byte[0];
		break;
	case SESSION_TOUCH_WRITE:
		byte[8] = (unsigned char)(t->page + 1);
		break;
	case SESSION_TOUCH_DROP:
		madvise(page, t->length - t->page * MEMORY_PAGE, MADV_DONTNEED);
		break;
	case SESSION_TOUCH_UNMAP:
		reserve(page, MEMORY_PAGE);
		break;
	case SESSION_TOUCH_MOVE:
		if (t->place)
			mremap((void *)(uintptr_t)t->address, t->length, t->length,
			       MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, t->place);
		break;
	case SESSION_TOUCH_REMAP:
		if (t->place && mmap(t->place, t->length, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_FIXED, t->fd, 0) == t->place)
			((volatile unsigned char *)t->place)[t->page * MEMORY_PAGE + 16] = 1;
		break;
	case SESSION_TOUCH_SYSCALL:
		local = (struct iovec){ bytes, sizeof(bytes) };
		(void)process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
		break;
	}
}

static void *run(void *data)
{
	(void)data;
	pthread_mutex_lock(&lock);
	for (;;) {
		struct task now;

		while (!busy)
			pthread_cond_wait(&changed, &lock);
		now = task;
		pthread_mutex_unlock(&lock);
		if (sigsetjmp(out, 1) == 0) {
			touching = 1;
			touch(&now);
		}
		touching = 0;
		fd_close(now.fd);
		pthread_mutex_lock(&lock);
		busy = false;
		pthread_cond_broadcast(&changed);
	}
	return NULL;
}

static bool wait_free(uint64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)((ns + (uint64_t)until.tv_nsec) / 1000000000);
	until.tv_nsec = (long)((ns + (uint64_t)until.tv_nsec) % 1000000000);
	while (busy)
		if (pthread_cond_timedwait(&changed, &lock, &until) == ETIMEDOUT)
			break;
	return !busy;
}

void memory_touch(unsigned int how, uint64_t address, size_t length, size_t page, int fd)
{
	size_t pages = (length + MEMORY_PAGE - 1) / MEMORY_PAGE;

	if (pages == 0)
		return;
	pthread_mutex_lock(&lock);
	if (!busy) {
		task = (struct task){
			.how = how % _SESSION_TOUCH_N,
			.address = address,
			.length = pages * MEMORY_PAGE,
			.page = page % pages,
			.fd = -1,
		};
		if (task.how == SESSION_TOUCH_MOVE || task.how == SESSION_TOUCH_REMAP)
			task.place = take_slot();
		if (task.how == SESSION_TOUCH_REMAP)
			task.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		busy = true;
		pthread_cond_broadcast(&changed);
		wait_free(MOMENT_NS);
	}
	pthread_mutex_unlock(&lock);
}

void memory_end(void)
{
	bool is_free;

	pthread_mutex_lock(&lock);
	is_free = wait_free((uint64_t)PATIENCE_S * 1000000000);
	pthread_mutex_unlock(&lock);
	promise(is_free);
	if (n_slots > 0)
		reserve(arena, MEMORY_SLOT * n_slots);
	if (n_probes > 0)
		reserve(probes, MEMORY_PAGE * PROBES);
	n_slots = n_probes = 0;
}

/* After whoever else wants those signals. */
void memory_begin(void)
{
	struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER };
	pthread_t thread;

	arena = reserve(NULL, MEMORY_SLOT * SLOTS);
	probes = reserve(NULL, MEMORY_PAGE * PROBES);
	promise(sigaction(SIGBUS, &action, &before[0]) == 0);
	promise(sigaction(SIGSEGV, &action, &before[1]) == 0);
	promise(pthread_create(&thread, NULL, run, NULL) == 0);
	pthread_detach(thread);
}
