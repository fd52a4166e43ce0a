/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * First touch of every page of a file that is in the page cache, in order and in a random order,
 * through a READ window with the default read-ahead, and through a plain private mapping of the
 * file by the same process. What a window costs whoever could have mapped the file anyway.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/setting.h"
#include "tests/system/rig.h"

enum { PAGE = 4096 };

struct toucher {
	struct mapseal *m;
	int file;
	uint64_t length;
	uint32_t *order;
	struct samples *values[2], *floors[2];
};

static double pages_per_second(const struct toucher *toucher, const volatile unsigned char *bytes)
{
	uint64_t n = toucher->length / PAGE, t = bench_now();

	for (uint64_t i = 0; i < n; i++)
		(void)bytes[(uint64_t)toucher->order[i] * PAGE];
	return (double)n * 1e9 / (double)(bench_now() - t);
}

static double touch_window(void *data)
{
	const struct toucher *toucher = data;
	struct mapseal_seal *seal = hold(toucher->m, "file", 0, 0, MAPSEAL_READ, 0);
	double rate = pages_per_second(toucher, mapseal_address(seal));

	mapseal_seal_free(seal);
	return rate;
}

static double touch_mapping(void *data)
{
	const struct toucher *toucher = data;
	void *bytes = mmap(NULL, toucher->length, PROT_READ, MAP_PRIVATE, toucher->file, 0);
	double rate;

	expect(bytes != MAP_FAILED);
	rate = pages_per_second(toucher, bytes);
	munmap(bytes, toucher->length);
	return rate;
}

static void shuffle(struct toucher *toucher)
{
	uint64_t random = 1;

	for (uint32_t i = (uint32_t)(toucher->length / PAGE) - 1; i > 0; i--) {
		uint32_t j, page = toucher->order[i];

		random = random * 6364136223846793005u + 1442695040888963407u;
		j = (uint32_t)((random >> 33) % (i + 1));
		toucher->order[i] = toucher->order[j];
		toucher->order[j] = page;
	}
}

static int touch(int channel, void *data)
{
	struct toucher *toucher = data;
	unsigned int rounds = bench_rounds(9);

	(void)channel;
	bench_pin(0, BENCH_ASKS);
	toucher->m = client(0);
	toucher->order = malloc(toucher->length / PAGE * sizeof(*toucher->order));
	expect(toucher->order);
	for (uint32_t i = 0; i < toucher->length / PAGE; i++)
		toucher->order[i] = i;
	for (int i = 0; i < 2; i++) {
		bench_alternate(rounds, touch_window, touch_mapping, toucher, toucher->values[i],
				toucher->floors[i]);
		shuffle(toucher);
	}
	free(toucher->order);
	mapseal_close(toucher->m);
	return 0;
}

void bench_touch(void)
{
	const struct bench_row rows[] = {
		{ .name = "first touch of a cached file, sequential", .unit = "pages/s" },
		{ .name = "first touch of a cached file, random", .unit = "pages/s" },
	};
	struct rig *rig = rig_new();
	struct toucher toucher = { .length = bench_quick ? 16 * MiB : 256 * MiB };
	const char *path = rig_file(rig, "file", toucher.length, 1);
	struct actor actor;

	toucher.file = open(path, O_RDONLY | O_CLOEXEC);
	expect(toucher.file >= 0);
	for (int i = 0; i < 2; i++) {
		toucher.values[i] = samples_new(64);
		toucher.floors[i] = samples_new(64);
	}
	bench_start(rig, BENCH_QUOTA BENCH_PLAIN_EXPORT, path);
	bench_pin(rig->supervisor, BENCH_SERVES);
	actor = actor_start(touch, &toucher);
	actor_join(&actor);
	close(toucher.file);
	rig_free(rig);
	for (int i = 0; i < 2; i++)
		bench_report(&rows[i], toucher.values[i], toucher.floors[i]);
}
