/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Messages of the floors. See bare.h.
 */

#include "tests/bench/bare.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "tests/system/rig.h"

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

void bare_send(int socket, const struct bare_message *message, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)message, sizeof(*message) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	expect(sendmsg(socket, &header, MSG_NOSIGNAL) == sizeof(*message));
}

bool bare_receive(int socket, struct bare_message *ret, int *ret_fd)
{
	struct iovec iov = { ret, sizeof(*ret) };
	union control control;
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t n;

	if (ret_fd) {
		*ret_fd = -1;
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
	}
	n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return false;
	expect(n == sizeof(*ret));
	cmsg = CMSG_FIRSTHDR(&header);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(*ret_fd));
	return true;
}

struct bare_message bare_ask(int socket, uint64_t what, uint64_t address, uint64_t length)
{
	struct bare_message message = { .what = what, .address = address, .length = length };

	bare_send(socket, &message, -1);
	expect(bare_receive(socket, &message, NULL));
	return message;
}
