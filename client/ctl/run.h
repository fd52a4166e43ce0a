/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The COMMAND of hold and break, and the signals that end us meanwhile: both as descriptors to
 * poll.
 */

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct run {
	pid_t pid; /* 0: no COMMAND runs */
	int pidfd, signalfd;
	sigset_t saved;
};

#define RUN_INIT                                                                                   \
	{                                                                                          \
		.pidfd = -1, .signalfd = -1                                                        \
	}

/* From here on SIGINT, SIGTERM and SIGHUP are read from signalfd. 0 or a negative errno. */
int run_signals(struct run *run);

/*
 * Starts @argv with our environment and the signal mask from before. False: it does not run, and
 * *@ret_status is what a shell would exit with (126, 127), after having complained.
 */
bool run_start(struct run *run, char **argv, int *ret_status);

/* Takes a signal off signalfd, passes it on to the COMMAND unless it came from the terminal. */
int run_signal(struct run *run);

/* When pidfd polled readable: the COMMAND's status as a shell has it. */
int run_reap(struct run *run);

void run_done(struct run *run);
