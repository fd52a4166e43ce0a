/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * matrix [--write] [--disk NAME [--at DIRECTORY]] [--setting NAME] [--seal NAME] [--operation NAME]
 *	EXPECTED
 *
 * Fills the matrix: for every file system a new one, for every setting of the guard a supervisor,
 * and every cell performed for real. Prints it, and what is not as EXPECTED says, and counts; with
 * --write, only what EXPECTED has to say; if that is "-" nothing is expected, and what counts is
 *that nothing is that must not be. With --at it is the file system there. The other options leave
 *cells out.
 *
 * Most of a cell is waiting, for one process or the other; so several are performed at a time, by
 * lanes that take the next cell there is. A lane that fails takes the cell with it and no other.
 */

#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/matrix/table.h"
#include "tests/system/rig.h"

#define LANES 8

static struct {
	const char *disk, *at, *setting, *seal, *operation;
} wanted;

static const struct {
	const char *guard, *policy;
	enum mapseal_guard level;
} configurations[SETTINGS] = {
	[SETTING_STRICT] = { "fanotify", "strict = yes\nwritable-opens = hold\n",
			     MAPSEAL_GUARD_FANOTIFY },
	[SETTING_WATCH] = { "fanotify", "writable-opens = watch\n", MAPSEAL_GUARD_FANOTIFY },
	[SETTING_LEASE] = { "lease", "", MAPSEAL_GUARD_LEASE },
	[SETTING_COOPERATIVE] = { "cooperative", "", MAPSEAL_GUARD_COOPERATIVE },
};

struct job {
	enum seal seal;
	enum view view;
	size_t operation;
};

static struct jobs { /* shared with the lanes */
	struct table got;
	struct job jobs[SEALS * VIEWS * OPERATIONS_MAX];
	size_t n;
	atomic_size_t next;
} * shared;

static bool is_wanted(const char *name, const char *wish)
{
	return !wish || strcmp(name, wish) == 0;
}

static struct cell_result *cell_of(enum disk disk, enum setting setting, const struct job *job)
{
	return &shared->got.cells[disk][job->seal][setting][job->view][job->operation];
}

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	expect(memory != MAP_FAILED);
	return memory;
}

static void list_jobs(enum disk disk, enum setting setting, const bool *supported)
{
	shared->n = 0;
	shared->next = 0;
	for (size_t seal = 0; seal < SEALS; seal++)
		for (size_t o = 0; o < n_operations; o++)
			for (size_t view = 0; view < VIEWS; view++) {
				struct job job = { (enum seal)seal, (enum view)view, o };
				struct cell_result *cell = cell_of(disk, setting, &job);

				cell->verdict = VERDICT_NONE;
				if (!table_has(disk, job.seal, job.view, &operations[o]))
					continue;
				cell->verdict = VERDICT_UNSUPPORTED;
				if (!supported[o] || !is_wanted(seal_names[seal], wanted.seal))
					continue;
				cell->verdict = VERDICT_STRANGE;
				snprintf(cell->why, sizeof(cell->why), "its lane failed");
				shared->jobs[shared->n++] = job;
			}
}

static void run_lane(const struct cell_place *place, enum disk disk, enum setting setting)
{
	struct stage *stage = share(sizeof(*stage));
	size_t next;

	while ((next = atomic_fetch_add(&shared->next, 1)) < shared->n) {
		const struct job *job = &shared->jobs[next];

		alarm(100);
		cell_perform(place, &operations[job->operation], job->seal, job->view, stage,
			     cell_of(disk, setting, job));
	}
}

static void run_lanes(const char *directory, enum disk disk, enum setting setting)
{
	fflush(NULL);
	for (int lane = 0; lane < LANES; lane++) {
		char name[16];
		struct cell_place place = {
			.directory = directory,
			.export = "matrix",
			.name = name,
			.guard = configurations[setting].level,
		};

		if (fork() != 0)
			continue;
		snprintf(name, sizeof(name), "lane%d", lane);
		run_lane(&place, disk, setting);
		_exit(0);
	}
	for (int lane = 0; lane < LANES; lane++)
		wait(NULL);
}

static void find_supported(const char *directory, bool supported[OPERATIONS_MAX])
{
	struct cell_place place = { .directory = directory, .export = "matrix", .name = "bare" };
	struct stage *stage = share(sizeof(*stage));
	char why[160];

	for (size_t o = 0; o < n_operations; o++) {
		supported[o] = is_wanted(operations[o].name, wanted.operation) &&
			       cell_without(&place, &operations[o], stage, why) == 0;
		if (!supported[o] && is_wanted(operations[o].name, wanted.operation))
			fprintf(stderr, "not here: %s: %s\n", operations[o].name, why);
	}
	munmap(stage, sizeof(*stage));
}

/* Its mkfs may be older than that feature, which is one bit of the superblock. */
static void allow_exchange(const char *directory)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "umount %1$s; "
		 "had=$(xfs_db -c 'sb 0' -c 'p features_incompat' %1$s.img | sed 's/.*= //'); "
		 "xfs_db -x -c 'sb 0' "
		 "-c \"write -d features_incompat $(printf 0x%%x $((had | 64)))\" %1$s.img "
		 ">/dev/null 2>&1; mount -o loop %1$s.img %1$s",
		 directory);
	expect_eq(system(command), 0);
}

/* Its image is in memory, so that nobody waits for a disk. */
static const char *make_disk(struct rig *rig, enum disk disk)
{
	const char *directory;

	rig_mount(rig, "ram", "tmpfs", 2 * GiB);
	directory = rig_mount(rig, "ram/disk", disk_names[disk], GiB);
	if (disk == DISK_XFS)
		allow_exchange(directory);
	return directory;
}

static void fill(enum disk disk)
{
	struct rig *rig = rig_new();
	const char *directory = wanted.at ? wanted.at : make_disk(rig, disk);
	bool supported[OPERATIONS_MAX];

	expect(chmod(directory, 0777) == 0);
	fprintf(stderr, "%s\n", disk_names[disk]);
	find_supported(directory, supported);
	for (size_t s = 0; s < SETTINGS; s++) {
		if (!is_wanted(setting_names[s], wanted.setting))
			continue;
		list_jobs(disk, (enum setting)s, supported);
		rig_start(rig,
			  "[daemon]\nguard = %s\n[quota]\nmax-sessions = 256\n"
			  "[defaults]\nmin-hold-ms = 0\n"
			  "[export matrix]\ndirectory = %s\nread = *\nwrite = *\n%s",
			  configurations[s].guard, directory, configurations[s].policy);
		run_lanes(directory, disk, (enum setting)s);
		rig_stop(rig);
	}
	rig_free(rig);
}

static void read_options(int argc, char **argv, bool *ret_write)
{
	static const struct option options[] = {
		{ "write", no_argument, NULL, 'w' },
		{ "disk", required_argument, NULL, 'd' },
		{ "at", required_argument, NULL, 'a' },
		{ "setting", required_argument, NULL, 's' },
		{ "seal", required_argument, NULL, 'k' },
		{ "operation", required_argument, NULL, 'o' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'w':
			*ret_write = true;
			break;
		case 'd':
			wanted.disk = optarg;
			break;
		case 'a':
			wanted.at = optarg;
			break;
		case 's':
			wanted.setting = optarg;
			break;
		case 'k':
			wanted.seal = optarg;
			break;
		case 'o':
			wanted.operation = optarg;
			break;
		default:
			exit(2);
		}
	if (optind + 1 != argc || (wanted.at && !wanted.disk)) {
		fprintf(stderr, "usage: matrix [--write] EXPECTED\n");
		exit(2);
	}
}

static void compare_setting(const struct table *expected, enum disk disk, enum setting setting,
			    struct table_counts *counts)
{
	for (size_t seal = 0; seal < SEALS; seal++)
		for (size_t o = 0; o < n_operations; o++)
			if (table_has_seal(disk, (enum seal)seal) &&
			    is_wanted(seal_names[seal], wanted.seal) &&
			    is_wanted(operations[o].name, wanted.operation))
				table_compare(expected, &shared->got, disk, setting,
					      (enum seal)seal, o, counts);
}

/* Of what was left out nothing is said. */
static void compare(const struct table *expected, struct table_counts *counts)
{
	for (size_t disk = 0; disk < DISKS; disk++)
		for (size_t setting = 0; setting < SETTINGS; setting++)
			if (is_wanted(disk_names[disk], wanted.disk) &&
			    is_wanted(setting_names[setting], wanted.setting))
				compare_setting(expected, (enum disk)disk, (enum setting)setting,
						counts);
}

int main(int argc, char **argv)
{
	struct table_counts counts = { 0, 0 };
	struct table *expected = calloc(1, sizeof(*expected));
	bool write_it = false, any;

	read_options(argc, argv, &write_it);
	rig_requires_root();
	expect(expected && n_operations <= OPERATIONS_MAX);
	any = strcmp(argv[optind], "-") == 0;
	if (!write_it && !any && !table_read(expected, argv[optind]))
		return 1;
	/* a name space of its own is left with everything in it, however this ends */
	if (unshare(CLONE_NEWNS) == 0)
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	shared = share(sizeof(*shared));
	table_clear(&shared->got);
	for (size_t disk = 0; disk < DISKS; disk++)
		if (is_wanted(disk_names[disk], wanted.disk))
			fill((enum disk)disk);
	table_print(&shared->got, stdout);
	if (write_it)
		return 0;
	compare(any ? NULL : expected, &counts);
	printf("%u passed, %u failed, 0 skipped\n", counts.passed, counts.failed);
	return counts.failed != 0;
}
