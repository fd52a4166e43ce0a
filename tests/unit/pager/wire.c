/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "wire.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "rig.h"

union control {
	char buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

void wire_send(int socket, int fd, const void *data, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { .buffer = { 0 } };

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	check_is(sendmsg(socket, &message, MSG_NOSIGNAL), size);
}

int wire_take(int socket, void *data, size_t size, size_t *ret_size)
{
	struct iovec iov = { data, size };
	union control control;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg;
	int fd = -1;

	*ret_size = n > 0 ? (size_t)n : 0;
	if (n <= 0)
		return -1;
	cmsg = CMSG_FIRSTHDR(&message);
	if (cmsg)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}
