/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Frames on a SOCK_SEQPACKET socket, with descriptors beside them: one frame, one message. Who has
 * a ring instead of system calls fills struct msghdr with the helpers at the end.
 */

#include <stddef.h>
#include <sys/socket.h>

#include "proto/fdlist.h"
#include "proto/proto.h"

/* More descriptors than these the kernel never passes in one message (SCM_MAX_FD). */
#define PROTO_KERNEL_FDS_MAX 253

/*
 * Control bytes to receive with: every descriptor that a peer can send, and its credentials if the
 * socket asks for them. So MSG_CTRUNC can only mean that this process could hold no more of them.
 * The buffer must be aligned as a struct cmsghdr, and so must the one to send with.
 */
#define PROTO_CONTROL_MAX                                                                          \
	(CMSG_SPACE(PROTO_KERNEL_FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)))
#define PROTO_CONTROL_SEND CMSG_SPACE(PROTO_FDS_MAX * sizeof(int))
#define PROTO_CONTROL_ALIGNED __attribute__((aligned(__alignof__(struct cmsghdr))))

enum proto_frame {
	PROTO_FRAME_WHOLE = 0,
	PROTO_FRAME_FDS_LOST, /* no room for the descriptors here: refuse it with NO_MEMORY */
};

/*
 * Sends one frame. 0 or -errno: -EAGAIN, -EPIPE (never a signal), -EMSGSIZE. The descriptors stay
 * the caller's. @flags are added for sendmsg(2): MSG_DONTWAIT.
 */
int proto_frame_send(int socket, const void *frame, size_t size, const int *fds, size_t n_fds,
		     int flags);

/*
 * Receives one frame into @frame of PROTO_FRAME_MAX bytes and its descriptors, close-on-exec, into
 * @fds, which must be empty. PROTO_FRAME_WHOLE, PROTO_FRAME_FDS_LOST (everything else is as usual),
 * or -errno: -EAGAIN, -ECONNRESET. *ret_size is 0 when the peer has hung up; it is more than
 * PROTO_FRAME_MAX when the frame was, and was cut off: proto_decode() then refuses it.
 */
int proto_frame_recv(int socket, void *frame, size_t *ret_size, struct fdlist *fds, int flags);

/*
 * The same for up to @max frames (at most PROTO_RECV_MAX) that are there, without waiting: *ret_n of
 * them, fewer than @max if there are no more. Nothing to be had is -EAGAIN; *ret_n is 0 on failure.
 */
#define PROTO_RECV_MAX 4
int proto_frame_recv_many(int socket, unsigned char (*frames)[PROTO_FRAME_MAX], size_t *ret_sizes,
			  struct fdlist *fds, size_t max, size_t *ret_n);

/*
 * Takes the descriptors out of a header that recvmsg has filled; @fds must be empty. Receive with
 * MSG_CMSG_CLOEXEC | MSG_TRUNC, the latter so that the result is the frame's true size, and call
 * this after every success, even of 0 bytes, or the descriptors leak. PROTO_FRAME_*.
 */
int proto_frame_parse_control(struct msghdr *header, struct fdlist *fds);

/* Points @header at @control of PROTO_CONTROL_SEND bytes, with the descriptors in it; without any,
 * the header has no control bytes. */
void proto_frame_fill_control(struct msghdr *header, void *control, const int *fds, size_t n_fds);
