/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One step of the loop: what ends it, and that no source can hold it. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/loop/loop-test.h"

#define SECOND 1000000000ull

START_TEST(deadlines)
{
	struct counter counter;
	uint64_t deadline;
	int fd = new_event(0);

	ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_int_eq(loop_step(loop, 1), 0); /* long past */
	deadline = loop_now() + 2000000;
	while (loop_now() < deadline)
		ck_assert_int_eq(loop_step(loop, deadline), 0);

	/* readiness comes first, however far the deadline is */
	counter_start(&counter, fd);
	add(fd, 1);
	ck_assert_int_eq(loop_step(loop, loop_now() + 3600 * SECOND), 0);
	ck_assert_uint_eq(counter.calls, 1);
	loop_poll_stop(&counter.poll);
	close(fd);
}
END_TEST

static volatile sig_atomic_t signalled;

static void on_signal(int signal)
{
	signalled = signal;
}

START_TEST(a_signal_ends_the_waiting)
{
	struct sigaction action = { .sa_handler = on_signal };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	/* again and again: the first may come before the wait begins */
	struct itimerspec spec = { .it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000 };

	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	ck_assert_int_eq(timer_settime(timer, 0, &spec, NULL), 0);
	ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	timer_delete(timer);
	ck_assert_int_eq(signalled, SIGUSR1);
}
END_TEST

static void write_more(struct loop_poll *poll, uint32_t events)
{
	count(poll, events);
	add(poll->fd, 1);
}

/* A source that makes itself ready again at once must not hold a step for ever. */
START_TEST(a_busy_source_does_not_keep_the_step)
{
	struct counter busy, other;
	int busy_fd = new_event(1), other_fd = new_event(1);

	counter_start(&busy, busy_fd);
	busy.poll.fn = write_more;
	counter_start(&other, other_fd);
	for (unsigned int i = 0; i < 50; i++)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	ck_assert_uint_gt(busy.calls, 1);
	ck_assert_uint_eq(other.sum, 1);
	loop_poll_stop(&busy.poll);
	loop_poll_stop(&other.poll);
	close(busy_fd);
	close(other_fd);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, deadlines);
	tcase_add_test(tcase, a_signal_ends_the_waiting);
	tcase_add_test(tcase, a_busy_source_does_not_keep_the_step);
}

int main(void)
{
	return run_case("step", add_tests);
}
