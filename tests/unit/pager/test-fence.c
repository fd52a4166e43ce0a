/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Taking windows away: returned, revoked, parked and granted again; what was written gets into the
 * object, nothing that is written later does. */

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rig.h"

#define N 600ul

static void taken(struct rig *rig, enum pager_how how)
{
	int fd = rig_file(N * PAGE), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	uint64_t object = rig_object(rig, fd, N * PAGE, true);
	struct window_of window = rig_window(rig, object, 0, N * PAGE, RIG_WRITE);
	struct pager_event event;
	unsigned char *rogue, byte;

	window.at[5] = 5;
	window.at[(N - 1) * PAGE] = 6;
	event = rig_fence(rig, &window, how);
	check_is(event.error, 0);
	check_is(event.fence, PAGER_FENCE_FENCED);
	check_is(event.quarantined, 0);
	check_is(event.quarantine_fd, -1);
	check_is(pager_dirty(rig->pager, window.id), 0);
	check_is(pread(mine, &byte, 1, 5), 1);
	check_is(byte, 5);
	check_is(pread(mine, &byte, 1, (off_t)((N - 1) * PAGE)), 1);
	check_is(byte, 6);
	check_is(lseek(window.memory, 0, SEEK_DATA), -1);
	check(!rig_read(&window.at[5], &byte));
	check(!rig_write(&window.at[PAGE * 9], 1));
	check(!rig_write(&window.at[5], 1));
	/* it maps its memory again and writes there: that goes nowhere, and the window stays
	 * dead */
	rogue = mmap(NULL, window.length, PROT_READ | PROT_WRITE, MAP_SHARED, window.memory, 0);
	check(rogue != MAP_FAILED);
	rogue[20 * PAGE] = 99;
	check(!rig_read(&window.at[20 * PAGE], &byte));
	event = rig_do(rig, (struct pager_job){
				    .type = PAGER_COMMIT, .window = window.id, .end = N * PAGE });
	check_is(event.error, 0);
	check_is(event.value, 0);
	check_is(pread(mine, &byte, 1, 20 * PAGE), 1);
	check_is(byte, rig_byte(20 * PAGE));
	munmap(rogue, window.length);
	rig_close(rig, &window);
	close(mine);
}

/* Part of it only: the rest goes on. */
static void partly(struct rig *rig)
{
	int fd = rig_file(16 * PAGE), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	uint64_t object = rig_object(rig, fd, 16 * PAGE, true);
	struct window_of window = rig_window(rig, object, 0, 16 * PAGE, RIG_WRITE), part;
	struct pager_event event;
	unsigned char byte;

	for (unsigned long page = 0; page < 16; page++)
		window.at[page * PAGE] = 200;
	part = window;
	part.start = 4 * PAGE;
	part.end = 8 * PAGE;
	event = rig_fence(rig, &part, PAGER_HOW_RETURN);
	check_is(event.error, 0);
	for (unsigned long page = 0; page < 16; page++) {
		bool inside = page >= 4 && page < 8;

		check_is(rig_read(&window.at[page * PAGE], &byte), !inside);
		check_is(pread(mine, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, inside ? 200 : rig_byte(page * PAGE));
	}
	check_is(pager_dirty(rig->pager, window.id), 12 * PAGE);
	part.start = 0;
	part.end = 16 * PAGE;
	event = rig_do(rig, (struct pager_job){ .type = PAGER_FENCE,
						.window = window.id,
						.end = 16 * PAGE,
						.discard = true,
						.how = PAGER_HOW_REVOKE });
	check_is(event.fence, PAGER_FENCE_FENCED);
	check_is(pread(mine, &byte, 1, 0), 1);
	check_is(byte, rig_byte(0));
	rig_close(rig, &window);
	close(mine);
}

struct toucher {
	unsigned char *at;
	_Atomic pid_t tid;
	unsigned char seen;
};

static void *touch(void *data)
{
	struct toucher *toucher = data;

	toucher->tid = (pid_t)syscall(SYS_gettid);
	toucher->seen = *(volatile unsigned char *)toucher->at;
	return NULL;
}

/* Parked threads come back to what the object holds when it is granted again. */
static void parked(struct rig *rig, int flags)
{
	int fd = rig_file(N * PAGE), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	uint64_t object = rig_object(rig, fd, N * PAGE, true);
	struct window_of window = rig_window(rig, object, 0, N * PAGE, flags);
	struct toucher toucher = { .at = window.at + 3 * PAGE };
	struct pager_event event;
	unsigned char byte = 77;
	pthread_t thread;

	check_is(window.at[3 * PAGE], rig_byte(3 * PAGE));
	event = rig_fence(rig, &window, PAGER_HOW_PARK);
	check_is(event.error, 0);
	check_is(event.fence, PAGER_FENCE_FENCED);
	check_is(pwrite(mine, &byte, 1, 3 * PAGE), 1);
	check_is(pthread_create(&thread, NULL, touch, &toucher), 0);
	while (!toucher.tid)
		;
	rig_wait_parked(toucher.tid);
	rig_regrant(rig, &window);
	pthread_join(thread, NULL);
	check_is(toucher.seen, 77);

	/* parked, cut short, granted again: past the end is SIGBUS, before it are the bytes */
	event = rig_fence(rig, &window, PAGER_HOW_PARK);
	check_is(event.error, 0);
	check_is(ftruncate(mine, 2 * PAGE + 100), 0);
	event = rig_do(rig, (struct pager_job){
				    .type = PAGER_OBJECT_RESIZED,
				    .object = object,
				    .end = 2 * PAGE + 100,
			    });
	check_is(event.error, 0);
	rig_regrant(rig, &window);
	check(!rig_read(&window.at[3 * PAGE], &byte));
	check(!rig_read(&window.at[(N - 1) * PAGE], &byte));
	check(rig_read(&window.at[2 * PAGE + 99], &byte));
	check_is(byte, rig_byte(2 * PAGE + 99));
	check(rig_read(&window.at[2 * PAGE + 100], &byte));
	check_is(byte, 0);
	if (flags & RIG_WRITE) {
		window.at[2 * PAGE + 200] = 1;
		check_is(rig_commit(rig, &window).error, 0);
		check_is(lseek(mine, 0, SEEK_END), 2 * PAGE + 100);
	}

	/* grown again, by less and then by all: what was SIGBUS shows the bytes there are now */
	for (unsigned long end = 10 * PAGE + 10; end <= N * PAGE; end += (N - 10) * PAGE - 10) {
		event = rig_fence(rig, &window, PAGER_HOW_PARK);
		check_is(event.error, 0);
		check_is(ftruncate(mine, (off_t)end), 0);
		check_is(pwrite(mine, "m", 1, 3 * PAGE), 1);
		check_is(pwrite(mine, "e", 1, (off_t)end - 1), 1);
		event = rig_do(rig, (struct pager_job){
					    .type = PAGER_OBJECT_RESIZED,
					    .object = object,
					    .end = end,
				    });
		check_is(event.error, 0);
		rig_regrant(rig, &window);
		check(rig_read(&window.at[3 * PAGE], &byte));
		check_is(byte, 'm');
		check(rig_read(&window.at[end - 1], &byte));
		check_is(byte, 'e');
		check_is(rig_read(&window.at[11 * PAGE], &byte), end > 11 * PAGE);
		check_is(rig_read(&window.at[(N - 1) * PAGE], &byte), end == N * PAGE);
	}
	if (flags & RIG_WRITE) {
		window.at[11 * PAGE] = 11;
		check_is(rig_commit(rig, &window).error, 0);
		check_is(pread(mine, &byte, 1, 11 * PAGE), 1);
		check_is(byte, 11);
	}
	rig_close(rig, &window);
	close(mine);
}

int main(void)
{
	struct rig rig;

	rig_start(&rig, &RIG_CONFIG);
	taken(&rig, PAGER_HOW_RETURN);
	taken(&rig, PAGER_HOW_REVOKE);
	taken(&rig, PAGER_HOW_DEATH);
	partly(&rig);
	parked(&rig, 0);
	parked(&rig, RIG_WRITE);
	rig_stop(&rig);
	return 0;
}
