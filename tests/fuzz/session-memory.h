/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A client's memory, without its danger: windows are mapped in a part of the address space where
 * nothing else is, and whatever may have to wait for the supervisor is done by another thread,
 * since the supervisor runs in this one.
 */

#include <stddef.h>
#include <stdint.h>

#define MEMORY_PAGE ((size_t)4096)
#define MEMORY_SLOT ((size_t)8 << 20) /* the longest window that is mapped */

void memory_begin(void);

/* @length bytes of @fd, in a place that was not used since memory_end(). NULL: there is none, or no
 * mapping. */
void *memory_map(int fd, size_t length, int protection, int sharing, uint64_t offset);

/* An untouched private page; or any other number made into an address where it does no harm to say
 * that a page is there. */
uint64_t memory_probe(void);
uint64_t memory_harmless(uint64_t address);

/* Does SESSION_TOUCH_* to a page of [address, address + length), if the thread is free. Waits for
 * it a moment. */
void memory_touch(unsigned int how, uint64_t address, size_t length, size_t page, int fd);

/* After sessions and userfaultfds were closed: the thread must come back. All is unmapped. */
void memory_end(void);
