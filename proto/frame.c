/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Frames on a socket.
 *
 * SOCK_SEQPACKET keeps frames apart, so there is no buffering here: a frame goes out whole or not
 * at all, and comes in whole or visibly cut off. What needs care is the descriptors. The kernel
 * puts them into this process before anybody has looked at the frame, so each one is owned by the
 * list the moment it is seen, even when the frame turns out to be wrong; and the control buffer has
 * room for all that one message can carry, so that "too many" is a count and not a guess.
 */

#include "proto/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

void proto_frame_fill_control(struct msghdr *header, void *control, const int *fds, size_t n_fds)
{
	struct cmsghdr *c = control;

	if (!n_fds) {
		header->msg_control = NULL;
		header->msg_controllen = 0;
		return;
	}
	memset(control, 0, CMSG_SPACE(n_fds * sizeof(int)));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	header->msg_control = control;
	header->msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
}

int proto_frame_parse_control(struct msghdr *header, struct fdlist *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_len < CMSG_LEN(0))
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (c->cmsg_type == SCM_RIGHTS)
				fdlist_add(fds, fd);
			else if (c->cmsg_type == SCM_PIDFD)
				fd_close(fd); /* only if the socket asked for one */
		}
	}
	return header->msg_flags & MSG_CTRUNC ? PROTO_FRAME_FDS_LOST : PROTO_FRAME_WHOLE;
}

int proto_frame_send(int socket, const void *frame, size_t size, const int *fds, size_t n_fds,
		     int flags)
{
	char control[PROTO_CONTROL_SEND] PROTO_CONTROL_ALIGNED;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)frame, .iov_len = size };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (size > PROTO_FRAME_MAX || n_fds > PROTO_FDS_MAX)
		return -EMSGSIZE;
	proto_frame_fill_control(&header, control, fds, n_fds);
	do
		n = sendmsg(socket, &header, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int proto_frame_recv(int socket, void *frame, size_t *ret_size, struct fdlist *fds, int flags)
{
	char control[PROTO_CONTROL_MAX] PROTO_CONTROL_ALIGNED;
	struct iovec iov = { .iov_base = frame, .iov_len = PROTO_FRAME_MAX };
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*ret_size = (size_t)n;
	return proto_frame_parse_control(&header, fds);
}

int proto_frame_recv_many(int socket, unsigned char (*frames)[PROTO_FRAME_MAX], size_t *ret_sizes,
			  struct fdlist *fds, size_t max, size_t *ret_n)
{
	char control[PROTO_RECV_MAX][PROTO_CONTROL_MAX] PROTO_CONTROL_ALIGNED;
	struct mmsghdr headers[PROTO_RECV_MAX];
	struct iovec iov[PROTO_RECV_MAX];
	int n;

	*ret_n = 0;
	for (size_t i = 0; i < max; i++) {
		iov[i] = (struct iovec){ .iov_base = frames[i], .iov_len = PROTO_FRAME_MAX };
		headers[i].msg_hdr = (struct msghdr){
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = control[i],
			.msg_controllen = sizeof(control[i]),
		};
	}
	do
		n = recvmmsg(socket, headers, (unsigned int)max,
			     MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		fdlist_init(&fds[i]);
		proto_frame_parse_control(&headers[i].msg_hdr, &fds[i]);
		ret_sizes[i] = headers[i].msg_len;
	}
	*ret_n = (size_t)n;
	return 0;
}
