/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Root configures a userfaultfd that an unprivileged process made and passed on, events of fork and
 * all, and registers ranges with it: they are in the client's address space. What nobody configured
 * can be configured once. */

#include <sys/socket.h>

#include "kernel.h"

static void pass(int socket, int fd, const void *data, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

	*cmsg = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	};
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	check(sendmsg(socket, &message, 0) == (ssize_t)size);
}

static int take(int socket, void *data, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { data, size };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	check(recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == (ssize_t)size);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

static int client(int socket, int memory)
{
	unsigned char *at = map_of(memory, 4 * PAGE, PROT_READ, MAP_SHARED);
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_EVENT_FORK };
	int uffd;
	char go;

	check(setgid(65534) == 0 && setuid(65534) == 0);
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	check(uffd >= 0);
	/* it can't have this itself */
	check(ioctl(uffd, UFFDIO_API, &api) < 0 && errno == EPERM);
	pass(socket, uffd, &at, sizeof(at));
	check(read(socket, &go, 1) == 1);
	return at[PAGE] == 'a' ? 0 : 1;
}

int main(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = SHMEM_FEATURES | UFFD_FEATURE_EVENT_FORK,
	};
	int sockets[2], memory, uffd, status;
	unsigned char *at;
	pid_t pid;

	need_root();
	memory = memory_of(4 * PAGE);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == 0);
	pid = fork();
	check(pid >= 0);
	if (pid == 0)
		_exit(client(sockets[1], memory));
	uffd = take(sockets[0], &at, sizeof(at));
	check(ioctl(uffd, UFFDIO_API, &api) == 0);
	api.features = SHMEM_FEATURES;
	check(ioctl(uffd, UFFDIO_API, &api) < 0 && errno == EINVAL);
	check(register_at(uffd, at, 4 * PAGE, ALL_MODES) == 0);
	check(write(sockets[0], "g", 1) == 1);
	check((next_message(uffd).arg.pagefault.address & ~(PAGE - 1)) == (uintptr_t)at + PAGE);
	check(pwrite(memory, "a", 1, PAGE) == 1);
	check(continue_at(uffd, at + PAGE, PAGE, 0) == 0);
	check(waitpid(pid, &status, 0) == pid && status == 0);
	/* and when the address space is gone */
	check(protect_at(uffd, at, PAGE, true) < 0 && errno == ESRCH);
	return 0;
}
