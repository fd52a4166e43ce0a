/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A random but repeatable life of the core, a million steps of it, against a model that is too
 * simple to be wrong in the same way.
 *
 *	simulate				the seeds of `make check`, and the floors
 *	simulate --seed N --steps N [--trace]	one seed; --trace tells each call and command
 *
 * A run proves little if it never got anywhere: what was really reached is printed, and each
 * line has a floor, about half of what it usually is.
 */

#include "tests/simulation/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 52, STEPS = 20000, STRETCH = 900, STRETCHES_TO_QUIET = 3 };

/* clang-format off */
#define FLOOR(field, least) { #field, offsetof(struct tally, field), least }

static const struct {
	const char *name;
	size_t offset;
	uint64_t least;
} floors[] = {
	FLOOR(steps, 1000000),
	FLOOR(commands, 800000),
	FLOOR(grants, 70000),
	FLOOR(conflicts, 50000),
	FLOOR(recalls, 70000),
	FLOOR(wide_recalls, 10000),
	FLOOR(partial_returns, 5000),
	FLOOR(splits, 1500),
	FLOOR(delays, 5000),
	FLOOR(no_matching, 2000),
	FLOOR(revocations, 30000),
	FLOOR(waiters_served, 60000),
	FLOOR(seq_wraps, 3000),
	FLOOR(holds, 10000),
	FLOOR(holds_expired, 4000),
	FLOOR(token_grants, 5000),
	FLOOR(parks, 60000),
	FLOOR(regrants, 50000),
	FLOOR(forced_fences, 50000),
	FLOOR(hurried_deaths, 800),
	FLOOR(overdue_returns, 700),
	FLOOR(lapses, 3000),
	FLOOR(quarantines, 8000),
	FLOOR(flushes, 8000),
	FLOOR(failed_returns, 4000),
	FLOOR(avails, 1500),
	FLOOR(recall_anys, 8000),
	FLOOR(deadlocks, 30),
	FLOOR(timeouts, 8000),
	FLOOR(passed, 2100),
	FLOOR(deaths, 4000),
	FLOOR(denied, 5000),
};
/* clang-format on */

static void run(struct world *w, uint64_t seed, uint64_t steps, bool trace)
{
	world_init(w, seed, trace);
	while (w->step < steps) {
		world_step(w);
		if (w->step % STRETCH == 0) {
			if (w->step / STRETCH % STRETCHES_TO_QUIET == 0)
				world_quiesce(w);
			world_weather(w);
		}
	}
	/* Some end in the middle of everything: nothing may leak then either. */
	if (seed % 4 != 3)
		world_quiesce(w);
	world_deinit(w);
}

static uint64_t *field(struct tally *tally, size_t offset)
{
	return (uint64_t *)(void *)((char *)tally + offset);
}

static int check(void)
{
	static struct world w;
	struct tally sum = {0};
	bool low = false;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		run(&w, seed, STEPS, false);
		for (size_t i = 0; i < sizeof(sum); i += sizeof(uint64_t))
			*field(&sum, i) += *field(&w.tally, i);
	}
	printf("seeds 1 to %d, %d steps each; reached, and the floor:\n", SEEDS, STEPS);
	for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
		uint64_t n = *field(&sum, floors[i].offset);

		printf("  %-16s %9llu  %9llu%s\n", floors[i].name, (unsigned long long)n,
		       (unsigned long long)floors[i].least, n < floors[i].least ? "  TOO FEW" : "");
		low |= n < floors[i].least;
	}
	if (low)
		fprintf(stderr, "simulate: the run did not reach what it has to reach\n");
	return low;
}

static bool number(const char *text, uint64_t *ret)
{
	char *end;

	*ret = strtoull(text, &end, 0);
	return *text && !*end;
}

int main(int argc, char **argv)
{
	static struct world w;
	uint64_t seed = 0, steps = STEPS;
	bool trace = false, one = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--trace")) {
			trace = true;
		} else if (!strcmp(argv[i], "--seed") && i + 1 < argc &&
			   number(argv[i + 1], &seed)) {
			one = true;
			i++;
		} else if (!strcmp(argv[i], "--steps") && i + 1 < argc &&
			   number(argv[i + 1], &steps)) {
			i++;
		} else {
			fprintf(stderr, "usage: simulate [--seed N [--steps N] [--trace]]\n");
			return 2;
		}
	}
	if (!one)
		return check();
	run(&w, seed, steps, trace);
	printf("seed %llu: %llu steps, %llu commands, %llu grants: fine\n",
	       (unsigned long long)seed, (unsigned long long)w.tally.steps,
	       (unsigned long long)w.tally.commands, (unsigned long long)w.tally.grants);
	return 0;
}
