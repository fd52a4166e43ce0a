/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who is between mapseal_enter() and mapseal_exit(); see gate.c. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mapseal.h"

/* Begins every struct mapseal_seal. */
struct gate {
	struct mapseal_gate public;
	uint32_t exits;	  /* futex: somebody left while it was watched */
	uint32_t watched; /* how many wait for it to be empty */
	int kick;	  /* eventfd to write to then, not owned */
	pid_t pid;	  /* whose it is */
};

/* Once a connection, before its first gate. -EOPNOTSUPP: no membarrier(2) here. */
int gate_setup(void);

/* A closed gate. */
void gate_init(struct gate *gate, int kick);

static inline bool gate_is_closed(const struct gate *gate)
{
	return __atomic_load_n(&gate->public.closed, __ATOMIC_RELAXED) != 0;
}

void gate_open(struct gate *gate);
void gate_close(struct gate *gate);

/* While a gate is watched, leaving it while it is closed writes to @kick. Calls nest. */
void gate_watch(struct gate *gate);
void gate_unwatch(struct gate *gate);

/* After gate_close() and gate_watch() of any number of gates, and before gate_inside() of them. */
void gate_barrier(void);

/* Whether any thread is inside of the closed gate; the calling one. */
bool gate_inside(const struct gate *gate);
bool gate_inside_self(const struct gate *gate);

/* Waits until nobody is inside of the closed gate. */
void gate_wait_empty(struct gate *gate);

/* For pthread_atfork(3). */
void gate_fork_prepare(void);
void gate_fork_parent(void);
void gate_fork_child(void);
