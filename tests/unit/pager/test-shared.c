/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Readers that share memory: what one of them gives back, or loses, the others keep, populated pages for
 * their system calls too; what the last one gives back is gone for everybody who ever had it, and
 * nobody meets it again. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "rig.h"

#define N 24ul

struct pair {
	uint64_t object;
	struct window_of one, two;
	int file;
};

static struct pair pair_new(struct rig *rig)
{
	struct pair pair;
	int fd = rig_file(N * PAGE);

	pair.file = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	pair.object = rig_object(rig, fd, N * PAGE, false);
	pair.one = rig_window(rig, pair.object, 0, N * PAGE, 0);
	pair.two = rig_window(rig, pair.object, 0, N * PAGE, 0);
	return pair;
}

static void pair_close(struct rig *rig, struct pair *pair)
{
	rig_close(rig, &pair->one);
	rig_close(rig, &pair->two);
	check_is(rig_do(rig, (struct pager_job){ .type = PAGER_OBJECT_CLOSE, .object = pair->object })
			 .error,
		 0);
	close(pair->file);
}

static void populate(struct rig *rig, const struct window_of *window, uint64_t first, uint64_t last)
{
	struct pager_event event;

	rig_lock(window);
	event = rig_do(rig, (struct pager_job){
				    .type = PAGER_POPULATE,
				    .window = window->id,
				    .start = first * PAGE,
				    .end = last * PAGE,
			    });
	check_is(event.error, 0);
}

static struct window_of part(const struct window_of *window, uint64_t first, uint64_t last)
{
	struct window_of some = *window;

	some.start = first * PAGE;
	some.end = last * PAGE;
	return some;
}

static void fence(struct rig *rig, const struct window_of *window, enum pager_how how, uint64_t limit)
{
	struct pager_event event = rig_do(rig, (struct pager_job){
						       .type = PAGER_FENCE,
						       .window = window->id,
						       .start = window->start,
						       .end = window->end,
						       .how = how,
						       .limit = limit,
					       });

	check_is(event.error, 0);
	check_is(event.fence, PAGER_FENCE_FENCED);
}

/* Do system calls find pages [first, last)? A fault of theirs is served by nobody. */
static void usable(const struct window_of *window, uint64_t first, uint64_t last)
{
	unsigned char byte;
	int fds[2];

	check_is(pipe(fds), 0);
	for (uint64_t page = first; page < last; page++) {
		check_is(write(fds[1], window->at + page * PAGE, 1), 1);
		check_is(read(fds[0], &byte, 1), 1);
		check_is(byte, rig_byte(page * PAGE));
	}
	close(fds[0]);
	close(fds[1]);
}

/* What is left in the memory: nothing there reads as zeros. */
static void left(const struct window_of *window, uint64_t first, uint64_t last, bool there)
{
	unsigned char byte;

	for (uint64_t page = first; page < last; page++) {
		check_is(pread(window->memory, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, there ? rig_byte(page * PAGE) : 0);
	}
}

static void gone(const struct window_of *window, uint64_t first, uint64_t last)
{
	unsigned char byte;

	for (uint64_t page = first; page < last; page++)
		check(!rig_read(&window->at[page * PAGE], &byte));
}

/* @limit: in the past, so that another thread ends the fences by force. */
static void one_goes(struct rig *rig, enum pager_how how, uint64_t limit)
{
	struct pair pair = pair_new(rig);
	struct pager_stats before, after;

	populate(rig, &pair.one, 0, N / 2);
	populate(rig, &pair.two, 0, N);
	pager_stats(rig->pager, &before);
	fence(rig, &pair.one, how, limit);
	usable(&pair.two, 0, N);
	left(&pair.one, 0, N, true);
	pager_stats(rig->pager, &after);
	check_is(after.faults, before.faults);
	check_is(after.pages_punched, before.pages_punched);
	if (how != PAGER_HOW_PARK)
		gone(&pair.one, N / 2, N); /* it had not touched these */
	fence(rig, &pair.two, PAGER_HOW_REVOKE, limit);
	check_is(lseek(pair.one.memory, 0, SEEK_DATA), -1);
	left(&pair.one, 0, N, false);
	gone(&pair.two, 0, N);
	if (how != PAGER_HOW_PARK)
		gone(&pair.one, 0, N);
	pair_close(rig, &pair);
}

/* Page by page it is the last who gives it back that counts. */
static void overlapping(struct rig *rig)
{
	struct pair pair = pair_new(rig);
	struct window_of first = part(&pair.one, 0, 16), second = part(&pair.two, 8, N), later;

	populate(rig, &pair.one, 0, N);
	populate(rig, &pair.two, 0, N);
	fence(rig, &first, PAGER_HOW_RETURN, 0);
	left(&pair.one, 0, N, true);
	fence(rig, &second, PAGER_HOW_RETURN, 0);
	left(&pair.one, 0, 8, true);
	left(&pair.one, 8, 16, false);
	left(&pair.one, 16, N, true);
	usable(&pair.two, 0, 8);
	usable(&pair.one, 16, N);
	gone(&pair.two, 8, 16);
	/* what nobody holds may change; who comes then sees it as it is, through the same memory */
	for (uint64_t page = 8; page < 16; page++)
		check_is(pwrite(pair.file, "n", 1, (off_t)(page * PAGE)), 1);
	later = rig_window(rig, pair.object, 0, N * PAGE, 0);
	for (uint64_t page = 0; page < N; page++)
		check_is(later.at[page * PAGE], page >= 8 && page < 16 ? 'n' : rig_byte(page * PAGE));
	rig_close(rig, &later);
	usable(&pair.two, 0, 8);
	pair_close(rig, &pair);
}

/* A window that is closed unasked lets go of everything, and is not missed. */
static void closed(struct rig *rig)
{
	struct pair pair = pair_new(rig);
	struct window_of half = part(&pair.two, 0, N / 2);

	populate(rig, &pair.one, 0, N);
	populate(rig, &pair.two, 0, N);
	fence(rig, &half, PAGER_HOW_RETURN, 0);
	check_is(rig_do(rig, (struct pager_job){ .type = PAGER_WINDOW_CLOSE, .window = pair.one.id })
			 .error,
		 0);
	usable(&pair.two, N / 2, N);
	left(&pair.two, 0, N / 2, false);
	munmap(pair.one.at, pair.one.length);
	close(pair.one.memory);
	pair.one = rig_window(rig, pair.object, 0, PAGE, 0);
	pair_close(rig, &pair);
}

/* What is populated is so for each window: the end of one makes its pages droppable, no others. */
static void dropped(struct rig *rig)
{
	struct pair pair = pair_new(rig);

	populate(rig, &pair.one, 0, N);
	populate(rig, &pair.two, 0, 4);
	check_is(rig_do(rig, (struct pager_job){ .type = PAGER_DROP_CLEAN, .value = N * PAGE }).value,
		 0);
	fence(rig, &pair.one, PAGER_HOW_RETURN, 0);
	check_is(rig_do(rig, (struct pager_job){ .type = PAGER_DROP_CLEAN, .value = N * PAGE }).value,
		 (N - 4) * PAGE);
	usable(&pair.two, 0, 4);
	pair_close(rig, &pair);
}

struct toucher {
	const unsigned char *at;
	_Atomic pid_t tid;
	unsigned char seen;
};

static void *touch(void *data)
{
	struct toucher *toucher = data;

	toucher->tid = (pid_t)syscall(SYS_gettid);
	toucher->seen = *(const volatile unsigned char *)toucher->at;
	return NULL;
}

/* Parked and granted again, in parts: each part waits for its own grant, though it was forced and is
 * not cleaned up behind yet, and shows what the object holds by then. */
static void granted_again(struct rig *rig, uint64_t limit)
{
	struct pair pair = pair_new(rig);
	struct window_of low = part(&pair.one, 0, N / 2), high = part(&pair.one, N / 2, N);
	struct toucher toucher = { .at = pair.one.at + N / 2 * PAGE };
	pthread_t thread;

	populate(rig, &pair.one, 0, N);
	populate(rig, &pair.two, 0, N);
	fence(rig, &pair.one, PAGER_HOW_PARK, limit);
	fence(rig, &pair.two, PAGER_HOW_PARK, limit);
	check_is(lseek(pair.one.memory, 0, SEEK_DATA), -1);
	for (uint64_t page = 0; page < N; page++)
		check_is(pwrite(pair.file, "n", 1, (off_t)(page * PAGE)), 1);
	rig_regrant(rig, &low);
	check_is(pair.one.at[0], 'n');
	check_is(pthread_create(&thread, NULL, touch, &toucher), 0);
	while (!toucher.tid)
		;
	rig_wait_parked(toucher.tid);
	check_is(pwrite(pair.file, "m", 1, N / 2 * PAGE), 1);
	rig_regrant(rig, &high);
	pthread_join(thread, NULL);
	check_is(toucher.seen, 'm');
	rig_regrant(rig, &pair.two);
	check_is(pair.two.at[N / 2 * PAGE], 'm');
	check_is(pair.two.at[PAGE], 'n');
	pair_close(rig, &pair);
}

/* After a fence was forced nobody joins the memory: old bytes might still be on their way into it. */
static void joined(struct rig *rig)
{
	struct pair pair = pair_new(rig);
	struct window_of some = part(&pair.one, 0, 1), later;
	struct stat a, b;

	later = rig_window(rig, pair.object, 0, N * PAGE, 0);
	check_is(fstat(pair.one.memory, &a), 0);
	check_is(fstat(later.memory, &b), 0);
	check_is(a.st_ino, b.st_ino);
	rig_close(rig, &later);
	fence(rig, &some, PAGER_HOW_REVOKE, 1);
	later = rig_window(rig, pair.object, 0, N * PAGE, 0);
	check_is(fstat(later.memory, &b), 0);
	check(a.st_ino != b.st_ino);
	check_is(later.at[0], rig_byte(0));
	check_is(pair.two.at[0], rig_byte(0));
	/* a holder can't write there */
	check_is(pwrite(later.memory, "x", 1, 0), -1);
	rig_close(rig, &later);
	pair_close(rig, &pair);
}

static void queue(struct rig *rig, struct pager_job *job)
{
	job->tag = ++rig->next_tag;
	check_is(pager_submit(rig->pager, job), 0);
}

/* The pager hears of returns, and of who comes next, at the same time, when the object has changed already:
 * nobody is shown what was there before. @again: who comes is a window that is granted again. */
static void told_late(struct rig *rig, bool again)
{
	struct pair pair = pair_new(rig);
	struct window_of later;
	struct pager_job first = {
		.type = PAGER_FENCE,
		.window = pair.one.id,
		.end = N * PAGE,
		.how = PAGER_HOW_RETURN,
	}, second = first, next = {
		.type = again ? PAGER_REGRANT : PAGER_WINDOW_OPEN,
		.window = again ? pair.two.id : ++rig->next_id,
		.space = rig->space,
		.object = pair.object,
		.end = N * PAGE,
	};
	struct pager_event event;

	second.window = pair.two.id;
	populate(rig, &pair.one, 0, N);
	populate(rig, &pair.two, 0, N);
	if (again)
		fence(rig, &pair.two, PAGER_HOW_PARK, 0);
	for (uint64_t page = 0; page < N; page++)
		check_is(pwrite(pair.file, "n", 1, (off_t)(page * PAGE)), 1);
	queue(rig, &first);
	if (!again)
		queue(rig, &second);
	queue(rig, &next);
	pager_kick(rig->pager);
	event = rig_wait(rig, next.tag);
	check_is(event.error, 0);
	later = again ? pair.two : (struct window_of){
		.id = next.window,
		.end = N * PAGE,
		.length = N * PAGE,
		.memory = event.fd,
	};
	if (!again)
		rig_map(rig, &later, 0);
	for (uint64_t page = 0; page < N; page++)
		check_is(later.at[page * PAGE], 'n');
	rig_wait(rig, first.tag);
	if (!again) {
		rig_wait(rig, second.tag);
		rig_close(rig, &later);
	}
	pair_close(rig, &pair);
}

int main(void)
{
	struct rig rig;

	rig_start_as(&rig, &RIG_CONFIG, UFFD_USER_MODE_ONLY);
	one_goes(&rig, PAGER_HOW_RETURN, 0);
	one_goes(&rig, PAGER_HOW_REVOKE, 0);
	one_goes(&rig, PAGER_HOW_DEATH, 0);
	one_goes(&rig, PAGER_HOW_PARK, 0);
	one_goes(&rig, PAGER_HOW_RETURN, 1);
	one_goes(&rig, PAGER_HOW_PARK, 1);
	overlapping(&rig);
	closed(&rig);
	dropped(&rig);
	granted_again(&rig, 0);
	granted_again(&rig, 1);
	joined(&rig);
	told_late(&rig, false);
	told_late(&rig, true);
	rig_stop(&rig);
	return 0;
}
