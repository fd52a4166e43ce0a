/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Descriptors of every kind, as a client might pass them for a proof or a userfaultfd.
 */

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session-fds.h"
#include "tests/fuzz/session-files.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

static int uffd_new(int flags)
{
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);
}

static int uffd_used(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = uffd_new(UFFD_USER_MODE_ONLY);

	if (fd >= 0)
		ioctl(fd, UFFDIO_API, &api);
	return fd;
}

static int memfd(bool sealed)
{
	int fd = memfd_create("own", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	promise(fd >= 0 && ftruncate(fd, 65536) == 0);
	if (sealed)
		promise(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) == 0);
	return fd;
}

/* One end, without the other. */
static int half(int (*make)(int *))
{
	int pair[2];

	promise(make(pair) == 0);
	close(pair[1]);
	return pair[0];
}

static int make_pipe(int *pair)
{
	return pipe2(pair, O_CLOEXEC);
}

static int make_sockets(int *pair)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

int session_fd(enum session_fd kind, struct client_end *end, unsigned int argument)
{
	const struct grant *grant = end_grant(end, argument);

	switch (kind) {
	case SESSION_FD_UFFD:
		return uffd_new(UFFD_USER_MODE_ONLY);
	case SESSION_FD_UFFD_KERNEL:
		return uffd_new(0);
	case SESSION_FD_UFFD_DEVICE:
		return ioctl(learnt.device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	case SESSION_FD_UFFD_USED:
		return uffd_used();
	case SESSION_FD_READ:
		return files_open("own", O_RDONLY);
	case SESSION_FD_WRITE:
		return files_open("own", O_RDWR);
	case SESSION_FD_APPEND:
		return files_open("own", O_RDWR | O_APPEND);
	case SESSION_FD_MODE_3:
		return files_open("own", O_ACCMODE);
	case SESSION_FD_PATH:
		return files_open("own", O_PATH);
	case SESSION_FD_EXPORTED:
		return files_open("file", O_RDWR);
	case SESSION_FD_NULL:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case SESSION_FD_PIPE:
		return half(make_pipe);
	case SESSION_FD_FIFO:
		return files_open("dir/fifo", O_RDWR | O_NONBLOCK);
	case SESSION_FD_DIRECTORY:
		return files_open("dir", O_RDONLY | O_DIRECTORY);
	case SESSION_FD_MEMFD:
		return memfd(false);
	case SESSION_FD_MEMFD_SEALED:
		return memfd(true);
	case SESSION_FD_GRANTED:
		return grant ? fcntl(grant->memory, F_DUPFD_CLOEXEC, 0) : -1;
	case SESSION_FD_SOCKET:
		return half(make_sockets);
	case SESSION_FD_OWN_SOCKET:
		return fcntl(end->socket, F_DUPFD_CLOEXEC, 0);
	case SESSION_FD_EPOLL:
		return epoll_create1(EPOLL_CLOEXEC);
	case SESSION_FD_EVENT:
		return eventfd(0, EFD_CLOEXEC);
	case SESSION_FD_PROC:
		return open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	case SESSION_FD_SYS:
		return open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
	case SESSION_FD_PIDFD:
		return (int)syscall(SYS_pidfd_open, getpid(), 0);
	default:
		return -1;
	}
}

bool session_fd_is_uffd(enum session_fd kind)
{
	return kind <= SESSION_FD_UFFD_USED;
}
