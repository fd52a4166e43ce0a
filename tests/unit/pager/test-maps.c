/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The pure parts: bitmaps, segments; each against a slow and obvious model. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/pager/bitmap.h"
#include "daemon/pager/procmap.h"
#include "daemon/pager/segments.h"
#include "rig.h"

static uint64_t state = 1;

static uint64_t dice(uint64_t sides)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % sides;
}

static void bitmaps(void)
{
	enum { BITS = 200 };
	uint64_t map[BITMAP_WORDS(BITS)] = { 0 };
	bool model[BITS] = { false };

	for (int i = 0; i < 20000; i++) {
		uint64_t a = dice(BITS + 1), b = dice(BITS + 1), n = 0, p;
		uint64_t start = a < b ? a : b, end = a < b ? b : a;

		switch (dice(6)) {
		case 0:
			bitmap_set(map, start, end);
			for (uint64_t j = start; j < end; j++)
				model[j] = true;
			break;
		case 1:
			bitmap_clear(map, start, end);
			for (uint64_t j = start; j < end; j++)
				model[j] = false;
			break;
		case 2:
			for (uint64_t j = start; j < end; j++)
				n += model[j];
			check_is(bitmap_count(map, start, end), n);
			break;
		case 3:
			for (p = start; p < end && !model[p]; p++)
				;
			check_is(bitmap_next_set(map, start, end), p);
			break;
		case 4:
			for (p = start; p < end && model[p]; p++)
				;
			check_is(bitmap_next_clear(map, start, end), p);
			break;
		case 5:
			for (p = end; p > start && !model[p - 1]; p--)
				;
			check_is(bitmap_clear_before(map, start, end), p);
			for (p = end; p > start && model[p - 1]; p--)
				;
			check_is(bitmap_set_before(map, start, end), p);
			break;
		}
	}
}

static void segment_map(void)
{
	enum { SPAN = 64, WINDOWS = 3 };
	struct segments segments = { 0 };
	struct list lists[WINDOWS];
	struct cell {
		int window; /* 0: nothing */
		uint64_t offset;
	} model[SPAN] = { { 0, 0 } }, copy[SPAN];

	for (int i = 0; i < WINDOWS; i++)
		list_init(&lists[i]);
	for (int i = 0; i < 30000; i++) {
		uint64_t a = dice(SPAN), n = 1 + dice(SPAN / 4), to = dice(SPAN), w;

		if (a + n > SPAN)
			n = SPAN - a;
		if (to + n > SPAN)
			n = SPAN - to;
		if (n == 0)
			continue;
		switch (dice(3)) {
		case 0:
			w = 1 + dice(WINDOWS);
			check_is(segments_insert(&segments, a, a + n, 1000 * w,
						 (struct window *)(uintptr_t)w, &lists[w - 1]),
				 0);
			for (uint64_t j = 0; j < n; j++)
				model[a + j] = (struct cell){ (int)w, 1000 * w + j };
			break;
		case 1:
			segments_cut(&segments, a, a + n);
			memset(model + a, 0, n * sizeof(*model));
			break;
		case 2:
			/* mremap refuses ranges that overlap */
			if (a < to + n && to < a + n)
				break;
			segments_move(&segments, a, to, n);
			memcpy(copy, model + a, n * sizeof(*model));
			memset(model + a, 0, n * sizeof(*model));
			memcpy(model + to, copy, n * sizeof(*model));
			break;
		}
		for (uint64_t j = 0; j < SPAN; j++) {
			const struct segment *segment = segments_find(&segments, j);

			check_is(segment ? (int)(uintptr_t)segment->window : 0, model[j].window);
			if (segment)
				check_is(segment->offset + (j - segment->start), model[j].offset);
		}
		w = 0;
		for (int k = 0; k < WINDOWS; k++)
			list_for_each (pos, &lists[k]) {
				check_is((uintptr_t)list_entry(pos, struct segment, link)->window,
					 k + 1);
				w++;
			}
		check_is(w, segments.n);
	}
	segments_orphan(&lists[0]);
	check(list_empty(&lists[0]));
	segments_deinit(&segments);
}

static void process_map(void)
{
	int memory = memfd_create("x", MFD_CLOEXEC), maps = procmap_open(getpid());
	struct procmap map;
	char *at;

	check(maps >= 0);
	check_is(ftruncate(memory, 8 * PAGE), 0);
	at = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_SHARED, memory, 2 * PAGE);
	check(at != MAP_FAILED);
	check_is(procmap_find(maps, (uintptr_t)at + PAGE, &map), 0);
	check_is(map.start, (uintptr_t)at);
	check_is(map.end, (uintptr_t)at + 4 * PAGE);
	check_is(map.offset, 2 * PAGE);
	check(map.inode && map.shared && !map.readable && !map.writable && !map.executable);
	check_is(procmap_find(maps, 0, &map), -ENOENT);
	munmap(at, 4 * PAGE);
	check_is(procmap_find(maps, (uintptr_t)at, &map), -ENOENT);
	close(maps);
	close(memory);
}

int main(void)
{
	bitmaps();
	segment_map();
	process_map();
	return 0;
}
