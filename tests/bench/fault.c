/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Serving faults: a thread of another uid touches each page of a READ window in order, and the
 * pager brings 1, 16 or 64 pages in with each fault, from a file that is in the page cache. The
 * floor's pager does the same, with the same batch and the same spinning before it sleeps, for the
 * same toucher.
 *
 * The toucher is on one processor, both pagers on the other. Windows are small and samples many, so
 * that what else the machine does spoils some of them and not the median.
 */

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/bench/setting.h"
#include "tests/system/rig.h"

enum { SPIN_US = 50, PAGE = 4096 };

struct toucher {
	struct mapseal *m;
	int bare;
	uint64_t length;
	unsigned int rounds;
	struct samples *values, *floors;
};

static double pages_per_second(const volatile unsigned char *bytes, uint64_t length)
{
	uint64_t t = bench_now();

	for (uint64_t at = 0; at < length; at += PAGE)
		(void)bytes[at];
	return (double)(length / PAGE) * 1e9 / (double)(bench_now() - t);
}

static double touch_window(void *data)
{
	const struct toucher *toucher = data;
	struct mapseal_seal *seal = hold(toucher->m, "file", 0, toucher->length, MAPSEAL_READ, 0);
	double rate = pages_per_second(mapseal_address(seal), toucher->length);

	mapseal_seal_free(seal);
	return rate;
}

static double touch_bare(void *data)
{
	const struct toucher *toucher = data;
	struct bare_window window;
	double rate;

	bare_window_open(&window, toucher->bare, toucher->length, false);
	rate = pages_per_second(window.bytes, toucher->length);
	bare_window_close(&window);
	return rate;
}

static int touch(int channel, void *data)
{
	struct toucher *toucher = data;

	(void)channel;
	bench_pin(0, BENCH_ASKS);
	toucher->m = client(0);
	bench_alternate(toucher->rounds, touch_window, touch_bare, toucher, toucher->values,
			toucher->floors);
	mapseal_close(toucher->m);
	return 0;
}

static void measure(struct rig *rig, const char *path, struct bare_pager *pager, uint64_t length)
{
	struct bench_row row = { .unit = "pages/s", .aim = BENCH_RATIO_AT_LEAST, .bound = 0.9 };
	struct toucher toucher = { .length = length, .rounds = bench_rounds(100) };
	struct actor bare, actor;

	toucher.values = samples_new(100);
	toucher.floors = samples_new(100);
	snprintf(row.name, sizeof(row.name), "fault service, %u page%s a fault", pager->batch,
		 pager->batch > 1 ? "s" : "");
	bench_start(rig,
		    BENCH_QUOTA "[pager]\nreadahead-pages = %u\nsequential-pages = %u\n"
				"spin-us = %d\n" BENCH_PLAIN_EXPORT,
		    pager->batch, pager->batch, SPIN_US, path);
	bare = actor_start_as(0, 0, bare_pager_serve, pager);
	bench_pin(rig->supervisor, BENCH_SERVES);
	bench_pin(bare.pid, BENCH_SERVES);
	toucher.bare = bare.channel;
	actor = actor_start(touch, &toucher);
	actor_join(&actor);
	actor_kill(&bare, SIGTERM);
	rig_stop(rig);
	bench_report(&row, toucher.values, toucher.floors);
	samples_free(toucher.values);
	samples_free(toucher.floors);
}

void bench_fault(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", 16 * MiB, 1);
	struct bare_pager pager = { .file = open(path, O_RDONLY | O_CLOEXEC), .spin_us = SPIN_US };

	expect(pager.file >= 0);
	pager.batch = 1;
	measure(rig, path, &pager, 2 * MiB);
	pager.batch = 16;
	measure(rig, path, &pager, 8 * MiB);
	pager.batch = 64;
	measure(rig, path, &pager, 16 * MiB);
	close(pager.file);
	rig_free(rig);
}
