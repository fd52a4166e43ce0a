/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Gates with real threads: nobody is inside when a closed gate is found empty, nobody gets in while
 * it is closed, whoever waits for it is woken, and what was done inside is seen by who waited.
 */

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/gate.h"
#include "peer.h"

static struct gate gate, other;
static int kick;

static struct mapseal_seal *seal_of(struct gate *g)
{
	return (struct mapseal_seal *)(void *)g;
}

static void setup(void)
{
	kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ck_assert_int_ge(kick, 0);
	ck_assert_int_eq(gate_setup(), 0);
	gate_init(&gate, kick);
	gate_init(&other, kick);
	gate_open(&other);
}

static void teardown(void)
{
	close(kick);
}

START_TEST(test_closed_and_open)
{
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), -ESTALE);
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), -ESTALE);
	ck_assert_int_eq(mapseal_last_error()->error, ESTALE);
	gate_open(&gate);
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), 0);
	ck_assert(gate_inside_self(&gate));
	ck_assert(gate_inside(&gate));
	ck_assert(!gate_inside(&other));
	mapseal_exit(seal_of(&gate));
	ck_assert(!gate_inside(&gate));
}
END_TEST

START_TEST(test_nesting)
{
	gate_open(&gate);
	for (int i = 0; i < MAPSEAL_NEST; i++)
		ck_assert_int_eq(mapseal_enter(seal_of(i % 2 ? &gate : &other)), 0);
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), -EOVERFLOW);
	gate_close(&gate);
	for (int i = MAPSEAL_NEST; i-- > 0;) {
		ck_assert(gate_inside_self(&other));
		ck_assert_int_eq(gate_inside_self(&gate), i > 0);
		mapseal_exit(seal_of(i % 2 ? &gate : &other));
	}
	ck_assert(!gate_inside_self(&other));
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), -ESTALE);
}
END_TEST

START_TEST(test_inside_of_a_closed_gate)
{
	gate_open(&gate);
	ck_assert_int_eq(mapseal_enter(seal_of(&other)), 0);
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), 0);
	gate_close(&gate);
	/* In again, since the recall waits for this thread anyway; but not from elsewhere. */
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), 0);
	mapseal_exit(seal_of(&gate));
	mapseal_exit(seal_of(&gate));
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), -ESTALE);
	mapseal_exit(seal_of(&other));
}
END_TEST

START_TEST(test_only_a_watched_gate_kicks)
{
	struct pollfd polled = { .fd = kick, .events = POLLIN };

	gate_open(&gate);
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), 0);
	gate_close(&gate);
	mapseal_exit(seal_of(&gate));
	ck_assert_int_eq(poll(&polled, 1, 0), 0);

	gate_open(&gate);
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), 0);
	gate_close(&gate);
	gate_watch(&gate);
	errno = 4711;
	mapseal_exit(seal_of(&gate));
	ck_assert_int_eq(errno, 4711);
	gate_unwatch(&gate);
	ck_assert_int_eq(poll(&polled, 1, 0), 1);
}
END_TEST

/* ---- threads ----------------------------------------------------------------------------- */

#define N_THREADS 4
#define N_CLOSES 300

static int stop;
/* Plain memory: that this is no race is what the gate is for. */
static unsigned long inside[N_THREADS];

static void *go_in_and_out(void *data)
{
	unsigned long *mine = data;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (mapseal_enter(seal_of(&gate)) < 0)
			continue;
		*mine |= 1;
		*mine += 2;
		*mine &= ~1ul;
		mapseal_exit(seal_of(&gate));
	}
	return NULL;
}

START_TEST(test_found_empty_is_empty)
{
	pthread_t threads[N_THREADS];

	gate_open(&gate);
	for (int i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, go_in_and_out, &inside[i]), 0);
	for (int n = 0; n < N_CLOSES; n++) {
		unsigned long before[N_THREADS];

		gate_close(&gate);
		gate_wait_empty(&gate);
		for (int i = 0; i < N_THREADS; i++) {
			before[i] = inside[i];
			ck_assert_uint_eq(before[i] & 1, 0);
		}
		sched_yield();
		for (int i = 0; i < N_THREADS; i++)
			ck_assert_uint_eq(inside[i], before[i]);
		gate_open(&gate);
		sched_yield();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

static void *end_inside(void *data)
{
	ck_assert_int_eq(mapseal_enter(seal_of(&gate)), 0);
	pthread_barrier_wait(data);
	pthread_barrier_wait(data);
	return NULL;
}

START_TEST(test_thread_that_ends_inside_has_left)
{
	pthread_barrier_t barrier;
	pthread_t thread;

	gate_open(&gate);
	pthread_barrier_init(&barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, end_inside, &barrier), 0);
	pthread_barrier_wait(&barrier);
	gate_close(&gate);
	gate_barrier();
	ck_assert(gate_inside(&gate));
	pthread_barrier_wait(&barrier);
	gate_wait_empty(&gate);
	pthread_join(thread, NULL);
	ck_assert(!gate_inside(&gate));
	pthread_barrier_destroy(&barrier);
}
END_TEST

/* ---- signals ----------------------------------------------------------------------------- */

static int signals;

static void enter_in_handler(int signal)
{
	(void)signal;
	if (mapseal_enter(seal_of(&other)) == 0) {
		signals++;
		mapseal_exit(seal_of(&other));
	}
}

static void *send_signals(void *data)
{
	for (int i = 0; i < 2000; i++)
		pthread_kill(*(pthread_t *)data, SIGUSR1);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* A handler that enters in the middle of an enter takes no announcement away. */
START_TEST(test_signal_handlers_may_enter)
{
	struct sigaction action = { .sa_handler = enter_in_handler };
	pthread_t self = pthread_self(), thread;

	gate_open(&gate);
	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_signals, &self), 0);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		ck_assert_int_eq(mapseal_enter(seal_of(&gate)), 0);
		if (!gate_inside_self(&gate))
			ck_abort_msg("inside, but not announced");
		mapseal_exit(seal_of(&gate));
		if (gate_inside_self(&gate))
			ck_abort_msg("outside, but announced");
	}
	pthread_join(thread, NULL);
	ck_assert_int_gt(signals, 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("gate");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_closed_and_open);
	tcase_add_test(tc, test_nesting);
	tcase_add_test(tc, test_inside_of_a_closed_gate);
	tcase_add_test(tc, test_only_a_watched_gate_kicks);
	tcase_add_test(tc, test_found_empty_is_empty);
	tcase_add_test(tc, test_thread_that_ends_inside_has_left);
	tcase_add_test(tc, test_signal_handlers_may_enter);
	return peer_run(tc, false);
}
