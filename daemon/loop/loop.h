/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A small event loop over io_uring: readiness, completions, one deadline.
 *
 * One loop belongs to one thread. A source is a struct of the caller's with a callback; it must
 * stay where it is until its callback said it is over. Nothing here knows what the descriptors are.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "util/cleanup.h"

struct loop;

/* To be called by the thread that runs it. @entries: operations that may be queued between two
 * steps without an extra system call. -ENOSYS, -EPERM, -ENOMEM: no io_uring to be had. */
int loop_new(unsigned int entries, struct loop **ret);

/* Ends what is outstanding, waits until the kernel has let go of every buffer, and calls nobody
 * back. From the thread that made the loop, not from a callback. */
struct loop *loop_free(struct loop *loop);
DEFINE_CLEANUP(struct loop *, loop_free)

uint64_t loop_now(void);

/* ---- readiness --------------------------------------------------------------------------- */

struct loop_poll {
	int fd;
	void (*fn)(struct loop_poll *poll, uint32_t events);
	void *data;
	/* the loop's own; zero before the first start */
	struct loop *loop;
	uint64_t id;
	bool armed;
};

/* Set in @events, next to EPOLLERR and EPOLLHUP, when the polling itself failed (a closed
 * descriptor, no memory): nothing more comes, stop it. */
#define LOOP_POLL_FAILED 0x20u /* POLLNVAL */

/* Calls poll->fn with EPOLL* bits each time @fd becomes ready for @events (edge: drain it). fd, fn,
 * data are the caller's to fill in. -ENOMEM. */
int loop_poll_start(struct loop *loop, struct loop_poll *poll, uint32_t events);

/* No callback comes after this returned; the struct may go at once, and the descriptor be closed.
 * What was never started, or stopped before, is left alone. The kernel drops its reference to the
 * file at the next loop_step(): a peer sees the hang-up then. */
void loop_poll_stop(struct loop_poll *poll);

/* ---- operations -------------------------------------------------------------------------- */

/* One outstanding operation. @fn gets what the system call would return, -errno for failure; then
 * the struct is the caller's again. Buffers must stay until then. */
struct loop_op {
	void (*fn)(struct loop_op *op, int result);
	void *data;
	/* the loop's own; zero before the first use */
	struct loop *loop;
	uint64_t id;
	bool busy;
};

/* All of these: -ENOMEM, and @fn is not called. A descriptor's O_NONBLOCK does not matter to
 * sockets and pipes: the operation waits until it can be done, unless @flags say MSG_DONTWAIT. */

int loop_read(struct loop *loop, struct loop_op *op, int fd, void *buffer, unsigned int size,
	      uint64_t offset);
int loop_write(struct loop *loop, struct loop_op *op, int fd, const void *buffer, unsigned int size,
	       uint64_t offset);
int loop_fdatasync(struct loop *loop, struct loop_op *op, int fd);
int loop_accept(struct loop *loop, struct loop_op *op, int fd); /* SOCK_CLOEXEC */
int loop_recvmsg(struct loop *loop, struct loop_op *op, int fd, struct msghdr *message, int flags);
int loop_sendmsg(struct loop *loop, struct loop_op *op, int fd, const struct msghdr *message,
		 int flags);

/* Asks for the operation to end early; fn is called all the same, with -ECANCELED or its result. */
void loop_op_cancel(struct loop_op *op);

/* ---- running ----------------------------------------------------------------------------- */

/*
 * Submits what was queued, waits until something is ready or @deadline (UINT64_MAX: no deadline; 0:
 * does not wait), and runs callbacks. 0, or -errno. A signal ends the waiting early.
 */
int loop_step(struct loop *loop, uint64_t deadline);
