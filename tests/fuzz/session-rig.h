/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One supervisor for the whole process, and a clock that can be put forward.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIG_NOBODY 65534

/* Once. Ends the program with 77 and a reason if it can't be done here. */
void rig_begin(void);

/* Connected to the supervisor. By which way, and as whom, say SESSION_OPEN_*. -1: could not be. */
int rig_connect(unsigned int how);

/* The clock of everybody goes on. */
void rig_wait(unsigned int ms);

/* Rounds of the supervisor: so many that do not wait; or until its mechanisms have answered, for a
 * bounded time. */
void rig_step(unsigned int n);
void rig_settle(void);

/* After all connections were closed: everything must come to an end by itself, and nothing may be
 * left. */
void rig_end(void);

/* ... and nothing may stay open that was not before. A fuzzer may open something between two
 * inputs. */
void rig_count_descriptors(void);
void rig_check_descriptors(void);
