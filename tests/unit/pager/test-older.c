/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* On a kernel without CONTINUE_MODE_WP: what is written is committed, and what was committed and
 * written again too. Without POISON: who touches what was taken waits, and never reads zero. */

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "rig.h"

#define N 40ul

static void without_wp_continue(void)
{
	struct pager_config config = RIG_CONFIG;
	struct window_of window, reader;
	struct rig rig;
	unsigned char byte;
	uint64_t object;
	int fd, mine;

	config.without_wp_continue = true;
	rig_start(&rig, &config);
	fd = rig_file(N * PAGE);
	mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	object = rig_object(&rig, fd, N * PAGE, true);
	window = rig_window(&rig, object, 0, N * PAGE, RIG_WRITE);
	for (unsigned long page = 0; page < N; page++)
		check_is(window.at[page * PAGE], rig_byte(page * PAGE));
	/* reading alone makes nothing dirty */
	check_is(pager_dirty(rig.pager, window.id), 0);
	for (int round = 1; round < 4; round++) {
		for (unsigned long page = 0; page < N; page += 3)
			window.at[page * PAGE] = (unsigned char)round;
		check_is(rig_commit(&rig, &window).error, 0);
		for (unsigned long page = 0; page < N; page++) {
			check_is(pread(mine, &byte, 1, (off_t)(page * PAGE)), 1);
			check_is(byte, page % 3 ? rig_byte(page * PAGE) : round);
		}
		check_is(madvise(window.at, N * PAGE, MADV_DONTNEED), 0);
	}
	/* pages that the holder put there behind our back are not taken for the object's */
	check_is(rig_fence(&rig, &window, PAGER_HOW_PARK).fence, PAGER_FENCE_FENCED);
	check_is(pwrite(window.memory, "z", 1, 5 * PAGE), 1);
	rig_regrant(&rig, &window);
	check_is(window.at[5 * PAGE], rig_byte(5 * PAGE));
	window.at[5 * PAGE] = 55;
	check_is(rig_fence(&rig, &window, PAGER_HOW_RETURN).error, 0);
	check_is(pread(mine, &byte, 1, 5 * PAGE), 1);
	check_is(byte, 55);
	rig_close(&rig, &window);
	reader = rig_window(&rig, object, 0, N * PAGE, 0);
	check_is(reader.at[5 * PAGE], 55);
	rig_close(&rig, &reader);
	close(mine);
	rig_stop(&rig);
}

/* Copying in fills one place; who waits at another mapping of the page is served as well. */
static void mapped_twice(void)
{
	struct pager_config config = RIG_CONFIG;
	struct window_of window;
	unsigned char *second;
	struct rig rig;

	config.without_wp_continue = true;
	rig_start(&rig, &config);
	window = rig_window(&rig, rig_object(&rig, rig_file(N * PAGE), N * PAGE, true), 0,
			    N * PAGE, RIG_WRITE);
	second = mremap(window.at, 0, N * PAGE, MREMAP_MAYMOVE);
	check(second != MAP_FAILED);
	for (unsigned long page = 0; page < N; page++)
		check_is(second[page * PAGE], rig_byte(page * PAGE));
	munmap(second, N * PAGE);
	rig_close(&rig, &window);
	rig_stop(&rig);
}

struct toucher {
	unsigned char *at;
	_Atomic pid_t tid;
	_Atomic int seen;
};

static void *touch(void *data)
{
	struct toucher *toucher = data;

	toucher->tid = (pid_t)syscall(SYS_gettid);
	toucher->seen = *(volatile unsigned char *)toucher->at;
	return NULL;
}

static void without_poison(void)
{
	struct pager_config config = RIG_CONFIG;
	struct window_of window, reader;
	struct toucher toucher;
	struct rig rig;
	pthread_t thread;
	unsigned char byte;
	uint64_t object;

	config.without_poison = true;
	rig_start(&rig, &config);
	object = rig_object(&rig, rig_file(N * PAGE), N * PAGE, true);
	window = rig_window(&rig, object, 0, N * PAGE, RIG_WRITE);
	reader = rig_window(&rig, object, 0, N * PAGE, 0);
	window.at[0] = 1;
	check_is(reader.at[PAGE], rig_byte(PAGE));
	check_is(rig_fence(&rig, &window, PAGER_HOW_REVOKE).fence, PAGER_FENCE_FENCED);
	toucher = (struct toucher){ .at = window.at + PAGE, .seen = -1 };
	check_is(pthread_create(&thread, NULL, touch, &toucher), 0);
	while (!toucher.tid)
		;
	rig_wait_parked(toucher.tid);
	check_is(toucher.seen, -1);
	/* a READ window needs no POISON: its memory is cut to nothing */
	check_is(rig_fence(&rig, &reader, PAGER_HOW_REVOKE).fence, PAGER_FENCE_FENCED);
	check_is(rig_do(&rig, (struct pager_job){ .type = PAGER_WINDOW_CLOSE, .window = reader.id })
			 .error,
		 0);
	check(!rig_read(reader.at + PAGE, &byte));
	check(!rig_read(reader.at + 5 * PAGE, &byte));
	/* the one that waits is let go by putting something else there */
	check(mmap(window.at, window.length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == window.at);
	pthread_join(thread, NULL);
	rig_stop(&rig);
}

int main(void)
{
	without_poison();
	without_wp_continue();
	mapped_twice();
	return 0;
}
