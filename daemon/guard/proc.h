/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What /proc tells about a thread; see proc.c. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/guard/operation.h"

#define PROC_SEEN 64

/* Of threads that were looked at lately, what they were looked at through. For one thread. */
struct proc_seen {
	struct {
		pid_t tid; /* 0: none */
		int fd;
	} at[PROC_SEEN];
};

void proc_seen_deinit(struct proc_seen *seen);

/* RUNNING is looked at again, so many times in all. BROKEN also if the thread is gone: *ret_gone.
 * @seen may be NULL. */
enum operation_text proc_call(struct proc_seen *seen, pid_t tid, int tries,
			      struct operation_call *ret, bool *ret_gone);

/* Of descriptor @fd of the thread: the same file as inode @ino? */
struct operation_file proc_file(pid_t tid, int fd, uint64_t ino);

/* A worker of a program's io_uring; else, among those without a stack, a thread of the kernel. */
bool proc_is_worker(pid_t tid);

struct proc_who {
	pid_t pid;
	uid_t uid;
	char comm[16];
};

bool proc_who(pid_t tid, struct proc_who *ret);

/* It is root, has some capability, or is of @group; true also where nobody can tell. */
bool proc_is_privileged(pid_t tid, gid_t group);
