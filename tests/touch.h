/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * For tests of what was taken back: a touch that ends in SIGBUS, or, before Linux 6.6, never.
 */

#include <stdbool.h>

/* Has userfaultfd no POISON here? Then a thread waits where SIGBUS was asked for, unless the memory could be cut. */
bool touch_may_park(void);

enum touch_end { TOUCH_DONE, TOUCH_BUS, TOUCH_PARKED };

/* Reads, or with @store writes, a byte at @at in a process of its own that shares this memory, and
 * ends it if it waits. DONE: the byte was read (into *@ret) or written. */
enum touch_end touch_elsewhere(volatile unsigned char *at, bool store, unsigned char value,
			       unsigned char *ret);
