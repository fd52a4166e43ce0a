/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the kernel says of RDMA devices, message by message: pure, no socket.
 *
 * Messages are what NETLINK_RDMA sends, see rdma/rdma_netlink.h. One must be whole: nlmsg_ok() has looked at it. What is in
 * it is checked; what is not known is passed over, since newer kernels say more.
 */

#include <linux/netlink.h>
#include <stdint.h>

/* RDMA_NLDEV_CMD_GET: which device it is about. -EBADMSG: it does not say. */
int rdma_decode_device(const struct nlmsghdr *message, uint32_t *ret_index);

/* RDMA_NLDEV_CMD_RES_MR_GET: calls @fn for each registration that a process has made; the kernel's own are left out. Ends
 * with the first result that is not 0, and returns it. -EBADMSG: part of it is not understood. */
int rdma_decode_registrations(const struct nlmsghdr *message,
			      int (*fn)(uint32_t pid, uint64_t bytes, void *data), void *data);
