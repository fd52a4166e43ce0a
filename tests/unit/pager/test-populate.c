/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* System calls on windows of a userfaultfd that serves user mode alone: EFAULT, unless the pages
 * were populated; for writing they stay usable over a commit, and are dirty until they are
 * returned. */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "rig.h"

#define N 40ul

static int populate(struct rig *rig, const struct window_of *window, uint64_t start, uint64_t end,
		    bool write)
{
	rig_lock(window);
	return rig_do(rig,
		      (struct pager_job){
			      .type = PAGER_POPULATE,
			      .window = window->id,
			      .start = start,
			      .end = end,
			      .write = write,
		      })
		.error;
}

/* write(2) from @at, and read(2) into it. */
static int out(int *pipe_fds, const unsigned char *at)
{
	unsigned char byte;

	if (write(pipe_fds[1], at, 1) != 1)
		return -errno;
	check_is(read(pipe_fds[0], &byte, 1), 1);
	return byte;
}

static int in(int *pipe_fds, unsigned char *at, unsigned char value)
{
	int r = 0;

	check_is(write(pipe_fds[1], &value, 1), 1);
	if (read(pipe_fds[0], at, 1) != 1) {
		r = -errno;
		check_is(read(pipe_fds[0], &value, 1), 1);
	}
	return r;
}

int main(void)
{
	struct window_of window, reader;
	struct pager_event event;
	struct rig rig;
	unsigned char byte;
	uint64_t object;
	int fd, mine, pipe_fds[2];
	struct pager_kernel kernel;
	unsigned long clean;

	rig_start_as(&rig, &RIG_CONFIG, UFFD_USER_MODE_ONLY);
	check_is(pipe(pipe_fds), 0);
	fd = rig_file(N * PAGE + 10);
	mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	object = rig_object(&rig, fd, N * PAGE + 10, true);
	reader = rig_window(&rig, object, 0, N * PAGE, 0);
	check_is(out(pipe_fds, reader.at), -EFAULT);
	check_is(populate(&rig, &reader, 0, N * PAGE, false), 0);
	for (unsigned long page = 0; page < N; page++)
		check_is(out(pipe_fds, reader.at + page * PAGE), rig_byte(page * PAGE));
	check_is(populate(&rig, &reader, 0, PAGE, true), -EACCES);
	rig_close(&rig, &reader);

	window = rig_window(&rig, object, 0, N * PAGE + 10, RIG_WRITE);
	check_is(out(pipe_fds, window.at), -EFAULT);
	check_is(populate(&rig, &window, 0, 8 * PAGE, false), 0);
	check_is(out(pipe_fds, window.at + 7 * PAGE), rig_byte(7 * PAGE));
	/* before Linux 6.4 what is populated is writable, and counts as written */
	check_is(pager_probe(&kernel), 0);
	clean = kernel.wp_continue ? 4 : 0;
	check_is(in(pipe_fds, window.at + 7 * PAGE, 1), kernel.wp_continue ? -EFAULT : 0);
	check_is(pager_dirty(rig.pager, window.id), kernel.wp_continue ? 0 : 8 * PAGE);
	check_is(populate(&rig, &window, 4 * PAGE, N * PAGE + 10, true), 0);
	check_is(pager_dirty(rig.pager, window.id), (N + 1 - clean) * PAGE);
	check_is(in(pipe_fds, window.at + 7 * PAGE, 201), 0);
	check_is(in(pipe_fds, window.at + N * PAGE, 202), 0);
	check_is(rig_commit(&rig, &window).error, 0);
	check_is(pread(mine, &byte, 1, 7 * PAGE), 1);
	check_is(byte, 201);
	check_is(pread(mine, &byte, 1, N * PAGE), 1);
	check_is(byte, 202);
	check_is(pager_dirty(rig.pager, window.id), (N + 1 - clean) * PAGE);
	check_is(in(pipe_fds, window.at + 7 * PAGE, 203), 0);
	event = rig_fence(&rig, &window, PAGER_HOW_RETURN);
	check_is(event.error, 0);
	check_is(pread(mine, &byte, 1, 7 * PAGE), 1);
	check_is(byte, 203);
	check_is(populate(&rig, &window, 0, PAGE, false), -EFAULT);
	rig_close(&rig, &window);
	rig_stop(&rig);
	return 0;
}
