/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Kernel leases on an open description of our own; see lease.c. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What is known about others who may have the file open, ordered. */
enum lease {
	LEASE_NONE,	  /* nothing */
	LEASE_NO_WRITERS, /* none of them can write */
	LEASE_NOBODY,	  /* there are none */
	LEASE_UNSUPPORTED,
};

/* Looks now, and keeps nothing. */
enum lease lease_prove(int fd, pid_t thread, int signal);

/* Takes the best there is, and keeps it: a break sends @signal to @thread, siginfo names @fd. */
enum lease lease_take(int fd, pid_t thread, int signal);

/* Gives up what a break wants: readers alone, if possible. What is left; LEASE_NOBODY: all of it,
 * for behind the readers is a writer, who would pass with them. */
enum lease lease_yield(int fd, pid_t thread, int signal, bool to_readers);
void lease_drop(int fd);

/* What a break waits for. */
enum lease_break {
	LEASE_UNBROKEN,
	LEASE_BROKEN_BY_READER,
	LEASE_BROKEN_BY_WRITER,
};

enum lease_break lease_break(int fd, enum lease held);

/* 0: breaks take as long as it takes. */
uint32_t lease_break_ms(void);
