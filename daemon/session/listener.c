/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Accepting.
 *
 * One accept is outstanding at any time. When this process is out of descriptors that fails at
 * once, whether somebody connects or not; so we wait for a connection first. It can't stay where it
 * is, or it would be reported again and again: one descriptor is kept in reserve, spent on accepting
 * it and hanging up on it, and taken back. What its client has sent by then may hold up who closes
 * it, so that is done elsewhere (closer.h).
 *
 * A socket file of our own making is removed at the end, if it is still the one we made.
 */

#include "daemon/session/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/session/closer.h"

#define BACKLOG 1024

struct listener {
	struct loop *loop;
	struct loop_op accept;
	struct loop_poll wait; /* instead, while there is no descriptor to accept with */
	struct listener_ops ops;
	struct closer *closer;
	int fd, reserve;
	bool stopped;
	char *path; /* ours to remove; NULL: the service manager's */
	dev_t dev;
	ino_t ino;
};

static void accept_next(struct listener *listener);

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_one(struct listener *listener)
{
	struct pollfd pending = { .fd = listener->fd, .events = POLLIN };
	int fd;

	if (poll(&pending, 1, 0) != 1)
		return -EAGAIN;
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool is_out_of_descriptors(int r)
{
	return r == -EMFILE || r == -ENFILE;
}

static void wanted(struct loop_poll *wait, uint32_t events)
{
	struct listener *listener = wait->data;
	int fd;

	(void)events;
	loop_poll_stop(wait);
	fd = accept_one(listener);
	if (fd >= 0) {
		listener->ops.accepted(fd, listener->ops.data);
	} else if (is_out_of_descriptors(fd)) {
		listener->reserve = fd_close(listener->reserve);
		fd = accept_one(listener);
		if (fd >= 0)
			closer_close_number(listener->closer, fd);
		listener->reserve = open_reserve();
	}
	accept_next(listener);
}

static void accepted(struct loop_op *op, int result)
{
	struct listener *listener = op->data;

	if (result >= 0 && listener->stopped)
		closer_close(listener->closer, result, NULL);
	else if (result >= 0)
		listener->ops.accepted(result, listener->ops.data);
	else if (is_out_of_descriptors(result) && !listener->stopped &&
		 loop_poll_start(listener->loop, &listener->wait, EPOLLIN) == 0)
		return;
	accept_next(listener);
}

static void accept_next(struct listener *listener)
{
	if (!listener->stopped && loop_accept(listener->loop, &listener->accept, listener->fd) < 0)
		listener->stopped = true;
}

static int start(struct loop *loop, int fd, const struct listener_ops *ops, struct listener **ret)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int flags, r;

	if (!listener)
		return -ENOMEM;
	listener->loop = loop;
	listener->ops = *ops;
	listener->fd = -1;
	listener->accept = (struct loop_op){ .fn = accepted, .data = listener };
	listener->wait = (struct loop_poll){ .fn = wanted, .data = listener, .fd = fd };
	listener->reserve = open_reserve();
	/* the ring answers EAGAIN for a socket that is non-blocking, instead of waiting */
	flags = fcntl(fd, F_GETFL);
	if (listener->reserve < 0 || flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		r = -errno;
	else
		r = closer_new(&listener->closer);
	if (r < 0) {
		listener_free(listener);
		return r;
	}
	listener->fd = fd;
	*ret = listener;
	return 0;
}

/* ---- a socket of our own ---------------------------------------------------------------- */

static int make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory = NULL;

	if (!slash || slash == path)
		return 0;
	directory = strndup(path, (size_t)(slash - path));
	if (!directory)
		return -ENOMEM;
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/*
 * A process that was killed is gone before its ring is, and the ring has its socket open for a while:
 * it can be connected to, and nobody will ever answer. Who began to listen on it is known, and may
 * be seen not to be there any more (0: not by us).
 */
static bool outlived(int fd)
{
	socklen_t size = sizeof(struct ucred);
	struct ucred who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.pid > 0 &&
	       kill(who.pid, 0) < 0 && errno == ESRCH;
}

/* 0 if the name is free now. */
static int remove_stale(const struct sockaddr_un *address)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		if (!outlived(fd))
			return -EADDRINUSE;
	} else if (errno != ECONNREFUSED) {
		return -EADDRINUSE;
	}
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int bind_to(const char *path, mode_t mode, gid_t group)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	r = make_directory(path);
	if (r < 0)
		return r;
	r = remove_stale(&address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (chown(path, (uid_t)-1, group) < 0 || chmod(path, mode) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		r = -errno;
		unlink(path);
		return r;
	}
	return take_fd(&fd);
}

int listener_new(struct loop *loop, const char *path, mode_t mode, gid_t group,
		 const struct listener_ops *ops, struct listener **ret)
{
	_cleanup_(listener_freep) struct listener *listener = NULL;
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	fd = bind_to(path, mode, group);
	if (fd < 0)
		return fd;
	r = start(loop, fd, ops, &listener);
	if (r < 0) {
		unlink(path);
		return r;
	}
	take_fd(&fd);
	listener->path = strdup(path);
	if (!listener->path)
		return -ENOMEM;
	if (lstat(path, &st) == 0) {
		listener->dev = st.st_dev;
		listener->ino = st.st_ino;
	}
	accept_next(listener);
	*ret = take_ptr(listener);
	return 0;
}

int listener_adopt(struct loop *loop, int fd, const struct listener_ops *ops, struct listener **ret)
{
	struct listener *listener;
	socklen_t size = sizeof(int);
	int type, listening, r;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening)
		return -EINVAL;
	r = start(loop, fd, ops, &listener);
	if (r < 0)
		return r;
	accept_next(listener);
	*ret = listener;
	return 0;
}

void listener_stop(struct listener *listener)
{
	listener->stopped = true;
	loop_poll_stop(&listener->wait);
	loop_op_cancel(&listener->accept);
}

bool listener_is_idle(const struct listener *listener)
{
	return !listener->accept.busy;
}

struct listener *listener_free(struct listener *listener)
{
	struct stat st;

	if (!listener)
		return NULL;
	if (listener->path && lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
	    st.st_ino == listener->ino)
		unlink(listener->path);
	free(listener->path);
	fd_close(listener->fd);
	fd_close(listener->reserve);
	closer_free(listener->closer);
	free(listener);
	return NULL;
}
