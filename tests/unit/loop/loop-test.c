/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rig of the loop's tests. Nothing in them looks at how long something took; a deadline is only
 * asked whether it was over when the step came back.
 */

#include "tests/unit/loop/loop-test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct loop *loop;

static void setup(void)
{
	ck_assert_int_eq(loop_new(8, &loop), 0);
}

static void teardown(void)
{
	loop = loop_free(loop);
}

void count(struct loop_poll *poll, uint32_t events)
{
	struct counter *counter = poll->data;
	uint64_t value;

	counter->calls++;
	counter->events |= events;
	while (read(poll->fd, &value, sizeof(value)) == sizeof(value))
		counter->sum += value;
}

void counter_start(struct counter *counter, int fd)
{
	*counter = (struct counter){ .poll = { .fd = fd, .fn = count, .data = counter } };
	ck_assert_int_eq(loop_poll_start(loop, &counter->poll, EPOLLIN), 0);
}

void add(int fd, uint64_t value)
{
	ck_assert_int_eq(write(fd, &value, sizeof(value)), sizeof(value));
}

int new_event(uint64_t value)
{
	int fd = eventfd((unsigned int)value, EFD_NONBLOCK | EFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void finished(struct loop_op *op, int result)
{
	struct result *r = op->data;

	ck_assert(!op->busy);
	r->calls++;
	r->result = result;
}

struct result new_result(struct result *r)
{
	return (struct result){ .op = { .fn = finished, .data = r } };
}

int wait_for(struct result *r)
{
	while (r->calls == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	ck_assert_uint_eq(r->calls, 1);
	r->calls = 0;
	return r->result;
}

int run_case(const char *name, void (*add_tests)(TCase *tcase))
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create(name);
	struct loop *probe = NULL;
	SRunner *runner;
	int failed, r;

	r = loop_new(4, &probe);
	if (r == -ENOSYS || r == -EPERM) {
		printf("no io_uring here: %s\n", strerror(-r));
		return 77;
	}
	loop_free(probe);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
