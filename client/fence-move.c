/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Putting a fence in the place of a mapping, in one step for every other thread.
 *
 * The memory is made elsewhere, registered there, and moved over the mapping by mremap(2), which
 * keeps the registration only with UFFD_FEATURE_EVENT_REMAP. The mover waits until its event is
 * read, so another thread reads meanwhile. It may come across faults, which it only notes: those
 * threads are woken afterwards, to fault again where the agent hears of it.
 */

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "client/direct.h"

#define NOTED_MAX 32

struct reader {
	pthread_t thread;
	int uffd, stop;
	uintptr_t noted[NOTED_MAX];
	unsigned int n;
};

static void *reader_main(void *data)
{
	struct reader *reader = data;
	struct pollfd polled[] = {
		{ .fd = reader->stop, .events = POLLIN },
		{ .fd = reader->uffd, .events = POLLIN },
	};
	struct uffd_msg messages[16];

	while (!polled[0].revents) {
		ssize_t n;

		poll(polled, 2, -1);
		n = read(reader->uffd, messages, sizeof(messages));
		for (ssize_t i = 0; i < n / (ssize_t)sizeof(messages[0]); i++) {
			uintptr_t at = messages[i].arg.pagefault.address;

			if (messages[i].event != UFFD_EVENT_PAGEFAULT)
				continue;
			if (reader->n < NOTED_MAX)
				reader->noted[reader->n++] = at;
			else
				fence_wake_memory(reader->uffd, (void *)(at & ~(connection_page() - 1)),
				     connection_page());
		}
	}
	return NULL;
}

static bool reader_start(struct reader *reader, int uffd)
{
	sigset_t all, saved;
	int r;

	reader->uffd = uffd;
	reader->n = 0;
	reader->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reader->stop < 0)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&reader->thread, NULL, reader_main, reader);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r)
		reader->stop = fd_close(reader->stop);
	return r == 0;
}

static void reader_stop(struct reader *reader)
{
	static const uint64_t one = 1;

	if (write(reader->stop, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(reader->thread, NULL);
	fd_close(reader->stop);
}

/* Registered memory, not touched by anything, not even mlockall(2). */
static void *make_memory(int uffd, size_t length, bool write)
{
	struct uffdio_register registration = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *memory = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			    -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	munlock(memory, length);
	registration.range.start = (uintptr_t)memory;
	registration.range.len = length;
	if (madvise(memory, length, MADV_DONTFORK) == 0 &&
	    ioctl(uffd, UFFDIO_REGISTER, &registration) == 0 &&
	    mprotect(memory, length, write ? PROT_READ | PROT_WRITE : PROT_READ) == 0)
		return memory;
	munmap(memory, length);
	return NULL;
}

bool fence_move(int uffd, void *at, size_t length, bool write)
{
	void *memory = make_memory(uffd, length, write);
	size_t page = connection_page();
	struct reader reader;
	bool moved = false;

	if (!memory)
		return false;
	if (reader_start(&reader, uffd)) {
		moved = mremap(memory, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at;
		reader_stop(&reader);
		/* on whatever fence they were, the agent has to hear of them */
		for (unsigned int i = 0; i < reader.n; i++)
			fence_wake_memory(uffd, (void *)(reader.noted[i] & ~(page - 1)), page);
	}
	if (!moved)
		munmap(memory, length);
	return moved;
}
