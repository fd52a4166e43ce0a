/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What every benchmark is made of: a clock, samples, alternation, and rows of results.
 *
 * A row compares a value with its floor: the same work done by the bare mechanism, in the same run,
 * on the same processors, in turns with what is measured (A B B A ...), so that whatever else the
 * machine does hits both alike. Both are medians. doc/benchmarks.md says what each floor is.
 *
 * Nothing here judges: a missed aim is reported, not failed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- the clock --------------------------------------------------------------------------- */

uint64_t bench_now(void); /* ns, CLOCK_MONOTONIC */

/* $BENCH_QUICK: everything runs once or twice, to see that it runs. */
extern bool bench_quick;

unsigned int bench_rounds(unsigned int rounds); /* fewer when quick */

/* ---- samples ----------------------------------------------------------------------------- */

/* In memory that forked processes share: whoever measures adds. */
struct samples {
	size_t n, size;
	double values[];
};

void *bench_shared(size_t size); /* zeroed; forked processes share it */
struct samples *samples_new(size_t size);
struct samples *samples_free(struct samples *samples);
void samples_add(struct samples *samples, double value); /* what is over @size is dropped */
double samples_median(const struct samples *samples);

typedef double (*bench_fn)(void *data);

/* @rounds times both, in turns, the order swapped each time, after one round that is thrown away.
 */
void bench_alternate(unsigned int rounds, bench_fn measured, bench_fn bare, void *data,
		     struct samples *values, struct samples *floors);

/* ---- rows -------------------------------------------------------------------------------- */

enum bench_aim {
	BENCH_NO_AIM,
	BENCH_RATIO_AT_LEAST,
	BENCH_RATIO_AT_MOST,
	BENCH_VALUE_AT_MOST,
};

struct bench_row {
	char name[64];
	const char *unit; /* static */
	enum bench_aim aim;
	double bound;
};

/* @floors NULL: there is nothing to compare with. From any process of the run. */
void bench_report(const struct bench_row *row, const struct samples *values,
		  const struct samples *floors);

/* ---- placement --------------------------------------------------------------------------- */

/*
 * Every process of a comparison is put on the same processors as its counterpart. Together: one
 * processor for all, so that the time is that of the work and not of waking another processor up.
 * Apart: whoever asks on the first, whoever serves on the second (the same one if there is no
 * other).
 */
enum bench_place { BENCH_ASKS, BENCH_SERVES };

void bench_pin(pid_t pid, enum bench_place place); /* all its threads; 0: the calling process */

/* ---- groups ------------------------------------------------------------------------------ */

void bench_core(void);
void bench_gate(void);
void bench_fault(void);
void bench_grant(void);
void bench_recall(void);
void bench_fence(void);
void bench_fan_out(void);
void bench_touch(void);
void bench_direct(void);
void bench_guard(void);
