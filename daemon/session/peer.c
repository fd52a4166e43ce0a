/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The peer of a connection.
 *
 * Everything here is of the process that called connect(2), at that time. The socket may have
 * travelled since, so this says whose account is charged and whose rights are used, not who speaks;
 * who speaks has to prove the rest (a descriptor, an address space).
 *
 * A pid alone names a process only while it runs. SO_PEERPIDFD (Linux 6.5) is the process itself;
 * older kernels leave a gap between connect and pidfd_open() in which the pid could have changed
 * hands, which the start time can't close either. What is read from /proc is believed only if the
 * process still ran afterwards.
 */

#include "daemon/session/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/proto.h"
#include "util/cleanup.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define PID_BITS 22 /* PID_MAX_LIMIT of 64-bit kernels is 1 << 22 */

static int open_pidfd(int socket, pid_t pid)
{
	socklen_t size = sizeof(int);
	int fd;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
			fd_close(fd);
			return -errno;
		}
		return fd;
	}
	if (errno == ESRCH || errno == EINVAL)
		return -ESRCH;
	if (errno != ENOPROTOOPT)
		return -errno;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : fd;
}

static int read_groups(struct peer *peer, int socket)
{
	socklen_t size = 0;
	gid_t *groups;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0)
		return 0;
	if (errno != ERANGE)
		return -errno;
	groups = malloc(size);
	if (!groups)
		return -ENOMEM;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
		free(groups);
		return -errno;
	}
	peer->groups = groups;
	peer->n_groups = size / sizeof(*groups);
	return 0;
}

static int read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	_cleanup_fd_ int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

/* Field 22 of proc_pid_stat(5); the second field is a name that may hold anything, also ')'. */
static int parse_start_time(const char *stat, uint64_t *ret)
{
	const char *p = strrchr(stat, ')');

	if (!p)
		return -EIO;
	for (int field = 3; field <= 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -EIO;
		p++;
	}
	*ret = strtoull(p, NULL, 10);
	return 0;
}

static uint64_t process_name(pid_t pid, uint64_t start)
{
	return start << PID_BITS | (uint64_t)pid;
}

static int read_process(struct peer *peer)
{
	struct pollfd ended = { .fd = peer->pidfd, .events = POLLIN };
	char stat[1024], comm[sizeof(peer->comm)];
	uint64_t start;
	int r;

	r = read_proc(peer->pid, "stat", stat, sizeof(stat));
	if (r < 0)
		return r;
	r = parse_start_time(stat, &start);
	if (r < 0)
		return r;
	r = read_proc(peer->pid, "comm", comm, sizeof(comm));
	if (r < 0)
		return r;
	comm[strcspn(comm, "\n")] = '\0';
	if (poll(&ended, 1, 0) != 0)
		return -ESRCH;
	strcpy(peer->comm, proto_str_clean(comm));
	peer->process = process_name(peer->pid, start);
	return 0;
}

int peer_init(struct peer *peer, int socket)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	int r;

	*peer = (struct peer){ .pidfd = -1 };
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	if (cred.pid <= 0)
		return -ESRCH; /* of a pid namespace that can't be seen from here */
	peer->pid = cred.pid;
	peer->uid = cred.uid;
	peer->gid = cred.gid;
	peer->pidfd = open_pidfd(socket, cred.pid);
	r = peer->pidfd < 0 ? peer->pidfd : 0;
	if (r == 0)
		r = read_groups(peer, socket);
	if (r == 0)
		r = read_process(peer);
	if (r < 0)
		peer_deinit(peer);
	return r;
}

void peer_deinit(struct peer *peer)
{
	peer->pidfd = fd_close(peer->pidfd);
	free(peer->groups);
	peer->groups = NULL;
	peer->n_groups = 0;
}

bool peer_in_group(const struct peer *peer, gid_t gid)
{
	if (peer->gid == gid)
		return true;
	for (size_t i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

static bool in_our_user_namespace(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return stat("/proc/self/ns/user", &ours) == 0 && stat(path, &theirs) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

bool peer_is_capable(const struct peer *peer, int capability)
{
	struct pollfd ended = { .fd = peer->pidfd, .events = POLLIN };
	char status[4096], *line;
	unsigned int uid;

	if (read_proc(peer->pid, "status", status, sizeof(status)) < 0 ||
	    !in_our_user_namespace(peer->pid) || poll(&ended, 1, 0) != 0)
		return false;
	/* It may have called a set-user-id program since, whose rights are not those of who connected. */
	line = strstr(status, "\nUid:");
	if (!line || sscanf(line, "\nUid: %*u %u", &uid) != 1 || uid != peer->uid)
		return false;
	line = strstr(status, "\nCapEff:");
	return line && strtoull(line + strlen("\nCapEff:"), NULL, 16) >> capability & 1;
}

uint64_t peer_process(pid_t pid)
{
	char stat[1024];
	uint64_t start;

	if (read_proc(pid, "stat", stat, sizeof(stat)) < 0 || parse_start_time(stat, &start) < 0)
		return 0;
	return process_name(pid, start);
}

pid_t peer_process_pid(uint64_t process)
{
	return (pid_t)(process & ((UINT64_C(1) << PID_BITS) - 1));
}
