/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Threads that call madvise without end keep write-protection from ever completing. The window is
 * fenced all the same, by its limit or when it is forced, and what was written is not lost. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"

#define N 64ul
#define THREADS 4

static _Atomic bool stop;
static _Atomic unsigned long calls;

static void *storm(void *at)
{
	while (!stop) {
		madvise(at, PAGE, MADV_DONTNEED);
		calls++;
	}
	return NULL;
}

static uint64_t in_ms(uint64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec + ms * 1000000u;
}

static struct pager_event fenced(struct rig *rig, int mine, uint64_t limit_ms, bool force)
{
	uint64_t object = rig_object(rig, fcntl(mine, F_DUPFD_CLOEXEC, 0), N * PAGE, true), tag;
	struct window_of window = rig_window(rig, object, 0, N * PAGE, RIG_WRITE);
	struct pager_event event;
	pthread_t threads[THREADS];
	unsigned char byte;

	for (unsigned long page = 0; page < N; page++)
		window.at[page * PAGE] = (unsigned char)(page + 1);
	stop = false;
	for (unsigned long i = 0; i < THREADS; i++)
		check_is(pthread_create(&threads[i], NULL, storm, window.at + i * PAGE), 0);
	calls = 0;
	while (calls < 100)
		;
	tag = rig_submit(rig, &(struct pager_job){
				      .type = PAGER_FENCE,
				      .window = window.id,
				      .end = N * PAGE,
				      .how = PAGER_HOW_REVOKE,
				      .limit = limit_ms ? in_ms(limit_ms) : 0,
			      });
	if (force)
		pager_force(rig->pager, tag);
	event = rig_wait(rig, tag);
	/* in the storm nobody can be answered; afterwards it is SIGBUS */
	stop = true;
	for (unsigned long i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check(!rig_read(window.at + PAGE * 5, &byte));
	check(!rig_write(window.at, 1));
	check_is(pager_dirty(rig->pager, window.id), 0);
	rig_close(rig, &window);
	return event;
}

int main(void)
{
	struct pager_event event;
	int fd = rig_file(N * PAGE);
	unsigned char byte, kept;
	struct rig rig;

	rig_start(&rig, &RIG_CONFIG);
	event = fenced(&rig, fd, 1000, false);
	check_is(event.error, 0);
	printf("by its limit: %s\n",
	       event.fence == PAGER_FENCE_TORN_POSSIBLE ? "torn" : "in order");
	check(event.fence == PAGER_FENCE_TORN_POSSIBLE || event.fence == PAGER_FENCE_FENCED);
	check_is(event.quarantined, 0);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(fd, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, page + 1);
	}

	/* forced at once: each page is in the object or in the quarantine */
	check_is(pwrite(fd, "", 1, 0), 1);
	event = fenced(&rig, fd, 0, true);
	check_is(event.error, 0);
	printf("by force: %llu bytes quarantined\n", (unsigned long long)event.quarantined);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(fd, &byte, 1, (off_t)(page * PAGE)), 1);
		if (byte == page + 1)
			continue;
		check(event.quarantine_fd >= 0);
		check_is(pread(event.quarantine_fd, &kept, 1,
			       (off_t)(page * PAGE - event.quarantine_start)),
			 1);
		check_is(kept, page + 1);
		check_is(event.quarantine_errno, ETIMEDOUT);
	}
	close(event.quarantine_fd);
	close(fd);
	rig_stop(&rig);
	return 0;
}
