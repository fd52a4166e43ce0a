/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fencing: a break of a WRITE window of 1 MiB and 64 MiB whose holder is transparent and has
 * touched every page, without writing. The value is that of mapseal_break_begin(), messages and
 * all. The floor is one UFFDIO_WRITEPROTECT and one punch of as much memory, mapped in the same
 * process and all there, timed by the server that does it.
 *
 * The holder and the breaker are on one processor, whoever fences on the other.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/bench/setting.h"
#include "tests/system/rig.h"

enum { PAGE = 4096 };

struct subject {
	struct mapseal *m; /* the breaker's */
	uint64_t length;
	struct actor holder;
	int bare;
};

static int hold_both(int channel, void *data)
{
	const struct subject *subject = data;
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal =
	    hold(m, "file", 0, subject->length, MAPSEAL_WRITE, MAPSEAL_TRANSPARENT);
	const volatile unsigned char *bytes = mapseal_address(seal);
	struct bare_window window;

	bench_pin(0, BENCH_ASKS);
	bare_window_open(&window, subject->bare, subject->length, true);
	cue(channel, "ready");
	while (cue_wait_number(channel)) {
		for (uint64_t at = 0; at < subject->length; at += PAGE)
			(void)bytes[at];
		cue(channel, "touched");
	}
	bare_window_close(&window);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static double fence(void *data)
{
	const struct subject *subject = data;
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	uint64_t t;

	cue_number(subject->holder.channel, 1);
	cue_wait(subject->holder.channel, "touched");
	t = bench_now();
	brk = break_range(subject->m, "file", 0, 0, 0);
	t = bench_now() - t;
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "parked");
	mapseal_break_end(brk);
	return (double)t / 1000;
}

static double fence_bare(void *data)
{
	const struct subject *subject = data;

	bare_window_populate(subject->bare);
	return (double)bare_window_fence(subject->bare) / 1000;
}

static void measure(struct rig *rig, struct bare_pager *pager, uint64_t length, unsigned int rounds)
{
	struct samples *values = samples_new(rounds), *floors = samples_new(rounds);
	struct actor bare = actor_start_as(0, 0, bare_pager_serve, pager);
	struct subject subject = { .length = length, .bare = bare.channel };
	struct bench_row row = { .unit = "us" };

	snprintf(row.name, sizeof(row.name), "fence of %u MiB", (unsigned int)(length / MiB));
	bench_pin(bare.pid, BENCH_SERVES);
	bench_pin(rig->supervisor, BENCH_SERVES);
	bench_pin(0, BENCH_ASKS);
	subject.holder = actor_start(hold_both, &subject);
	cue_wait(subject.holder.channel, "ready");
	subject.m = client(0);
	bench_alternate(rounds, fence, fence_bare, &subject, values, floors);
	mapseal_close(subject.m);
	cue_number(subject.holder.channel, 0);
	actor_join(&subject.holder);
	actor_kill(&bare, SIGTERM);
	bench_report(&row, values, floors);
	samples_free(values);
	samples_free(floors);
}

void bench_fence(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", 64 * MiB, 1);
	struct bare_pager pager = { .file = open(path, O_RDONLY | O_CLOEXEC), .batch = 64 };

	expect(pager.file >= 0);
	bench_start(rig, BENCH_QUOTA BENCH_EXPORT, path);
	measure(rig, &pager, MiB, bench_rounds(60));
	measure(rig, &pager, 64 * MiB, bench_rounds(9));
	close(pager.file);
	rig_free(rig);
}
