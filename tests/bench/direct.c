/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * DIRECT seals, on an ext4 of their own: what a held one costs its holder, which should be nothing,
 * and what it costs to get one with its extents.
 *
 * The floors use a second file of the same kind. Of a held seal it is a shared mapping of that
 * file. Of a grant, what any program has to do that wants to know where its blocks are: allocate,
 * write what is not written, fsync(2), FIEMAP; in the process that asks, without any message.
 */

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/setting.h"
#include "tests/system/direct.h"

enum { MAPPED = 32 * 1024 * 1024, GRANTED = 4 * 1024 * 1024 };
enum { LOADS, STORES, WRITTEN, HOLES, ROWS };

struct user {
	struct mapseal *m;
	int bare;    /* the second file */
	int channel; /* to who may make files anew */
	bool holes;
	volatile uint64_t *sealed, *mapped;
	struct samples *values[ROWS], *floors[ROWS];
};

/* ---- a seal that is held ----------------------------------------------------------------- */

static double per_second(uint64_t since)
{
	return (double)MAPPED / (double)MiB / 1024 * 1e9 / (double)(bench_now() - since);
}

/* The same instructions at the same place for both sides: where a loop of stores lies makes it twice as
 * fast, or half. */
static __attribute__((noinline)) double load_all(const volatile uint64_t *words)
{
	uint64_t t = bench_now();

	for (size_t i = 0; i < MAPPED / sizeof(*words); i++)
		(void)words[i];
	return per_second(t);
}

static __attribute__((noinline)) double store_all(volatile uint64_t *words)
{
	uint64_t t = bench_now();

	for (size_t i = 0; i < MAPPED / sizeof(*words); i++)
		words[i] = i;
	return per_second(t);
}

static double load_sealed(void *data)
{
	return load_all(((const struct user *)data)->sealed);
}

static double load_mapped(void *data)
{
	return load_all(((const struct user *)data)->mapped);
}

static double store_sealed(void *data)
{
	return store_all(((const struct user *)data)->sealed);
}

static double store_mapped(void *data)
{
	return store_all(((const struct user *)data)->mapped);
}

static void *map_bare(const struct user *user)
{
	void *bytes = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, user->bare, 0);

	expect(bytes != MAP_FAILED);
	return bytes;
}

/* ---- grants ------------------------------------------------------------------------------ */

static void make_anew(const struct user *user)
{
	cue(user->channel, user->holes ? "holes" : "leave");
	cue_wait(user->channel, "made");
}

static int count(const struct mapseal_extent *extent, void *data)
{
	(void)extent;
	++*(unsigned int *)data;
	return 0;
}

static double grant(void *data)
{
	const struct user *user = data;
	struct mapseal_request request = direct_request("granted", MAPSEAL_WRITE);
	struct mapseal_seal *seal;
	unsigned int n = 0;
	uint64_t t;

	make_anew(user);
	t = bench_now();
	must(mapseal_acquire(user->m, &request, &seal));
	must(mapseal_extents(user->m, mapseal_id(seal), count, &n));
	t = bench_now() - t;
	expect(n > 0);
	mapseal_seal_free(seal);
	return (double)t / 1000;
}

static double grant_bare(void *data)
{
	static const char zeros[1 << 20];
	const struct user *user = data;
	struct {
		struct fiemap map;
		struct fiemap_extent extents[64];
	} blocks;
	uint64_t t;

	make_anew(user);
	memset(&blocks, 0, sizeof(blocks));
	blocks.map.fm_length = GRANTED;
	blocks.map.fm_extent_count = 64;
	t = bench_now();
	expect(fallocate(user->bare, 0, 0, GRANTED) == 0);
	for (off_t at = 0; user->holes && at < GRANTED; at += (off_t)sizeof(zeros))
		expect_eq(pwrite(user->bare, zeros, sizeof(zeros), at), sizeof(zeros));
	expect(fsync(user->bare) == 0);
	expect(ioctl(user->bare, FS_IOC_FIEMAP, &blocks.map) == 0);
	t = bench_now() - t;
	expect(blocks.map.fm_mapped_extents > 0);
	return (double)t / 1000;
}

/* ---- the run ----------------------------------------------------------------------------- */

static int use_mapped(int channel, void *data)
{
	struct user *user = data;
	struct mapseal_seal *seal;

	(void)channel;
	bench_pin(0, BENCH_ASKS);
	user->m = client(0);
	seal = hold_direct(user->m, "file", MAPSEAL_WRITE, 0, NULL, NULL);
	user->sealed = mapseal_address(seal);
	user->mapped = map_bare(user);
	bench_alternate(bench_rounds(201), load_sealed, load_mapped, user, user->values[LOADS],
			user->floors[LOADS]);
	bench_alternate(bench_rounds(201), store_sealed, store_mapped, user, user->values[STORES],
			user->floors[STORES]);
	mapseal_seal_free(seal);
	mapseal_close(user->m);
	return 0;
}

static int ask(int channel, void *data)
{
	struct user *user = data;

	user->channel = channel;
	bench_pin(0, BENCH_ASKS);
	user->m = client(0);
	bench_alternate(bench_rounds(41), grant, grant_bare, user, user->values[WRITTEN],
			user->floors[WRITTEN]);
	user->holes = true;
	bench_alternate(bench_rounds(41), grant, grant_bare, user, user->values[HOLES],
			user->floors[HOLES]);
	mapseal_close(user->m);
	return 0;
}

static void empty(const char *path)
{
	expect(truncate(path, 0) == 0 && truncate(path, GRANTED) == 0);
}

/* As whoever asks wants them before each grant. */
static void make_files(int channel, const char *granted, const char *bare)
{
	for (unsigned int i = 0; i < 2 * (bench_rounds(41) + 1); i++) {
		cue_wait(channel, "leave");
		cue(channel, "made");
	}
	for (unsigned int i = 0; i < 2 * (bench_rounds(41) + 1); i++) {
		cue_wait(channel, "holes");
		empty(granted);
		empty(bare);
		cue(channel, "made");
	}
}

void bench_direct(void)
{
	static const struct bench_row rows[ROWS] = {
		[LOADS] = { "DIRECT: loads", "GiB/s", BENCH_RATIO_AT_LEAST, 0.95 },
		[STORES] = { "DIRECT: stores", "GiB/s", BENCH_RATIO_AT_LEAST, 0.95 },
		[WRITTEN] = { .name = "DIRECT: grant of 4 MiB, written", .unit = "us" },
		[HOLES] = { .name = "DIRECT: grant of 4 MiB, a hole", .unit = "us" },
	};
	struct rig *rig = rig_new();
	const char *disk = rig_mount(rig, "disk", "ext4", 256 * MiB);
	const char *file = direct_file(rig, disk, "file", MAPPED, 1);
	const char *mapped = direct_file(rig, disk, "mapped", MAPPED, 1);
	const char *granted = direct_file(rig, disk, "granted", GRANTED, 1);
	const char *bare = direct_file(rig, disk, "bare", GRANTED, 1);
	struct user user = { .bare = open(mapped, O_RDWR | O_CLOEXEC) };
	struct actor actor;

	expect(user.bare >= 0);
	for (int i = 0; i < ROWS; i++) {
		user.values[i] = samples_new(256);
		user.floors[i] = samples_new(256);
	}
	bench_start(rig,
		    BENCH_QUOTA BENCH_PLAIN_EXPORT
		    "[export granted]\npath = %s\nread = *\nwrite = *\n",
		    file, granted);
	bench_pin(rig->supervisor, BENCH_SERVES);
	actor = actor_start(use_mapped, &user);
	actor_join(&actor);
	close(user.bare);
	user.bare = open(bare, O_RDWR | O_CLOEXEC);
	expect(user.bare >= 0);
	bench_pin(rig->supervisor, BENCH_ASKS);
	actor = actor_start(ask, &user);
	make_files(actor.channel, granted, bare);
	actor_join(&actor);
	close(user.bare);
	rig_free(rig);
	for (int i = 0; i < ROWS; i++)
		bench_report(&rows[i], user.values[i], user.floors[i]);
}
