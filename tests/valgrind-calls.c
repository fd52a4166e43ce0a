/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What valgrind does not know of the system calls made here, for the programs that run under it: preloaded.
 *
 * Debian 12's valgrind (3.19) answers userfaultfd(2), pidfd_open(2), openat2(2) and mlock2(2) with ENOSYS. None of them
 * writes to memory or waits, so nothing is lost by making them behind its back, on the real
 * processor. What runs there has valgrind's own thread pointer: it may use no thread-local
 * variable, errno least of all.
 *
 * And it lets one thread run at a time, and keeps to that in io_uring_enter(2), which it takes for a call that
 * never waits. So a ring is waited for with poll(2). Polling was seen to miss multishot completions of a
 * ring that defers its work (Linux 6.18), so there is none: programs have to do without on older kernels too.
 *
 * Nor does it see what the ring writes: a read counts as done when it is asked for.
 *
 * In a child of many threads what only another thread's stack leads to would be lost; leaks are not looked for there.
 */

#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <valgrind/memcheck.h>

/* Not every program is linked with it. */
#pragma weak io_uring_get_events

struct call {
	long number, arguments[4];
};

static long on_the_processor(size_t thread, const struct call *call)
{
	register long fourth __asm__("r10") = call->arguments[3];
	long result;

	(void)thread;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(call->number), "D"(call->arguments[0]), "S"(call->arguments[1]),
			   "d"(call->arguments[2]), "r"(fourth)
			 : "rcx", "r11", "memory");
	return result;
}

long syscall(long number, ...)
{
	long (*next)(long number, ...);
	long a[6], result;
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	/* a program that one of them calls by exec has this preloaded, but no valgrind */
	if (RUNNING_ON_VALGRIND &&
	    (number == SYS_userfaultfd || number == SYS_pidfd_open || number == SYS_openat2 ||
	     number == SYS_mlock2)) {
		struct call call = { number, { a[0], a[1], a[2], a[3] } };

		result = (long)VALGRIND_NON_SIMD_CALL1(on_the_processor, &call);
		if (result >= 0)
			return result;
		errno = (int)-result;
		return -1;
	}
	next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The C library has functions for these, too. */
int mlock2(const void *address, size_t length, unsigned int flags)
{
	return (int)syscall(SYS_mlock2, address, length, flags);
}

int pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

/* ---- rings ------------------------------------------------------------------------------- */

static void expect_reads(const struct io_uring *ring)
{
	for (unsigned int i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
		const struct io_uring_sqe *sqe = &ring->sq.sqes[i & ring->sq.ring_mask];

		if (sqe->opcode == IORING_OP_READ)
			VALGRIND_MAKE_MEM_DEFINED((void *)(uintptr_t)sqe->addr, sqe->len);
	}
}

int io_uring_submit(struct io_uring *ring)
{
	int (*next)(struct io_uring *) =
		(int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit");

	expect_reads(ring);
	return next(ring);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	int (*next)(struct io_uring *) =
		(int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit_and_get_events");

	expect_reads(ring);
	return next(ring);
}

static int submit_and_poll(struct io_uring *ring, unsigned int n, int timeout_ms)
{
	struct pollfd polled = { .fd = ring->ring_fd, .events = POLLIN };
	int submitted = io_uring_submit_and_get_events(ring);

	while (submitted >= 0 && io_uring_cq_ready(ring) < n) {
		int r = poll(&polled, 1, timeout_ms);

		if (r < 0)
			return -errno;
		if (r == 0)
			return -ETIME;
		io_uring_get_events(ring);
	}
	return submitted;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int n)
{
	return submit_and_poll(ring, n, -1);
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **ret_cqe,
				     unsigned int n, struct __kernel_timespec *timeout,
				     sigset_t *mask)
{
	(void)ret_cqe, (void)mask;
	return submit_and_poll(ring, n,
			       (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000 + 1));
}

int io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
			       struct io_uring_params *params)
{
	int (*next)(unsigned int, struct io_uring *, struct io_uring_params *) =
		(int (*)(unsigned int, struct io_uring *, struct io_uring_params *))dlsym(
			RTLD_NEXT, "io_uring_queue_init_params");

	if (params->flags & IORING_SETUP_DEFER_TASKRUN)
		return -EINVAL;
	return next(entries, ring, params);
}

/* ---- children ---------------------------------------------------------------------------- */

static char was_single;

static void before_fork(void)
{
	was_single = __libc_single_threaded;
}

static void in_the_child(void)
{
	if (!was_single)
		VALGRIND_CLO_CHANGE("--leak-check=no");
}

static __attribute__((constructor)) void watch_forks(void)
{
	pthread_atfork(before_fork, NULL, in_the_child);
}
