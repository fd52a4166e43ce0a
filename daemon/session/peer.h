/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who is at the other end of a connection, as the kernel says it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary ones at connect time */
	size_t n_groups;
	int pidfd;	  /* readable when the process has ended */
	uint64_t process; /* pid and start time: names the process and no later one; never 0 */
	char comm[64];	  /* a legal protocol string */
};

/* From a connected socket. -ESRCH: the process has ended already. */
int peer_init(struct peer *peer, int socket);
void peer_deinit(struct peer *peer);

bool peer_in_group(const struct peer *peer, gid_t gid);

/* Whether the process has this capability (capabilities(7)), in effect and in our own user namespace. */
bool peer_is_capable(const struct peer *peer, int capability);

/* The same name for any process; 0: it is gone. */
uint64_t peer_process(pid_t pid);

/* The pid in `process`, for a process whose peer is gone. */
pid_t peer_process_pid(uint64_t process);
