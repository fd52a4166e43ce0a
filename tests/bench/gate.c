/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapseal_enter() and mapseal_exit() of a held seal, over an empty function that is called, and
 * over the lock that one would otherwise take: pthread_rwlock_rdlock() and unlock.
 */

#include <pthread.h>

#include "tests/bench/bench.h"
#include "tests/bench/setting.h"
#include "tests/system/rig.h"

enum { TIMES = 10000000 };

struct subject {
	struct mapseal_seal *seal;
	pthread_rwlock_t lock;
	struct samples *gates, *calls, *again, *locks;
};

static double per_time(uint64_t since)
{
	return (double)(bench_now() - since) / TIMES;
}

static double enter_and_exit(void *data)
{
	struct subject *subject = data;
	uint64_t t = bench_now();

	for (int i = 0; i < TIMES; i++) {
		if (mapseal_enter(subject->seal) < 0)
			expect_failed(__FILE__, __LINE__, "the seal was taken");
		mapseal_exit(subject->seal);
	}
	return per_time(t);
}

static __attribute__((noinline)) void nothing(void *data)
{
	__asm__ volatile("" ::"r"(data) : "memory");
}

static double call_nothing(void *data)
{
	uint64_t t = bench_now();

	for (int i = 0; i < TIMES; i++)
		nothing(data);
	return per_time(t);
}

static double lock_and_unlock(void *data)
{
	struct subject *subject = data;
	uint64_t t = bench_now();

	for (int i = 0; i < TIMES; i++) {
		pthread_rwlock_rdlock(&subject->lock);
		pthread_rwlock_unlock(&subject->lock);
	}
	return per_time(t);
}

static int holder(int channel, void *data)
{
	struct subject *subject = data;
	struct mapseal *m = client(MAPSEAL_THREAD);
	unsigned int rounds = bench_rounds(11);

	(void)channel;
	bench_pin(0, BENCH_ASKS);
	subject->seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	bench_alternate(rounds, enter_and_exit, call_nothing, subject, subject->gates,
			subject->calls);
	bench_alternate(rounds, enter_and_exit, lock_and_unlock, subject, subject->again,
			subject->locks);
	mapseal_seal_free(subject->seal);
	mapseal_close(m);
	return 0;
}

void bench_gate(void)
{
	struct bench_row over_call = { "enter+exit over an empty call", "ns", BENCH_VALUE_AT_MOST,
				       2 };
	struct bench_row over_lock = { "enter+exit over pthread_rwlock", "ns", BENCH_VALUE_AT_MOST,
				       2 };
	struct subject subject = { .lock = PTHREAD_RWLOCK_INITIALIZER };
	struct rig *rig = rig_new();
	struct actor actor;

	subject.gates = samples_new(64);
	subject.calls = samples_new(64);
	subject.again = samples_new(64);
	subject.locks = samples_new(64);
	bench_start(rig, BENCH_QUOTA BENCH_PLAIN_EXPORT, rig_file(rig, "file", 4096, 1));
	actor = actor_start(holder, &subject);
	actor_join(&actor);
	rig_free(rig);
	bench_report(&over_call, subject.gates, subject.calls);
	bench_report(&over_lock, subject.again, subject.locks);
}
