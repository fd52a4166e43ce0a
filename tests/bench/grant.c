/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapseal_acquire() of one page, by a descriptor that is passed as the proof, and by the name of an
 * export. Giving it back is not part of it. The floor is in floor-grant.c. Everybody is on one
 * processor.
 */

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/bench/setting.h"
#include "tests/system/rig.h"

enum { PAGE = 4096, TIMES = 20 }; /* a sample is the mean of so many */

struct asker {
	struct mapseal *m;
	struct bare_grant bare;
	struct mapseal_request request;
	int channel, proof;
	struct samples *values[2], *floors[2];
};

static double us_each(uint64_t ns)
{
	return (double)ns / TIMES / 1000;
}

static double acquire(void *data)
{
	const struct asker *asker = data;
	uint64_t sum = 0;

	for (int i = 0; i < TIMES; i++) {
		uint64_t t = bench_now();
		struct mapseal_seal *seal;

		must(mapseal_acquire(asker->m, &asker->request, &seal));
		sum += bench_now() - t;
		mapseal_seal_free(seal);
	}
	return us_each(sum);
}

static double acquire_bare(void *data)
{
	struct asker *asker = data;
	uint64_t sum = 0;

	for (int i = 0; i < TIMES; i++) {
		uint64_t t = bench_now();
		void *address = bare_grant(&asker->bare);

		sum += bench_now() - t;
		bare_grant_undo(&asker->bare, address);
	}
	return us_each(sum);
}

static int ask(int channel, void *data)
{
	struct asker *asker = data;
	unsigned int rounds = bench_rounds(100);

	(void)channel;
	bench_pin(0, BENCH_ASKS);
	asker->m = client(0);
	asker->request = (struct mapseal_request){
		.size = sizeof(asker->request),
		.fd = asker->proof,
		.length = PAGE,
		.mode = MAPSEAL_READ,
	};
	bare_grant_init(&asker->bare, asker->channel, asker->proof);
	bench_alternate(rounds, acquire, acquire_bare, asker, asker->values[0], asker->floors[0]);
	asker->request.object = "file";
	bench_alternate(rounds, acquire, acquire_bare, asker, asker->values[1], asker->floors[1]);
	mapseal_close(asker->m);
	return 0;
}

void bench_grant(void)
{
	const struct bench_row rows[] = {
		{ .name = "grant of a page, by descriptor", .unit = "us" },
		{ .name = "grant of a page, by export", .unit = "us" },
	};
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", PAGE, 1);
	struct actor bare, actor;
	struct asker asker = { .proof = open(path, O_RDONLY | O_CLOEXEC) };

	expect(asker.proof >= 0);
	for (int i = 0; i < 2; i++) {
		asker.values[i] = samples_new(128);
		asker.floors[i] = samples_new(128);
	}
	bench_start(rig, BENCH_QUOTA BENCH_PLAIN_EXPORT, path);
	bare = actor_start_as(0, 0, bare_grant_serve, NULL);
	bench_pin(rig->supervisor, BENCH_ASKS);
	bench_pin(bare.pid, BENCH_ASKS);
	asker.channel = bare.channel;
	actor = actor_start(ask, &asker);
	actor_join(&actor);
	actor_kill(&bare, SIGTERM);
	close(asker.proof);
	rig_free(rig);
	for (int i = 0; i < 2; i++)
		bench_report(&rows[i], asker.values[i], asker.floors[i]);
}
