/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Bytes that could not be written, kept.
 */

#include <stdint.h>

struct pager;
struct pager_event;
struct view;

/* Moves what is dirty (and what is being written) in [first, last) of @view into new memory: the
 * pages are clean afterwards, and @result says how many bytes there are, where, and in which
 * descriptor. Any thread. */
void quarantine(const struct pager *pager, struct view *view, uint64_t first, uint64_t last,
		struct pager_event *result);
