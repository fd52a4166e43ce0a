/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a guarded file costs strangers: an operation that disturbs nobody, one that a window has to
 * be taken back for, and reading all of a sealed file.
 *
 * The window is a cooperative holder's, with an event loop and no handler; it is acquired again
 * before the next operation, which is not measured. The floors are in floor-guard.c, and files that
 * nobody listens to: they say what it costs that the kernel asks at all. What a recall costs by
 * itself is in recall.c.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/bench/setting.h"
#include "tests/system/rig.h"

enum { TIMES = 50, FILE_SIZE = 4 * 1024 * 1024, SMALL = 4096, LARGE = 128 * 1024 };
enum { READ, OPEN, WRITE, RECALL, LEASE, SMALL_BARE, SMALL_FREE, LARGE_BARE, LARGE_FREE, ROWS };

/* ---- the holder -------------------------------------------------------------------------- */

/* Holds half of the export, and gives it back when asked. */
static int hold_half(int channel, void *export)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold(m, export, 0, FILE_SIZE / 2, MAPSEAL_READ, 0);
	struct pollfd fds[2] = {
		{ .fd = channel, .events = POLLIN },
		{ .fd = mapseal_get_fd(m), .events = POLLIN },
	};

	cue(channel, "held");
	for (;;) {
		expect(poll(fds, 2, -1) > 0);
		if (fds[1].revents)
			must(mapseal_dispatch(m));
		if (!fds[0].revents)
			continue;
		cue_wait(channel, "again");
		mapseal_seal_free(seal);
		seal = hold(m, export, 0, FILE_SIZE / 2, MAPSEAL_READ, 0);
		cue(channel, "held");
	}
}

/* ---- strangers --------------------------------------------------------------------------- */

struct stranger {
	const char *paths[3]; /* guarded; with the bare guard; with none */
	int fds[3], channels[2];
	size_t size;
	int bare; /* which of them the floor is */
	struct samples *values[ROWS], *floors[ROWS];
};

static double us_each(uint64_t since)
{
	return (double)(bench_now() - since) / TIMES / 1000;
}

static double read_some(int fd)
{
	uint64_t t = bench_now();
	char bytes[SMALL];

	for (int i = 0; i < TIMES; i++)
		expect_eq(pread(fd, bytes, SMALL, (off_t)i * SMALL), SMALL);
	return us_each(t);
}

static double read_guarded(void *data)
{
	return read_some(((const struct stranger *)data)->fds[0]);
}

static double read_bare(void *data)
{
	return read_some(((const struct stranger *)data)->fds[1]);
}

static double open_some(const char *path)
{
	uint64_t t = bench_now();

	for (int i = 0; i < TIMES; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		expect(fd >= 0);
		close(fd);
	}
	return us_each(t);
}

static double open_guarded(void *data)
{
	return open_some(((const struct stranger *)data)->paths[0]);
}

static double open_bare(void *data)
{
	return open_some(((const struct stranger *)data)->paths[1]);
}

static void hold_again(int channel)
{
	cue(channel, "again");
	cue_wait(channel, "held");
}

static double write_some(int fd)
{
	static const char bytes[SMALL];
	uint64_t t = bench_now();

	for (int i = 0; i < TIMES; i++)
		expect_eq(pwrite(fd, bytes, SMALL, FILE_SIZE / 2 + (off_t)i * SMALL), SMALL);
	return us_each(t);
}

static double write_beside(void *data)
{
	return write_some(((const struct stranger *)data)->fds[0]);
}

static double write_beside_bare(void *data)
{
	return write_some(((const struct stranger *)data)->fds[1]);
}

static double write_one(int fd)
{
	static const char bytes[SMALL];
	uint64_t t = bench_now();

	expect_eq(pwrite(fd, bytes, SMALL, 0), SMALL);
	return (double)(bench_now() - t) / 1000;
}

static double write_guarded(void *data)
{
	const struct stranger *stranger = data;
	double us = write_one(stranger->fds[0]);

	hold_again(stranger->channels[0]);
	return us;
}

static double write_bare(void *data)
{
	return write_one(((const struct stranger *)data)->fds[1]);
}

static double open_to_write(const struct stranger *stranger, int which)
{
	uint64_t t = bench_now();
	int fd = open(stranger->paths[which], O_WRONLY | O_CLOEXEC);

	t = bench_now() - t;
	expect(fd >= 0);
	close(fd);
	hold_again(stranger->channels[which]);
	return (double)t / 1000;
}

static double open_leased(void *data)
{
	return open_to_write(data, 0);
}

static double open_bare_leased(void *data)
{
	return open_to_write(data, 1);
}

static double read_all(const struct stranger *stranger, int which)
{
	static char bytes[LARGE];
	uint64_t t = bench_now();

	for (uint64_t at = 0; at < FILE_SIZE; at += stranger->size)
		expect(pread(stranger->fds[which], bytes, stranger->size, (off_t)at) > 0);
	return (double)FILE_SIZE / (double)MiB * 1e9 / (double)(bench_now() - t);
}

static double read_all_guarded(void *data)
{
	return read_all(data, 0);
}

static double read_all_bare(void *data)
{
	const struct stranger *stranger = data;

	return read_all(stranger, stranger->bare);
}

static void measure(struct stranger *stranger, int row, unsigned int rounds, bench_fn measured,
		    bench_fn bare)
{
	bench_alternate(bench_rounds(rounds), measured, bare, stranger, stranger->values[row],
			stranger->floors[row]);
}

static void open_all(struct stranger *stranger, int flags)
{
	for (int i = 0; i < 3; i++) {
		stranger->fds[i] = open(stranger->paths[i], flags | O_CLOEXEC);
		expect(stranger->fds[i] >= 0);
	}
}

static int operate(int channel, void *data)
{
	struct stranger *stranger = data;

	(void)channel;
	bench_pin(0, BENCH_ASKS);
	open_all(stranger, O_RDONLY);
	measure(stranger, READ, 201, read_guarded, read_bare);
	measure(stranger, OPEN, 201, open_guarded, open_bare);
	open_all(stranger, O_WRONLY);
	measure(stranger, WRITE, 201, write_beside, write_beside_bare);
	measure(stranger, RECALL, 201, write_guarded, write_bare);
	return 0;
}

static int read_files(int channel, void *data)
{
	static const struct {
		int row, bare;
		size_t size;
	} rows[] = {
		{ SMALL_BARE, 1, SMALL },
		{ SMALL_FREE, 2, SMALL },
		{ LARGE_BARE, 1, LARGE },
		{ LARGE_FREE, 2, LARGE },
	};
	struct stranger *stranger = data;

	(void)channel;
	bench_pin(0, BENCH_ASKS);
	open_all(stranger, O_RDONLY);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stranger->bare = rows[i].bare;
		stranger->size = rows[i].size;
		measure(stranger, rows[i].row, 21, read_all_guarded, read_all_bare);
	}
	return 0;
}

static int break_leases(int channel, void *data)
{
	(void)channel;
	bench_pin(0, BENCH_ASKS);
	measure(data, LEASE, 101, open_leased, open_bare_leased);
	return 0;
}

/* ---- the run ----------------------------------------------------------------------------- */

static const char *file(struct rig *rig, const char *name)
{
	const char *path = rig_file(rig, name, FILE_SIZE, 1);

	expect(chmod(path, 0666) == 0);
	return path;
}

static void run(struct rig *rig, struct stranger *stranger, int (*strange)(int, void *),
		int (*bare)(int, void *), const char *export, enum bench_place place)
{
	struct actor servers[2] = {
		actor_start(hold_half, (void *)(uintptr_t)export),
		actor_start_as(0, 0, bare, (void *)(uintptr_t)stranger->paths[1]),
	};
	struct actor actor;

	bench_pin(rig->supervisor, place);
	for (int i = 0; i < 2; i++) {
		stranger->channels[i] = servers[i].channel;
		cue_wait(servers[i].channel, "held");
		bench_pin(servers[i].pid, place);
	}
	actor = actor_start(strange, stranger);
	actor_join(&actor);
	for (int i = 0; i < 2; i++)
		actor_kill(&servers[i], SIGTERM);
}

void bench_guard(void)
{
	static const struct bench_row rows[ROWS] = {
		[READ] = { .name = "guard: a read that disturbs nobody", .unit = "us" },
		[OPEN] = { .name = "guard: an open that disturbs nobody", .unit = "us" },
		[WRITE] = { .name = "guard: a write that disturbs nobody", .unit = "us" },
		[RECALL] = { .name = "guard: a write that recalls, fanotify", .unit = "us" },
		[LEASE] = { .name = "guard: an open that recalls, lease", .unit = "us" },
		[SMALL_BARE] = { .name = "guard: reading, by 4 KiB", .unit = "MiB/s" },
		[SMALL_FREE] = { .name = "guard: reading, by 4 KiB, over no guard",
				 .unit = "MiB/s" },
		[LARGE_BARE] = { .name = "guard: reading, by 128 KiB", .unit = "MiB/s" },
		[LARGE_FREE] = { .name = "guard: reading, by 128 KiB, over no guard",
				 .unit = "MiB/s" },
	};
	struct rig *rig = rig_new();
	struct stranger on_disk = { 0 }, in_memory;

	for (int i = 0; i < ROWS; i++) {
		on_disk.values[i] = samples_new(512);
		on_disk.floors[i] = samples_new(512);
	}
	in_memory = on_disk;
	rig_mount(rig, "disk", "ext4", 64 * MiB);
	rig_mount(rig, "memory", "tmpfs", 64 * MiB);
	on_disk.paths[0] = file(rig, "disk/guarded");
	on_disk.paths[1] = file(rig, "disk/bare");
	on_disk.paths[2] = file(rig, "disk/free");
	in_memory.paths[0] = file(rig, "memory/guarded");
	in_memory.paths[1] = file(rig, "memory/bare");
	bench_start(rig,
		    BENCH_QUOTA "[export disk]\npath = %s\nread = *\nwrite = *\n"
				"[export memory]\npath = %s\nread = *\n",
		    on_disk.paths[0], in_memory.paths[0]);
	run(rig, &on_disk, operate, bare_fanotify_serve, "disk", BENCH_ASKS);
	run(rig, &on_disk, read_files, bare_fanotify_serve, "disk", BENCH_SERVES);
	run(rig, &in_memory, break_leases, bare_lease_serve, "memory", BENCH_ASKS);
	rig_free(rig);
	for (int i = 0; i < ROWS; i++)
		bench_report(&rows[i], on_disk.values[i], on_disk.floors[i]);
}
