/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a holder does to its address space while it holds a window: moves it, unmaps a part, drops
 * or removes pages, splits its mappings, maps something else there, forks. */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"
#include "tests/touch.h"

#define N 64ul

static void moved(struct rig *rig)
{
	uint64_t object = rig_object(rig, rig_file(N * PAGE), N * PAGE, true);
	struct window_of window = rig_window(rig, object, 0, N * PAGE, RIG_WRITE);
	unsigned char *to, *at = window.at, byte;

	at[PAGE] = 42;
	to = mmap(NULL, (N + 3) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(to != MAP_FAILED);
	/* all of it, over another mapping */
	check(mremap(at, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check_is(to[PAGE], 42);
	check_is(to[40 * PAGE], rig_byte(40 * PAGE));
	/* two pages of the middle somewhere else, and grown from there */
	at = mremap(to + 10 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    to + (N + 1) * PAGE - 2 * PAGE + 2 * PAGE);
	check(at != MAP_FAILED);
	check_is(at[0], rig_byte(10 * PAGE));
	check_is(at[PAGE], rig_byte(11 * PAGE));
	at = mremap(at, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	check(at != MAP_FAILED);
	check_is(at[2 * PAGE], rig_byte(12 * PAGE));
	at[3 * PAGE] = 43;
	check_is(to[13 * PAGE], 43);
	check_is(rig_fence(rig, &window, PAGER_HOW_REVOKE).fence, PAGER_FENCE_FENCED);
	check(!rig_read(at, &byte));
	check(!rig_read(at + 3 * PAGE, &byte));
	check(!rig_read(to + PAGE, &byte));
	munmap(at, 4 * PAGE);
	munmap(to + N * PAGE, 3 * PAGE);
	window.at = to;
	rig_close(rig, &window);
}

static void unmapped(struct rig *rig)
{
	int fd = rig_file(N * PAGE), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	uint64_t object = rig_object(rig, fd, N * PAGE, true);
	struct window_of window = rig_window(rig, object, 0, N * PAGE, RIG_WRITE), again;
	unsigned char byte, *at;

	window.at[3 * PAGE] = 9;
	window.at[50 * PAGE] = 10;
	/* an unserved mapping takes the place; in one step, since the pager is of this process too, and
	 * may use what is free */
	at = mmap(window.at + 2 * PAGE, 20 * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(at == window.at + 2 * PAGE);
	check_is(at[0], 0);
	check_is(window.at[0], rig_byte(0));
	check_is(window.at[30 * PAGE], rig_byte(30 * PAGE));
	check_is(rig_commit(rig, &window).error, 0);
	check_is(pread(mine, &byte, 1, 3 * PAGE), 1);
	check_is(byte, 9);
	check_is(pread(mine, &byte, 1, 50 * PAGE), 1);
	check_is(byte, 10);
	/* a new window exactly where an old one is unmapped */
	munmap(window.at, window.length);
	again = rig_window(rig, object, 0, 8 * PAGE, 0);
	check_is(again.at[7 * PAGE], rig_byte(7 * PAGE));
	check_is(rig_fence(rig, &window, PAGER_HOW_RETURN).error, 0);
	check_is(again.at[5 * PAGE], rig_byte(5 * PAGE));
	rig_close(rig, &again);
	window.length = 0;
	rig_do(rig, (struct pager_job){ .type = PAGER_WINDOW_CLOSE, .window = window.id });
	close(mine);
}

static void dropped(struct rig *rig)
{
	int fd = rig_file(N * PAGE), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	uint64_t object = rig_object(rig, fd, N * PAGE, true);
	struct window_of window = rig_window(rig, object, 0, N * PAGE, RIG_WRITE);
	struct pager_kernel kernel;
	unsigned char byte, unwritten;

	window.at[0] = 90;
	check_is(window.at[9 * PAGE], rig_byte(9 * PAGE));
	check_is(madvise(window.at, N * PAGE, MADV_DONTNEED), 0);
	check_is(window.at[0], 90);
	check_is(window.at[9 * PAGE], rig_byte(9 * PAGE));
	if (rig_large_pages()) {
		rig_close(rig, &window);
		close(mine);
		return;
	}
	/* removed: what was written there is zero now, what was not is still the object's; before
	 * Linux 6.4 a page that was mapped again counts as written */
	check_is(pager_probe(&kernel), 0);
	unwritten = kernel.wp_continue ? rig_byte(9 * PAGE) : 0;
	check_is(madvise(window.at, N * PAGE, MADV_REMOVE), 0);
	check_is(window.at[0], 0);
	check_is(window.at[9 * PAGE], unwritten);
	check_is(rig_commit(rig, &window).error, 0);
	check_is(pread(mine, &byte, 1, 0), 1);
	check_is(byte, 0);
	check_is(pread(mine, &byte, 1, 9 * PAGE), 1);
	check_is(byte, unwritten);
	rig_close(rig, &window);
	close(mine);
}

/* One mapping becomes many when parts of it are protected or locked: each is served to its end, and
 * taken back. */
static void split(struct rig *rig, int flags)
{
	int fd = rig_file(N * PAGE), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	uint64_t object = rig_object(rig, fd, N * PAGE, true);
	struct window_of window = rig_window(rig, object, 0, N * PAGE, flags);
	struct pager_job populate = {
		.type = PAGER_POPULATE,
		.window = window.id,
		.start = 32 * PAGE,
		.end = N * PAGE,
		.write = flags & RIG_WRITE,
	};
	unsigned char byte;

	for (unsigned long page = 1; page < N; page += 3)
		check_is(mlock2(window.at + page * PAGE, PAGE, MLOCK_ONFAULT), 0);
	check_is(mprotect(window.at + 10 * PAGE, PAGE, PROT_NONE), 0);
	for (unsigned long page = 31; page > 10; page -= 2)
		check_is(window.at[page * PAGE], rig_byte(page * PAGE));
	for (unsigned long page = 0; page < 10; page++)
		check_is(window.at[page * PAGE], rig_byte(page * PAGE));
	check_is(rig_do(rig, populate).error, 0);
	for (unsigned long page = 32; page < N; page++)
		check_is(window.at[page * PAGE], rig_byte(page * PAGE));
	if (flags & RIG_WRITE)
		for (unsigned long page = 20; page < 40; page++)
			window.at[page * PAGE] = 'w';
	check_is(rig_fence(rig, &window, PAGER_HOW_RETURN).error, 0);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(mine, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, flags & RIG_WRITE && page >= 20 && page < 40 ? 'w' :
									      rig_byte(page * PAGE));
		check(page == 10 || !rig_read(&window.at[page * PAGE], &byte));
	}
	rig_close(rig, &window);
	close(mine);
}

static int child(struct window_of *write, struct window_of *read)
{
	unsigned char byte;

	/* what is there it may read */
	if (!rig_read(write->at, &byte) || byte != 1)
		return 1;
	/* what is absent is SIGBUS, never zero */
	if (rig_read(write->at + 20 * PAGE, &byte) || rig_read(read->at + 20 * PAGE, &byte))
		return 2;
	if (rig_write(write->at + 30 * PAGE, 5))
		return 3;
	return 0;
}

static void forked(struct rig *rig)
{
	uint64_t object = rig_object(rig, rig_file(N * PAGE), N * PAGE, true);
	struct window_of write = rig_window(rig, object, 0, N * PAGE, RIG_WRITE);
	struct window_of read = rig_window(rig, object, 0, N * PAGE, 0);
	int status;

	write.at[0] = 1;
	/* more than are kept; where each of them waits for good, some */
	for (int i = 0; i < (touch_may_park() ? 8 : 80); i++) {
		pid_t pid = fork();

		check(pid >= 0);
		if (pid == 0)
			_exit(child(&write, &read));
		check_is(waitpid(pid, &status, 0), pid);
		check_is(status, 0);
	}
	check_is(write.at[20 * PAGE], rig_byte(20 * PAGE));
	check_is(read.at[20 * PAGE], rig_byte(20 * PAGE));
	check_is(write.at[30 * PAGE], rig_byte(30 * PAGE));
	write.at[1] = 1;
	rig_close(rig, &write);
	rig_close(rig, &read);
}

int main(void)
{
	struct rig rig;

	rig_start(&rig, &RIG_CONFIG);
	moved(&rig);
	unmapped(&rig);
	dropped(&rig);
	split(&rig, 0);
	split(&rig, RIG_WRITE);
	split(&rig, RIG_WRITE | RIG_PINNABLE);
	forked(&rig);
	rig_stop(&rig);
	return 0;
}
