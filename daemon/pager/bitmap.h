/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One bit a page. Ranges are [start, end); searches answer @end when they find nothing.
 */

#include <stdbool.h>
#include <stdint.h>

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool bitmap_test(const uint64_t *map, uint64_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

void bitmap_set(uint64_t *map, uint64_t start, uint64_t end);
void bitmap_clear(uint64_t *map, uint64_t start, uint64_t end);
uint64_t bitmap_count(const uint64_t *map, uint64_t start, uint64_t end);

uint64_t bitmap_next_set(const uint64_t *map, uint64_t start, uint64_t end);
uint64_t bitmap_next_clear(const uint64_t *map, uint64_t start, uint64_t end);

/* The smallest s in [start, end] such that no bit (every bit) of [s, end) is set. */
uint64_t bitmap_clear_before(const uint64_t *map, uint64_t start, uint64_t end);
uint64_t bitmap_set_before(const uint64_t *map, uint64_t start, uint64_t end);
