/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who still has memory registered with an RDMA device?
 *
 * A registration outlives a fence. The device of a holder that was revoked goes on writing: into pages that nobody looks at
 * any more, if it was a window, or by on-demand paging into a file on DAX. The kernel lists the registrations of all
 * devices, with the process that made each and its length, but not with addresses. So what is told here is that
 * a process has registrations, how many and how long; whether they are of what it held, only the process knows.
 *
 * A question goes in with rdma_ask(); its answer comes out of rdma_next(), when rdma_get_fd() polls readable. An answer
 * is never older than its question. Questions that come together are answered by one look at the kernel's list. Neither call
 * waits, nor does more than a bounded piece of work. It decides nothing.
 *
 * Processes are named as in the caller's pid name space. No device, no module loaded: nobody has registrations.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"

struct rdma;

struct rdma_event {
	uint64_t tag;
	pid_t pid;
	int error; /* 0; -errno: nothing is known */
	uint64_t registrations, bytes;
};

int rdma_new(struct rdma **ret);

/* What was not answered is not answered any more. NULL is allowed; returns NULL. */
struct rdma *rdma_free(struct rdma *rdma);
DEFINE_CLEANUP(struct rdma *, rdma_free)

/* Readable while there is something to do; good for polling by edge, if rdma_next() is called until it says false. */
int rdma_get_fd(const struct rdma *rdma);

/* @tag comes back in the event. -ENOMEM. */
int rdma_ask(struct rdma *rdma, pid_t pid, uint64_t tag);

/* False: nothing for now. */
bool rdma_next(struct rdma *rdma, struct rdma_event *ret);
