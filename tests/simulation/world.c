/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The world around the core: a clock that jumps, the cast, and one step after another.
 *
 * A step is a stretch of time (often none), perhaps a tick, one thing that somebody does, and what
 * the core says to it. The tick comes before or after the thing that happens, as it would in a loop
 * that is busy: a deadline that has passed must not be served differently because another event was
 * first. All decisions come from the seed. The odds change from stretch to stretch, so that there
 * are times of many transparent holders, of stuck ones, of slow fences, of disks that hang or are
 * full, and between them times in which everything comes back; those also prove that nobody was
 * forgotten.
 */

#include "tests/simulation/actions.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const invariant_names[_INV_N] = {
    [INV_EXCLUSIVE] = "exclusive",
    [INV_BREAKER_WAITS] = "breaker-waits",
    [INV_BOUNDED] = "bounded",
    [INV_SEQ] = "seq",
    [INV_ORDER] = "order",
    [INV_NONE_LOST] = "none-lost",
    [INV_RECALL_BARS] = "recall-bars",
    [INV_MIN_HOLD] = "min-hold",
    [INV_LIVING] = "living",
    [INV_ACCOUNT] = "account",
    [INV_VIEW] = "view",
    [INV_ANSWERS] = "answers",
};

void world_trace(const struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->trace)
		return;
	printf("%6llu %9.3f ", (unsigned long long)w->step, (double)w->now / (double)MS);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void world_fail(const struct world *w, enum invariant invariant, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "simulate: invariant %s violated at step %llu, %.3f ms: ",
		invariant_names[invariant], (unsigned long long)w->step,
		(double)w->now / (double)MS);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nreproduce with: simulate --seed %llu --steps %llu --trace\n",
		(unsigned long long)w->seed, (unsigned long long)w->step);
	exit(1);
}

#define FIND(w, array, number)                                                                     \
	do {                                                                                       \
		for (size_t i = 0; i < (w)->n_##array; i++)                                        \
			if ((w)->array[i].id == (number))                                          \
				return &(w)->array[i];                                             \
		return NULL;                                                                       \
	} while (0)

struct sim_holder *world_holder(struct world *w, uint64_t id)
{
	FIND(w, holders, id);
}

struct sim_object *world_object(struct world *w, uint64_t id)
{
	FIND(w, objects, id);
}

struct sim_seal *world_seal(struct world *w, uint64_t id)
{
	FIND(w, seals, id);
}

struct sim_request *world_request(struct world *w, uint64_t id)
{
	FIND(w, requests, id);
}

struct sim_job *world_job(struct world *w, uint64_t id)
{
	FIND(w, jobs, id);
}

/* The arrays keep their order, which is that of arrival. */
#define REMOVE(w, array, entry)                                                                    \
	do {                                                                                       \
		size_t i_ = (size_t)((entry) - (w)->array);                                        \
		memmove(&(w)->array[i_], &(w)->array[i_ + 1],                                      \
			((w)->n_##array - i_ - 1) * sizeof((w)->array[0]));                        \
		(w)->n_##array--;                                                                  \
	} while (0)

void world_seal_dead(struct world *w, struct sim_seal *seal)
{
	w->dead_seals[w->n_dead++ % MAX_DEAD] = seal->id;
	REMOVE(w, seals, seal);
}

void world_request_gone(struct world *w, struct sim_request *request)
{
	REMOVE(w, requests, request);
}

void world_job_gone(struct world *w, struct sim_job *job)
{
	REMOVE(w, jobs, job);
}

void world_holder_gone(struct world *w, struct sim_holder *holder)
{
	REMOVE(w, holders, holder);
}

void world_object_gone(struct world *w, struct sim_object *object)
{
	REMOVE(w, objects, object);
}

void world_recall_taken(struct world *w, struct sim_recall *recall)
{
	REMOVE(w, recalls, recall);
}

void world_drain(struct world *w, int error)
{
	struct core_command c;
	bool any = false;

	world_check(w, error >= 0, INV_ANSWERS, "a call returned %d", error);
	while (core_next_command(w->core, &c)) {
		any = true;
		w->tally.commands++;
		shadow_command(w, &c);
	}
	shadow_settle(w);
	world_check(w, !any || !error, INV_ANSWERS, "a call was refused (%s) and changed something",
		    core_error_string(error));
}

static void tick(struct world *w)
{
	if (core_next_deadline(w->core) > w->now)
		return;
	world_trace(w, "tick");
	core_tick(w->core, w->now);
	world_drain(w, 0);
	world_check(w, core_next_deadline(w->core) > w->now, INV_BOUNDED,
		    "a tick left a deadline of the past");
}

static void pass_time(struct world *w)
{
	uint64_t dice = rng_below(&w->rng, 1000);
	uint64_t next;

	if (dice < 500) {
		w->now += rng_below(&w->rng, w->pace);
	} else if (dice < 640) {
		w->now += rng_below(&w->rng, 12 * w->pace);
	} else if (dice < 641) {
		w->now += rng_below(&w->rng, 2000 * MS);
	} else if (dice < 700) {
		/* Exactly when something is due: where off-by-one errors live. */
		next = core_next_deadline(w->core);
		if (next != CORE_NEVER && next > w->now && next - w->now < 100 * MS)
			w->now = next;
	}
}

void world_step(struct world *w)
{
	w->step++;
	w->tally.steps++;
	pass_time(w);
	mechanism_run(w);
	if (rng_percent(&w->rng, 70))
		tick(w);
	actions_run(w);
	tick(w);
	invariants_step(w);
	if (w->step % 32 == 0)
		invariants_view(w);
}

void world_weather(struct world *w)
{
	actions_weather(w);
	w->slow_fences = (unsigned int)rng_below(&w->rng, 60);
	if (rng_percent(&w->rng, 12))
		w->slow_fences = 100; /* it hangs: what is not forced stays */
	w->failing_fences = (unsigned int)rng_below(&w->rng, 30);
	if (rng_percent(&w->rng, 12))
		w->failing_fences = 90; /* it is full */
	w->pace = MS >> rng_below(&w->rng, 6);
	w->pages = (unsigned int)rng_between(&w->rng, 6, 40);
	world_trace(w, "weather: %u pages, %u%% slow", w->pages, w->slow_fences);
}

void world_init(struct world *w, uint64_t seed, bool trace)
{
	static const uint32_t first[] = {0, 1, 0x7ffffffe, 0xfffffffd, 0xfffffff0, 0xffffff00};
	struct core_config config = {0};
	int r;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->trace = trace;
	w->rng.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
	w->now = rng_below(&w->rng, 1000000 * MS) + MS;
	w->first_seq = first[seed % (sizeof(first) / sizeof(first[0]))];
	w->policy = (struct core_policy){.deadline_ms = 20,
					 .hard_ms = 60,
					 .progress_ms = 10,
					 .min_hold_ms = 4,
					 .hold_ms = 40,
					 .fence_ms = 15};
	config.policy = w->policy;
	config.token_seed = rng_next(&w->rng);
	config.first_seq = w->first_seq;
	if (w->first_seq == 0)
		w->first_seq = 1;
	r = core_new(&config, &w->core);
	world_check(w, r == 0, INV_ANSWERS, "core_new: %d", r);
	world_weather(w);
}

void world_deinit(struct world *w)
{
	w->core = core_free(w->core);
}

static void everybody_returns(struct world *w)
{
	for (size_t i = w->n_jobs; i-- > 0;) {
		if (i < w->n_jobs)
			mechanism_done(w, &w->jobs[i], false);
	}
	for (size_t i = 0; i < w->n_requests; i++) {
		struct sim_request *request = &w->requests[i];
		uint64_t id = request->id;
		int r;

		if (request->held) {
			r = core_break_end(w->core, request->holder, id, request->own_token,
					   w->now);
			world_check(w, r == 0, INV_ANSWERS, "the end of break %llu: %s",
				    (unsigned long long)id, core_error_string(r));
			world_drain(w, r);
			i = (size_t)-1; /* the array has moved */
		} else if (request->avail) {
			world_request_gone(w, request);
			world_drain(w, core_withdraw(w->core, id, w->now));
			i = (size_t)-1;
		}
	}
	for (size_t i = 0; i < w->n_seals; i++) {
		struct sim_seal *seal = &w->seals[i];

		if ((seal->state != SIM_HELD && seal->state != SIM_PARKED) || seal->returning ||
		    !world_holder(w, seal->holder))
			continue;
		action_return(w, seal->holder, seal->id, seal->seq, seal->start, seal->end, false);
	}
}

void world_quiesce(struct world *w)
{
	world_trace(w, "quiet from here on");
	w->quiet_end = true;
	for (unsigned int p = 1; p <= MAX_PROCESSES; p++) {
		for (; w->blocked[p]; w->blocked[p]--) {
			core_process_blocked(w->core, p, false, w->now);
			world_drain(w, 0);
		}
	}
	for (size_t i = 0; i < w->n_holders; i++)
		w->holders[i].stuck = false;
	for (unsigned int round = 0; round < 400; round++) {
		everybody_returns(w);
		invariants_step(w);
		if (!w->n_seals && !w->n_requests && !w->n_jobs)
			break;
		w->now += MS;
		tick(w);
	}
	world_check(w, !w->n_requests, INV_NONE_LOST, "request %llu is still waiting for nobody",
		    (unsigned long long)w->requests[0].id);
	world_check(w, !w->n_seals, INV_NONE_LOST, "seal %llu (%s) never came back",
		    (unsigned long long)w->seals[0].id,
		    w->seals[0].state == SIM_PARKED ? "parked" : "not parked");
	world_check(w, !w->n_jobs, INV_NONE_LOST, "job %llu never ended",
		    (unsigned long long)w->jobs[0].id);
	w->now += 5000 * MS;
	tick(w);
	world_check(w, core_next_deadline(w->core) == CORE_NEVER, INV_NONE_LOST,
		    "nothing is left, and still a timer runs");
	invariants_view(w);
	w->n_recalls = 0;
	w->quiet_end = false;
}
