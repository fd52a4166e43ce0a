/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where leases are all there is (configured, or on tmpfs): a stranger's open for writing, or its
 * truncation, is held until the holder has given its window back; hard seals are recalled then,
 * since a lease can't deny. A reader's open takes a WRITE window back, too. While a stranger has
 * the file open, seals are weak; when nobody has, they are not. A holder that does not answer is
 * revoked before the kernel's own time is over, however long the deadline that was set.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, AT = 64 * 1024, LENGTH = 4096 };

static const struct keeping reading = { .mode = MAPSEAL_READ, .guard = MAPSEAL_GUARD_LEASE };
static const struct keeping writing = { .mode = MAPSEAL_WRITE, .guard = MAPSEAL_GUARD_LEASE };

static const struct {
	struct deed deed;
	int64_t result;
	uint64_t size;
	const char *object;
} rows[] = {
	{ { "pwrite", deed_write, AT, LENGTH, NULL }, LENGTH, SIZE, "file" },
	{ { "truncate", deed_truncate, AT, 0, NULL }, 0, AT, "file" },
	{ { "open to truncate", deed_open_truncate, 0, 0, NULL }, 0, 0, "file" },
	{ { "pwrite, hard", deed_write, AT, LENGTH, NULL }, LENGTH, SIZE, "hard" },
};

static void held_until_returned(const char *path, const char *hard)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strcmp(rows[i].object, "hard") ? path : hard;
		struct keeping keeping = reading;
		struct actor keeper, stranger;

		printf("  %s\n", rows[i].deed.name);
		file_again(at, SIZE, 1);
		keeping.object = rows[i].object;
		keeper = keeper_start(&keeping);
		stranger = stranger_start(&rows[i].deed, at);
		heard_first(&keeper, "recalled", &stranger);
		keeper_does(&keeper, "old");
		expect(stranger_is_held(&stranger));
		keeper_does(&keeper, "return");
		expect_eq(stranger_end(&stranger), rows[i].result);
		if (rows[i].deed.fn == deed_write)
			rig_file_is(at, SIZE, 1, AT, LENGTH, 'n');
		else if (rows[i].size)
			file_is(at, rows[i].size, 1);
		keeper_end(&keeper);
	}
}

static void reader(const char *path)
{
	const struct deed read = { "read", deed_read, 0, 1, NULL };
	struct actor keeper, stranger;

	printf("  read\n");
	file_again(path, SIZE, 1);
	keeper = keeper_start(&writing);
	keeper_does(&keeper, "write");
	stranger = stranger_start(&read, path);
	heard_first(&keeper, "recalled", &stranger);
	expect(stranger_is_held(&stranger));
	keeper_does(&keeper, "return");
	expect_eq(stranger_end(&stranger), 'w');
	keeper_end(&keeper);
}

/* ---- weak -------------------------------------------------------------------------------- */

static int64_t stays(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_RDWR | O_CLOEXEC);

	expect(fd >= 0);
	cue(channel, "open");
	cue_wait(channel, "close");
	close(fd);
	return 0;
}

static int weak_ones(const struct mapseal_seal_info *info, void *data)
{
	expect_str(info->guard, "lease");
	*(int *)data += info->weak;
	return 0;
}

static int count_weak(struct mapseal *m)
{
	int n = 0;

	must(mapseal_list_seals(m, 0, weak_ones, &n));
	return n;
}

static void weak_meanwhile(const char *path)
{
	const struct deed stay = { "stays", stays, 0, 0, NULL };
	struct keeping half = reading, weak = reading;
	struct actor keeper, other, stranger;
	struct mapseal *m = client(0);

	printf("  weak\n");
	file_again(path, SIZE, 1);
	half.length = SIZE / 2;
	keeper = keeper_start(&half);
	expect_eq(count_weak(m), 0);
	stranger = stranger_start(&stay, path);
	heard_first(&keeper, "recalled", &stranger);
	keeper_does(&keeper, "return");
	cue_wait(stranger.channel, "open");
	weak.flags = MAPSEAL_WEAK_OK;
	other = keeper_start(&weak);
	expect_eq(count_weak(m), 1);
	cue(stranger.channel, "close");
	expect_eq(stranger_end(&stranger), 0);
	/* seen when it is looked for, which no message tells */
	while (count_weak(m) > 0)
		sched_yield();
	/* and so the lease is there again */
	stranger = stranger_start(&rows[0].deed, path);
	heard_first(&other, "recalled", &stranger);
	keeper_does(&other, "old");
	keeper_does(&other, "return");
	expect_eq(stranger_end(&stranger), LENGTH);
	keeper_end(&other);
	keeper_end(&keeper);
	mapseal_close(m);
}

/* ---- bounds ------------------------------------------------------------------------------ */

static enum mapseal_verdict bounded(struct mapseal_recall *recall, void *data)
{
	const int *channel = data;

	cue_number(*channel, recall->hard_ms);
	return MAPSEAL_RETURN;
}

static int bounded_holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal =
		hold_with(m, "file", 0, 0, MAPSEAL_READ, 0, bounded, &channel);

	(void)data;
	cue(channel, "holding");
	cue_wait(channel, "end");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void in_the_kernels_time(const char *path, const char *quick)
{
	FILE *file = fopen("/proc/sys/fs/lease-break-time", "re");
	struct keeping silent = reading;
	struct actor keeper, stranger;
	unsigned int seconds;

	printf("  bounds\n");
	expect(file && fscanf(file, "%u", &seconds) == 1);
	fclose(file);
	file_again(path, SIZE, 1);
	keeper = actor_start(bounded_holder, NULL);
	cue_wait(keeper.channel, "holding");
	stranger = stranger_start(&rows[0].deed, path);
	expect(cue_wait_number(keeper.channel) < seconds * 1000);
	expect_eq(stranger_end(&stranger), LENGTH);
	cue(keeper.channel, "end");
	actor_join(&keeper);

	file_again(quick, SIZE, 1);
	silent.object = "quick";
	keeper = keeper_start(&silent);
	stranger = stranger_start(&rows[0].deed, quick);
	heard_first(&keeper, "recalled", &stranger);
	expect_eq(stranger_end(&stranger), LENGTH);
	keeper_does(&keeper, "revoked");
	keeper_end(&keeper);
}

static void test(struct rig *rig, const char *dir, const char *guard)
{
	char name[3][64];
	const char *path[3];

	for (int i = 0; i < 3; i++) {
		snprintf(name[i], sizeof(name[i]), "%s%s-%d", dir, guard, i);
		path[i] = common_file(rig, name[i], SIZE, 1);
	}
	rig_start(rig,
		  "[daemon]\nguard = %s\n[defaults]\n" PATIENT
		  "[export file]\npath = %s\nread = *\nwrite = *\n"
		  "[export hard]\npath = %s\nread = *\nwrite = *\non-conflict = deny\n"
		  "[export quick]\npath = %s\nread = *\nwrite = *\n" SHORT,
		  guard, path[0], path[1], path[2]);
	held_until_returned(path[0], path[1]);
	reader(path[0]);
	weak_meanwhile(path[0]);
	in_the_kernels_time(path[0], path[2]);
	rig_stop(rig);
}

int main(void)
{
	struct rig *rig = rig_new();

	rig_mount(rig, "memory", "tmpfs", 16 * MiB);
	printf("a disk, leases configured\n");
	test(rig, "", "lease");
	printf("tmpfs, the strongest there is\n");
	test(rig, "memory/", "fanotify");
	rig_free(rig);
	return 0;
}
