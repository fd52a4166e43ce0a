/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The barest guards. One lets go whatever fanotify holds, without a look at it. The other has a
 * lease on a file, and gives it up as soon as somebody wants that.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "tests/bench/bare.h"
#include "tests/system/rig.h"

#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x00100000
#endif

int bare_fanotify_serve(int channel, void *path)
{
	int group = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_REPORT_TID |
					  FAN_UNLIMITED_QUEUE,
				  O_RDONLY | O_LARGEFILE | O_CLOEXEC);
	char events[4096] __attribute__((aligned(8)));
	ssize_t n;

	expect(group >= 0);
	expect(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_PRE_ACCESS, AT_FDCWD, path) ==
	       0);
	cue(channel, "held");
	while ((n = read(group, events, sizeof(events))) > 0) {
		const struct fanotify_event_metadata *event = (const void *)events;

		for (; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) {
			struct fanotify_response response = { event->fd, FAN_ALLOW };

			expect(write(group, &response, sizeof(response)) == sizeof(response));
			close(event->fd);
		}
	}
	return 1;
}

int bare_lease_serve(int channel, void *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	expect(fd >= 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	for (;;) {
		expect(fcntl(fd, F_SETSIG, SIGRTMIN) == 0);
		/* who has just closed it may not have done so to the end */
		while (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
			expect(errno == EAGAIN || errno == EBUSY);
		cue(channel, "held");
		expect(sigwaitinfo(&set, NULL) == SIGRTMIN);
		expect(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
		cue_wait(channel, "again");
	}
}
