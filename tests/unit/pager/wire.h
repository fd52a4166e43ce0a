/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Between a test and a client that it forked: a few bytes and perhaps a descriptor.
 */

#include <stddef.h>

void wire_send(int socket, int fd, const void *data, size_t size);

/* The descriptor, -1 if none came. *ret_size: 0 at the end. */
int wire_take(int socket, void *data, size_t size, size_t *ret_size);
