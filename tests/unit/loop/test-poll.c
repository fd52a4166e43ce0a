/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Readiness: every edge arrives, and nobody is called after a stop. */

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/loop/loop-test.h"

START_TEST(readiness_before_and_after_start)
{
	struct counter counter;
	int fd = new_event(5);

	counter_start(&counter, fd);
	ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	ck_assert_uint_eq(counter.sum, 5);
	for (unsigned int i = 0; i < 100; i++) {
		add(fd, 1);
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
		ck_assert_uint_eq(counter.sum, 6 + i);
	}
	ck_assert_uint_eq(counter.events, EPOLLIN);
	loop_poll_stop(&counter.poll);
	close(fd);
}
END_TEST

/* More at once than the rings have room for: submissions are pushed out, overflow ends polls. */
START_TEST(thousand_sources)
{
	enum { N = 1000 };
	struct counter *counters = calloc(N, sizeof(*counters));
	struct rlimit limit = { .rlim_cur = 4096, .rlim_max = 4096 };
	unsigned int served;

	ck_assert_ptr_nonnull(counters);
	setrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned int i = 0; i < N; i++)
		counter_start(&counters[i], new_event(0));
	for (unsigned int round = 1; round <= 20; round++) {
		for (unsigned int i = 0; i < N; i++)
			add(counters[i].poll.fd, i + 1);
		do {
			ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
			served = 0;
			for (unsigned int i = 0; i < N; i++)
				served += counters[i].sum == (uint64_t)round * (i + 1);
		} while (served < N);
	}
	for (unsigned int i = 0; i < N; i++) {
		loop_poll_stop(&counters[i].poll);
		close(counters[i].poll.fd);
	}
	free(counters);
	ck_assert_int_eq(loop_step(loop, 0), 0);
}
END_TEST

START_TEST(nothing_after_stop)
{
	struct counter *gone = malloc(sizeof(*gone)), other;
	int fd = new_event(0), other_fd = new_event(0);

	counter_start(gone, fd);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	add(fd, 1);
	loop_poll_stop(&gone->poll);
	loop_poll_stop(&gone->poll);
	free(gone);
	close(fd);
	/* takes the same descriptor number, and soon the same slot */
	ck_assert_int_eq(new_event(0), fd);
	counter_start(&other, other_fd);
	add(other_fd, 1);
	while (other.calls == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(other.calls, 1);
	loop_poll_stop(&other.poll);
	close(other_fd);
	close(fd);
}
END_TEST

START_TEST(stop_before_it_was_submitted)
{
	struct counter *gone = malloc(sizeof(*gone)), never = { .calls = 0 };
	int fd = new_event(1);

	counter_start(gone, fd);
	loop_poll_stop(&gone->poll);
	free(gone);
	loop_poll_stop(&never.poll);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	close(fd);
}
END_TEST

/* Starting and stopping without end must not eat slots or leave old completions to new tenants. */
START_TEST(churn)
{
	int fd = new_event(0);

	for (unsigned int i = 0; i < 20000; i++) {
		struct counter *counter = malloc(sizeof(*counter));

		counter_start(counter, fd);
		if (i % 3 == 0)
			add(fd, 1);
		if (i % 2 == 0)
			ck_assert_int_eq(loop_step(loop, 0), 0);
		loop_poll_stop(&counter->poll);
		free(counter);
	}
	close(fd);
}
END_TEST

struct pair {
	struct counter *mine, *victim;
};

static void stop_both(struct loop_poll *poll, uint32_t events)
{
	struct pair *pair = poll->data;

	ck_assert(events & EPOLLIN);
	ck_assert_ptr_nonnull(pair->mine);
	loop_poll_stop(&pair->mine->poll);
	loop_poll_stop(&pair->victim->poll);
	close(pair->mine->poll.fd);
	close(pair->victim->poll.fd);
	free(pair->mine);
	free(pair->victim);
	pair->mine = pair->victim = NULL;
}

/* Two are ready at once, each frees itself and the other: exactly one is called. */
START_TEST(stop_within_callbacks)
{
	for (unsigned int i = 0; i < 50; i++) {
		struct pair pair = { .mine = malloc(sizeof(struct counter)),
				     .victim = malloc(sizeof(struct counter)) };

		counter_start(pair.mine, new_event(0));
		counter_start(pair.victim, new_event(0));
		pair.mine->poll.fn = pair.victim->poll.fn = stop_both;
		pair.mine->poll.data = pair.victim->poll.data = &pair;
		ck_assert_int_eq(loop_step(loop, 0), 0);
		add(pair.mine->poll.fd, 1);
		add(pair.victim->poll.fd, 1);
		while (pair.mine)
			ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
		ck_assert_int_eq(loop_step(loop, 0), 0);
	}
}
END_TEST

static void restart(struct loop_poll *poll, uint32_t events)
{
	struct counter *counter = poll->data;

	loop_poll_stop(poll);
	count(poll, events);
	ck_assert_int_eq(loop_poll_start(loop, poll, EPOLLIN), 0);
	counter->events = 0;
}

START_TEST(restart_within_a_callback)
{
	struct counter counter;
	int fd = new_event(0);

	counter_start(&counter, fd);
	counter.poll.fn = restart;
	for (unsigned int i = 1; i <= 100; i++) {
		add(fd, 1);
		while (counter.sum < i)
			ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	}
	loop_poll_stop(&counter.poll);
	close(fd);
}
END_TEST

START_TEST(hangup_after_stop_and_close)
{
	struct counter ours, theirs;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	counter_start(&ours, fds[0]);
	counter_start(&theirs, fds[1]);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	loop_poll_stop(&ours.poll);
	close(fds[0]);
	while (!(theirs.events & EPOLLHUP))
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	loop_poll_stop(&theirs.poll);
	close(fds[1]);
}
END_TEST

static void note(struct loop_poll *poll, uint32_t events)
{
	struct counter *counter = poll->data;

	counter->calls++;
	counter->events |= events;
}

START_TEST(a_bad_descriptor_is_told_once)
{
	struct counter counter = { .poll = { .fd = 4000000, .fn = note, .data = &counter } };

	ck_assert_int_eq(loop_poll_start(loop, &counter.poll, EPOLLIN), 0);
	while (counter.calls == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	for (unsigned int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(counter.calls, 1);
	ck_assert(counter.events & LOOP_POLL_FAILED);
	loop_poll_stop(&counter.poll);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, readiness_before_and_after_start);
	tcase_add_test(tcase, thousand_sources);
	tcase_add_test(tcase, nothing_after_stop);
	tcase_add_test(tcase, stop_before_it_was_submitted);
	tcase_add_test(tcase, churn);
	tcase_add_test(tcase, stop_within_callbacks);
	tcase_add_test(tcase, restart_within_a_callback);
	tcase_add_test(tcase, hangup_after_stop_and_close);
	tcase_add_test(tcase, a_bad_descriptor_is_told_once);
}

int main(void)
{
	return run_case("poll", add_tests);
}
