/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the server of a window says to a peer that connects, as the connection's private data: where it may
 * write. In network byte order.
 */

#include <stdint.h>

struct rdma_offer {
	uint64_t address; /* of the first byte, as the server's device knows it */
	uint64_t length;
	uint32_t rkey;
	uint32_t reserved;
};
