/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Recalls: from mapseal_break_begin() to its return, with N cooperative holders of one page that
 * they have read.
 *
 * Holders are sessions in one process or a few, each with an event loop (or, in one row, the
 * library's thread); their handlers do nothing. The floor is a server that passes the breaker's
 * message on to as many sockets in the same processes and answers when all have replied:
 * floor-fan-out.c. Everybody is on one processor.
 *
 * Between two breaks every session acquires its seal again; that is not measured.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/bench/setting.h"
#include "tests/system/rig.h"

enum { PROCESSES_MAX = 4, EVENTS = 64 };

struct session {
	struct mapseal *m;
	struct mapseal_seal *seal;
	int bare;
};

struct holders { /* of one process */
	unsigned int n, flags;
	const int *bare;
	struct session *sessions;
};

/* ---- a process of holders ---------------------------------------------------------------- */

static void hold_again(struct session *session)
{
	mapseal_seal_free(session->seal);
	session->seal = hold(session->m, "file", 0, 0, MAPSEAL_READ, 0);
	expect_eq(*(const volatile unsigned char *)mapseal_address(session->seal), rig_byte(1, 0));
}

static void watch(int epoll, int fd, void *about)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = about };

	expect(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

/* What an event is about: a session (its connection), &session->bare (its floor), or NULL (the
 * channel). */
static void handle(const struct holders *holders, void *about)
{
	const char *first = (const char *)holders->sessions;
	size_t offset = (size_t)((const char *)about - first) % sizeof(struct session);

	if (offset == 0)
		must(mapseal_dispatch(((struct session *)about)->m));
	else
		bare_reply(*(int *)about);
}

static void serve(const struct holders *holders, int channel, int epoll)
{
	for (;;) {
		struct epoll_event events[EVENTS];
		int ready = epoll_wait(epoll, events, EVENTS, -1);
		char word;

		expect(ready > 0);
		for (int i = 0; i < ready; i++) {
			if (events[i].data.ptr) {
				handle(holders, events[i].data.ptr);
				continue;
			}
			expect_eq(read(channel, &word, 1), 1);
			if (word == 'e')
				return;
			for (unsigned int s = 0; s < holders->n; s++)
				hold_again(&holders->sessions[s]);
			cue(channel, "held");
		}
	}
}

static int hold_all(int channel, void *data)
{
	struct holders *holders = data;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	bench_pin(0, BENCH_ASKS);
	holders->sessions = calloc(holders->n, sizeof(*holders->sessions));
	expect(epoll >= 0 && holders->sessions);
	watch(epoll, channel, NULL);
	for (unsigned int i = 0; i < holders->n; i++) {
		struct session *session = &holders->sessions[i];

		session->m = client(holders->flags);
		session->bare = holders->bare[i];
		watch(epoll, session->bare, &session->bare);
		if (!(holders->flags & MAPSEAL_THREAD))
			watch(epoll, mapseal_get_fd(session->m), session);
	}
	cue(channel, "ready");
	serve(holders, channel, epoll);
	for (unsigned int i = 0; i < holders->n; i++) {
		mapseal_seal_free(holders->sessions[i].seal);
		mapseal_close(holders->sessions[i].m);
	}
	free(holders->sessions);
	return 0;
}

/* ---- the breaker ------------------------------------------------------------------------- */

struct breaker {
	struct mapseal *m;
	unsigned int n, n_processes;
	struct actor processes[PROCESSES_MAX], server;
};

static void everybody_holds(const struct breaker *breaker)
{
	for (unsigned int i = 0; i < breaker->n_processes; i++) {
		cue(breaker->processes[i].channel, "again");
		cue_wait(breaker->processes[i].channel, "held");
	}
}

/* The pager looks for more faults for a while after it has served one; on a single processor that
 * would be part of what comes next. */
static void settle(void)
{
	const struct timespec a_while = { .tv_nsec = 1000000 };

	nanosleep(&a_while, NULL);
}

static double break_all(void *data)
{
	const struct breaker *breaker = data;
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	uint64_t t;

	everybody_holds(breaker);
	settle();
	t = bench_now();
	brk = break_range(breaker->m, "file", 0, 0, 0);
	t = bench_now() - t;
	expect_eq(mapseal_break_account(brk, &account), breaker->n);
	for (unsigned int i = 0; i < breaker->n; i++)
		expect_str(account[i].result, "returned");
	mapseal_break_end(brk);
	return (double)t / 1000;
}

static double ask_all(void *data)
{
	const struct breaker *breaker = data;
	uint64_t t;

	settle();
	t = bench_now();
	bare_ask(breaker->server.channel, 0, 0, 0);
	return (double)(bench_now() - t) / 1000;
}

static void measure(struct rig *rig, unsigned int n, unsigned int flags, unsigned int rounds,
		    const struct bench_row *row)
{
	int *servers = calloc(n, sizeof(int)), *sockets = calloc(n, sizeof(int));
	struct samples *values = samples_new(rounds), *floors = samples_new(rounds);
	struct bare_fan_out fan_out = { .sockets = servers, .n = n };
	struct breaker breaker = { .n = n };
	unsigned int done = 0;

	expect(servers && sockets);
	bare_pairs(servers, sockets, n);
	breaker.server = actor_start_as(0, 0, bare_fan_out_serve, &fan_out);
	bench_pin(breaker.server.pid, BENCH_ASKS);
	bench_pin(rig->supervisor, BENCH_ASKS);
	bench_pin(0, BENCH_ASKS);
	breaker.n_processes = n < PROCESSES_MAX ? n : PROCESSES_MAX;
	for (unsigned int i = 0; i < breaker.n_processes; i++) {
		struct holders holders = { .flags = flags, .bare = sockets + done };

		holders.n = (n - done) / (breaker.n_processes - i);
		breaker.processes[i] = actor_start(hold_all, &holders);
		cue_wait(breaker.processes[i].channel, "ready");
		done += holders.n;
	}
	breaker.m = client(0);
	bench_alternate(rounds, break_all, ask_all, &breaker, values, floors);
	mapseal_close(breaker.m);
	for (unsigned int i = 0; i < breaker.n_processes; i++) {
		cue(breaker.processes[i].channel, "end");
		actor_join(&breaker.processes[i]);
	}
	actor_kill(&breaker.server, SIGTERM);
	for (unsigned int i = 0; i < n; i++) {
		close(servers[i]);
		close(sockets[i]);
	}
	free(servers);
	free(sockets);
	bench_report(row, values, floors);
	samples_free(values);
	samples_free(floors);
}

static struct rig *start(void)
{
	struct rig *rig = rig_new();

	bench_start(rig, BENCH_QUOTA BENCH_PLAIN_EXPORT, rig_file(rig, "file", 4096, 1));
	return rig;
}

void bench_recall(void)
{
	const struct bench_row loop = { "recall to return, event loop", "us", BENCH_RATIO_AT_MOST,
					2 };
	const struct bench_row thread = { "recall to return, library's thread", "us",
					  BENCH_RATIO_AT_MOST, 2 };
	struct rig *rig = start();

	measure(rig, 1, 0, bench_rounds(500), &loop);
	measure(rig, 1, MAPSEAL_THREAD, bench_rounds(500), &thread);
	rig_free(rig);
}

void bench_fan_out(void)
{
	static const struct {
		unsigned int n, rounds;
	} sizes[] = { { 1, 300 }, { 10, 100 }, { 100, 30 }, { 1000, 9 } };
	struct rig *rig = start();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bench_row row = { .unit = "us", .aim = BENCH_RATIO_AT_MOST, .bound = 1.5 };

		snprintf(row.name, sizeof(row.name), "fan-out, break with %u holder%s", sizes[i].n,
			 sizes[i].n > 1 ? "s" : "");
		measure(rig, sizes[i].n, 0, bench_rounds(sizes[i].rounds), &row);
	}
	rig_free(rig);
}
