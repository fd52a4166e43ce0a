/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Bitmaps of pages, a word at a time: a window of 1 GiB has 4096 words, and searches for the next
 * dirty page in a clean one are the common case.
 */

#include "daemon/pager/bitmap.h"

/* Bits of word @word that lie in [start, end). */
static uint64_t mask_of(uint64_t word, uint64_t start, uint64_t end)
{
	uint64_t mask = ~0ull;

	if (start > word * 64)
		mask &= ~0ull << (start - word * 64);
	if (end < (word + 1) * 64)
		mask &= ~(~0ull << (end - word * 64));
	return mask;
}

void bitmap_set(uint64_t *map, uint64_t start, uint64_t end)
{
	for (uint64_t w = start / 64; w * 64 < end; w++)
		map[w] |= mask_of(w, start, end);
}

void bitmap_clear(uint64_t *map, uint64_t start, uint64_t end)
{
	for (uint64_t w = start / 64; w * 64 < end; w++)
		map[w] &= ~mask_of(w, start, end);
}

uint64_t bitmap_count(const uint64_t *map, uint64_t start, uint64_t end)
{
	uint64_t n = 0;

	for (uint64_t w = start / 64; w * 64 < end; w++)
		n += (uint64_t)__builtin_popcountll(map[w] & mask_of(w, start, end));
	return n;
}

static uint64_t next(const uint64_t *map, uint64_t flip, uint64_t start, uint64_t end)
{
	for (uint64_t w = start / 64; w * 64 < end; w++) {
		uint64_t bits = (map[w] ^ flip) & mask_of(w, start, end);

		if (bits)
			return w * 64 + (uint64_t)__builtin_ctzll(bits);
	}
	return end;
}

uint64_t bitmap_next_set(const uint64_t *map, uint64_t start, uint64_t end)
{
	return next(map, 0, start, end);
}

uint64_t bitmap_next_clear(const uint64_t *map, uint64_t start, uint64_t end)
{
	return next(map, ~0ull, start, end);
}

/* One past the last bit of [start, end) that is set after @flip, @start if there is none. */
static uint64_t after_last(const uint64_t *map, uint64_t flip, uint64_t start, uint64_t end)
{
	if (start >= end)
		return start;
	for (uint64_t w = (end - 1) / 64 + 1; w-- > start / 64;) {
		uint64_t bits = (map[w] ^ flip) & mask_of(w, start, end);

		if (bits)
			return w * 64 + 64 - (uint64_t)__builtin_clzll(bits);
	}
	return start;
}

uint64_t bitmap_clear_before(const uint64_t *map, uint64_t start, uint64_t end)
{
	return after_last(map, 0, start, end);
}

uint64_t bitmap_set_before(const uint64_t *map, uint64_t start, uint64_t end)
{
	return after_last(map, ~0ull, start, end);
}
