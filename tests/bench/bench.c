/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench [GROUP...]: runs the groups (all of them by default), prints a table, and writes
 * bench-results.json in the current directory, which is the build directory under `make bench`.
 *
 * Each group is a process of its own, so that one that fails costs the others nothing; rows come
 * back through shared memory. Status 0: everything was measured, whatever came out of it. 1:
 * something could not be run.
 */

#include "tests/bench/bench.h"
#include "tests/bench/results.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/setting.h"
#include "tests/system/rig.h"

bool bench_quick;

static const struct {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "core", bench_core },	    { "gate", bench_gate },	  { "grant", bench_grant },
	{ "recall", bench_recall }, { "fan-out", bench_fan_out }, { "fault", bench_fault },
	{ "fence", bench_fence },   { "touch", bench_touch },	  { "direct", bench_direct },
	{ "guard", bench_guard },
};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

/* ---- clock, samples ---------------------------------------------------------------------- */

uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

unsigned int bench_rounds(unsigned int rounds)
{
	if (!bench_quick)
		return rounds;
	return rounds > 40 ? rounds / 20 : 2;
}

struct samples *samples_new(size_t size)
{
	struct samples *samples =
	    bench_shared(sizeof(*samples) + size * sizeof(samples->values[0]));

	samples->size = size;
	return samples;
}

struct samples *samples_free(struct samples *samples)
{
	if (samples)
		munmap(samples, sizeof(*samples) + samples->size * sizeof(samples->values[0]));
	return NULL;
}

void samples_add(struct samples *samples, double value)
{
	if (samples->n < samples->size)
		samples->values[samples->n++] = value;
}

void *bench_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	expect(memory != MAP_FAILED);
	return memory;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double samples_median(const struct samples *samples)
{
	size_t n = samples->n;
	double *sorted = malloc((n + 1) * sizeof(*sorted)), median;

	expect(sorted && n > 0);
	memcpy(sorted, samples->values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
	free(sorted);
	return median;
}

void bench_alternate(unsigned int rounds, bench_fn measured, bench_fn bare, void *data,
		     struct samples *values, struct samples *floors)
{
	measured(data);
	bare(data);
	for (unsigned int i = 0; i < rounds; i++) {
		if (i % 2)
			samples_add(floors, bare(data));
		samples_add(values, measured(data));
		if (i % 2 == 0)
			samples_add(floors, bare(data));
	}
}

/* ---- placement --------------------------------------------------------------------------- */

static int processors[2]; /* by enum bench_place */

static void find_processors(void)
{
	cpu_set_t allowed;
	int n = 0;

	expect(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
	for (int i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &allowed))
			processors[n++] = i;
	if (n == 1)
		processors[1] = processors[0];
}

void bench_pin(pid_t pid, enum bench_place place)
{
	struct dirent *entry;
	cpu_set_t set;
	char path[64];
	DIR *threads;

	CPU_ZERO(&set);
	CPU_SET(processors[place], &set);
	snprintf(path, sizeof(path), "/proc/%d/task", pid ? (int)pid : (int)getpid());
	threads = opendir(path);
	expect(threads);
	while ((entry = readdir(threads)))
		if (entry->d_name[0] != '.')
			expect(sched_setaffinity(atoi(entry->d_name), sizeof(set), &set) == 0);
	closedir(threads);
}

/* ---- the supervisor's log ---------------------------------------------------------------- */

#define LOG "bench-supervisor.log"

int bench_log_away(void)
{
	int told = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int fd = open(LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	expect(told >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	return told;
}

void bench_log_back(int told)
{
	dup2(told, STDERR_FILENO);
	close(told);
}

/* ---- the run ----------------------------------------------------------------------------- */

static bool run_group(const char *name, void (*run)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	expect(pid >= 0);
	if (pid == 0) {
		run();
		fflush(NULL);
		_exit(0);
	}
	expect(waitpid(pid, &status, 0) == pid);
	if (status)
		fprintf(stderr, "%s: could not be measured (status %#x)\n", name,
			(unsigned int)status);
	return status == 0;
}

static bool is_asked_for(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

/* Sessions are many, and each has a few descriptors; what is started inherits it. */
static void raise_limits(void)
{
	struct rlimit limit;

	expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

int main(int argc, char **argv)
{
	const char *quick = getenv("BENCH_QUICK");
	bool complete = true;

	rig_requires_root();
	bench_quick = quick && *quick && strcmp(quick, "0") != 0;
	find_processors();
	raise_limits();
	results_init();
	unlink(LOG);
	for (size_t i = 0; i < N_GROUPS; i++)
		if (is_asked_for(groups[i].name, argc, argv))
			complete &= run_group(groups[i].name, groups[i].run);
	results_print();
	if (!results_write("bench-results.json")) {
		fprintf(stderr, "bench-results.json cannot be written: %s\n", strerror(errno));
		complete = false;
	}
	return complete ? 0 : 1;
}
