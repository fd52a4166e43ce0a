/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Windows: mappings of memory that the supervisor fills.
 *
 * A window is mapped without any access, so that nothing populates it (mlockall(2) would) before
 * the supervisor has registered it, and it is no child's: a child that touched it would find no one
 * to serve its faults.
 *
 * Unmapping a registered range makes an event, and waits until the supervisor has read it. It has
 * to hear of it, since the next mapping at that address may be a window again, of another
 * connection even. But it may end before it has read, and then nobody else would: the event waits
 * for whoever has the userfaultfd, and we have it too. So while windows are unmapped a thread
 * watches the connection, and reads in the supervisor's place once that is gone. Where there is no
 * supervisor any more to begin with, the range is made inaccessible and unregistered: that wakes
 * threads that are parked there, for SIGSEGV and never for a page of zeros, and leaves no event to
 * wait for.
 */

#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "client/connection.h"
#include "client/error.h"
#include "client/space.h"

int window_map(struct window *window, int memory, uint64_t offset, uint64_t length, bool write)
{
	uint64_t page = connection_page(), rounded = (length + page - 1) / page * page;
	void *address;

	if (length == 0 || rounded < length || rounded > SIZE_MAX)
		return error_set(ENOMEM, "A window of %llu bytes does not fit an address space",
				 (unsigned long long)length);
	address = mmap(NULL, (size_t)rounded, PROT_NONE, write ? MAP_SHARED : MAP_PRIVATE, memory,
		       (off_t)offset);
	if (address == MAP_FAILED)
		return error_set(errno, "Mapping a window of %llu bytes: %m",
				 (unsigned long long)rounded);
	munlock(address, (size_t)rounded);
	if (madvise(address, (size_t)rounded, MADV_DONTFORK) < 0) {
		munmap(address, (size_t)rounded);
		return error_set(errno, "The window cannot be kept from children: %m");
	}
	window->address = address;
	window->length = (size_t)rounded;
	return 0;
}

int window_open(struct window *window, bool write)
{
	int access = write ? PROT_READ | PROT_WRITE : PROT_READ;

	if (mprotect(window->address, window->length, access) < 0)
		return error_set(errno, "Opening a window of %zu bytes: %m", window->length);
	return 0;
}

void window_drop(struct window *window, int uffd)
{
	struct uffdio_range range = {
		.start = (uintptr_t)window->address,
		.len = window->length,
	};

	mprotect(window->address, window->length, PROT_NONE);
	ioctl(uffd, UFFDIO_UNREGISTER, &range);
	munmap(window->address, window->length);
}

/* ---- reading in the supervisor's place --------------------------------------------------- */

struct substitute {
	pthread_t thread;
	int socket, uffd;
	int stop; /* eventfd: everything is unmapped */
};

static void read_events(int uffd)
{
	struct uffd_msg message;

	while (read(uffd, &message, sizeof(message)) == (ssize_t)sizeof(message))
		if (message.event == UFFD_EVENT_FORK)
			close((int)message.arg.fork.ufd);
}

static void *substitute_main(void *data)
{
	const struct substitute *s = data;
	/* Of the socket only its end is of interest, which poll(2) always tells. */
	struct pollfd polled[] = { { .fd = s->stop, .events = POLLIN }, { .fd = s->socket } };

	while (!polled[0].revents) {
		poll(polled, 2, -1);
		if (!(polled[1].revents & POLLHUP))
			continue;
		polled[1] = (struct pollfd){ .fd = s->uffd, .events = POLLIN };
		while (!polled[0].revents) {
			read_events(s->uffd);
			poll(polled, 2, -1);
		}
	}
	return NULL;
}

static bool substitute_start(struct substitute *s, int socket, int uffd)
{
	sigset_t all, saved;
	int r;

	s->socket = socket;
	s->uffd = uffd;
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->stop < 0)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&s->thread, NULL, substitute_main, s);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r)
		s->stop = fd_close(s->stop);
	return r == 0;
}

static void substitute_stop(struct substitute *s)
{
	static const uint64_t one = 1;

	/* A new eventfd takes a one. */
	if (write(s->stop, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(s->thread, NULL);
	fd_close(s->stop);
}

void window_unmap(struct list *windows, int socket, int uffd, bool lost)
{
	struct substitute substitute;

	if (list_empty(windows))
		return;
	if (!lost && !substitute_start(&substitute, socket, uffd)) {
		list_for_each(l, windows) {
			struct window *window = list_entry(l, struct window, link);

			mprotect(window->address, window->length, PROT_NONE);
		}
		return;
	}
	while (!list_empty(windows)) {
		struct window *window = list_entry(list_first(windows), struct window, link);

		list_unlink(&window->link);
		if (lost)
			window_drop(window, uffd);
		else
			munmap(window->address, window->length);
		free(window);
	}
	if (!lost)
		substitute_stop(&substitute);
}
