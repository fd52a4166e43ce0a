/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A device that holds pages of a window: an io_uring registered buffer, which the kernel copies into from a
 * pipe, past every page table.
 */

#include <liburing.h>
#include <stddef.h>

struct device {
	struct io_uring ring;
	int pipe_fds[2];
};

/* Pins [address, address + size), which has to be there: pinning is a kernel access. */
void device_pin(struct device *device, void *address, size_t size);

/* "DMA" of @n bytes to @at; returns when it is done. */
void device_write(struct device *device, void *at, const void *bytes, size_t n);
