/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the loop's tests share: a loop for each test, sources that count, operations that remember. */

#include <check.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "daemon/loop/loop.h"

extern struct loop *loop;

/* An eventfd that is read empty at each call. */
struct counter {
	struct loop_poll poll;
	unsigned int calls;
	uint32_t events;
	uint64_t sum;
};

int new_event(uint64_t value);
void add(int fd, uint64_t value);
void count(struct loop_poll *poll, uint32_t events);
void counter_start(struct counter *counter, int fd);

struct result {
	struct loop_op op;
	unsigned int calls;
	int result;
};

struct result new_result(struct result *r);
int wait_for(struct result *r);

/* Makes the case and runs it, with a fresh loop for each test. An exit code: 77 where there is no io_uring. */
int run_case(const char *name, void (*add_tests)(TCase *tcase));
