/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Attributes of NETLINK_RDMA's messages, read with libnl.
 *
 * An attribute that is there and is shorter than its type is a message that was not understood, never a
 * number that was made up. Nothing is kept.
 */

#include "daemon/rdma/decode.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <rdma/rdma_netlink.h>

/* libnl's readers do not change what they read, and take no const. */
static struct nlattr *find(const struct nlmsghdr *message, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)message, 0, type);
}

static int as_u32(const struct nlattr *attribute, uint32_t *ret)
{
	if (!attribute || nla_len(attribute) < (int)sizeof(*ret))
		return -EBADMSG;
	*ret = nla_get_u32(attribute);
	return 0;
}

static int as_u64(const struct nlattr *attribute, uint64_t *ret)
{
	if (!attribute || nla_len(attribute) < (int)sizeof(*ret))
		return -EBADMSG;
	*ret = nla_get_u64(attribute);
	return 0;
}

int rdma_decode_device(const struct nlmsghdr *message, uint32_t *ret_index)
{
	if (!nlmsg_valid_hdr(message, 0))
		return -EBADMSG;
	return as_u32(find(message, RDMA_NLDEV_ATTR_DEV_INDEX), ret_index);
}

static int registration(const struct nlattr *entry,
			int (*fn)(uint32_t pid, uint64_t bytes, void *data), void *data)
{
	const struct nlattr *attribute, *owner = NULL, *length = NULL;
	uint64_t bytes = 0;
	uint32_t pid = 0;
	int rest, r;

	nla_for_each_nested(attribute, entry, rest) {
		if (nla_type(attribute) == RDMA_NLDEV_ATTR_RES_PID)
			owner = attribute;
		if (nla_type(attribute) == RDMA_NLDEV_ATTR_RES_MRLEN)
			length = attribute;
	}
	if (rest != 0)
		return -EBADMSG;
	if (!owner)
		return 0; /* a name in its place: the kernel's */
	r = as_u32(owner, &pid);
	if (r == 0)
		r = as_u64(length, &bytes);
	return r == 0 ? fn(pid, bytes, data) : r;
}

int rdma_decode_registrations(const struct nlmsghdr *message,
			      int (*fn)(uint32_t pid, uint64_t bytes, void *data), void *data)
{
	struct nlattr *table, *entry;
	int rest, r = 0;

	if (!nlmsg_valid_hdr(message, 0))
		return -EBADMSG;
	table = find(message, RDMA_NLDEV_ATTR_RES_MR);
	if (!table)
		return 0; /* the device has none */
	nla_for_each_nested(entry, table, rest) {
		if (nla_type(entry) == RDMA_NLDEV_ATTR_RES_MR_ENTRY)
			r = registration(entry, fn, data);
		if (r != 0)
			return r;
	}
	return rest == 0 ? 0 : -EBADMSG;
}
