/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The core alone, with a million seals on one object: what a grant costs, what a seal costs in
 * memory, and what it costs to find who is in the way.
 *
 * Seals are a page each, granted in a random order to a thousand holders. Memory is what malloc
 * gave out, not what the core believes. The floor is the C library's ordered tree (tsearch(3)) of
 * the same million pages, in the same order.
 */

#include "daemon/core/core.h"

#include <malloc.h>
#include <search.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/core/deadline.h"
#include "tests/bench/bench.h"
#include "tests/system/rig.h"

enum { SEALS = 1000000, HOLDERS = 1000, PAGE = 4096, LOOKUPS = 20000 };

struct population {
	struct core *core;
	uint64_t object, holders[HOLDERS], breaker;
	uint64_t grants_ns;
	size_t bytes;
	void *tree;
	struct node {
		uint64_t start;
	} * nodes;
	uint64_t random;
	uint32_t *order; /* of pages */
};

static uint64_t random_below(struct population *p, uint64_t n)
{
	p->random = p->random * 6364136223846793005u + 1442695040888963407u;
	return (p->random >> 33) % n;
}

static uint64_t random_page(struct population *p)
{
	return random_below(p, SEALS);
}

static void shuffle(struct population *p)
{
	p->order = malloc(SEALS * sizeof(*p->order));
	expect(p->order);
	for (uint32_t i = 0; i < SEALS; i++) {
		uint64_t j = random_below(p, i + 1);

		p->order[i] = p->order[j];
		p->order[j] = i;
	}
}

static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void grant(struct population *p, uint64_t i)
{
	struct core_acquire acquire = {
		.holder = p->holders[i % HOLDERS],
		.object = p->object,
		.start = (uint64_t)p->order[i] * PAGE,
		.end = (uint64_t)p->order[i] * PAGE + PAGE,
		.mode = CORE_READ,
		.kind = CORE_WINDOW,
	};
	struct core_command command;
	uint64_t request;

	expect_eq(core_acquire(p->core, &acquire, 1, &request), 0);
	expect(core_next_command(p->core, &command) && command.type == CORE_CMD_GRANT);
}

static void populate(struct population *p)
{
	struct core_config config = { .token_seed = 1 };
	struct core_object_info object = { .size = (uint64_t)SEALS * PAGE };
	struct core_holder_info holder = { .uid = 1000 };
	size_t before;
	uint64_t t;

	config.policy = core_policy_default();
	expect_eq(core_new(&config, &p->core), 0);
	expect_eq(core_object_add(p->core, &object, &p->object), 0);
	for (size_t i = 0; i < HOLDERS; i++) {
		holder.process = i + 1;
		expect_eq(core_holder_add(p->core, &holder, &p->holders[i]), 0);
	}
	holder.process = HOLDERS + 1;
	expect_eq(core_holder_add(p->core, &holder, &p->breaker), 0);

	before = allocated();
	t = bench_now();
	for (uint64_t i = 0; i < SEALS; i++)
		grant(p, i);
	p->grants_ns = bench_now() - t;
	p->bytes = allocated() - before;
}

/* ---- the floor --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	uint64_t x = ((const struct node *)a)->start, y = ((const struct node *)b)->start;

	return (x > y) - (x < y);
}

static double plant(struct population *p)
{
	uint64_t t;

	p->nodes = calloc(SEALS, sizeof(*p->nodes));
	expect(p->nodes);
	t = bench_now();
	for (uint64_t i = 0; i < SEALS; i++) {
		p->nodes[i].start = (uint64_t)p->order[i] * PAGE;
		expect(tsearch(&p->nodes[i], &p->tree, compare));
	}
	return (double)(bench_now() - t) / SEALS;
}

static double find_bare(void *data)
{
	struct population *p = data;
	uint64_t t = bench_now();

	for (int i = 0; i < LOOKUPS; i++) {
		struct node key = { .start = random_page(p) * PAGE };

		expect(tfind(&key, &p->tree, compare));
	}
	return (double)(bench_now() - t) / LOOKUPS;
}

/* ---- looking up -------------------------------------------------------------------------- */

static bool count(const struct core_seal_view *seal, void *data)
{
	(void)seal;
	++*(int *)data;
	return true;
}

static double find(void *data)
{
	struct population *p = data;
	uint64_t t = bench_now();
	int hits = 0;

	for (int i = 0; i < LOOKUPS; i++) {
		uint64_t start = random_page(p) * PAGE;

		core_seal_each(p->core, p->object, start, start + PAGE, count, &hits);
	}
	expect_eq(hits, LOOKUPS);
	return (double)(bench_now() - t) / LOOKUPS;
}

static double refuse(void *data)
{
	struct population *p = data;
	uint64_t t = bench_now();

	for (int i = 0; i < LOOKUPS; i++) {
		uint64_t start = random_page(p) * PAGE, request;
		struct core_acquire acquire = {
			.holder = p->breaker,
			.object = p->object,
			.start = start,
			.end = start + PAGE,
			.mode = CORE_WRITE,
			.kind = CORE_WINDOW,
			.flags = CORE_F_NO_WAIT,
		};
		struct core_command command;

		expect_eq(core_acquire(p->core, &acquire, 1, &request), 0);
		expect(core_next_command(p->core, &command) && command.type == CORE_CMD_REFUSE &&
		       command.blocker != 0);
	}
	return (double)(bench_now() - t) / LOOKUPS;
}

void bench_core(void)
{
	struct bench_row granted = { .name = "core: grant of 1,000,000 seals", .unit = "ns" };
	struct bench_row memory = { "core: memory of a seal", "bytes", BENCH_VALUE_AT_MOST, 256 };
	struct bench_row lookup = { "core: conflict lookup in 1,000,000", "ns", BENCH_VALUE_AT_MOST,
				    2000 };
	struct bench_row refused = { .name = "core: refusal of a conflicting acquire", .unit = "ns" };
	struct samples *grants = samples_new(8), *bytes = samples_new(8), *trees = samples_new(8);
	struct samples *finds = samples_new(64), *bare = samples_new(64),
		       *refusals = samples_new(64);
	struct samples *bare_again = samples_new(64);
	unsigned int rounds = bench_quick ? 1 : 3;

	for (unsigned int i = 0; i < rounds; i++) {
		pid_t pid = fork();
		int status;

		/* each population in a fresh heap, which goes with the process */
		expect(pid >= 0);
		if (pid == 0) {
			struct population p = { .random = i };

			shuffle(&p);
			populate(&p);
			samples_add(grants, (double)p.grants_ns / SEALS);
			samples_add(bytes, (double)p.bytes / SEALS);
			samples_add(trees, plant(&p));
			bench_alternate(bench_rounds(7), find, find_bare, &p, finds, bare);
			bench_alternate(bench_rounds(7), refuse, find_bare, &p, refusals,
					bare_again);
			_exit(0);
		}
		expect(waitpid(pid, &status, 0) == pid && status == 0);
	}
	bench_report(&granted, grants, trees);
	bench_report(&memory, bytes, NULL);
	bench_report(&lookup, finds, bare);
	bench_report(&refused, refusals, bare_again);
}
