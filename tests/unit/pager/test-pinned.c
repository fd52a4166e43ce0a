/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pages that a device holds: what it writes gets into a commit though no fault shows it, and
 * nothing of it into the object once the window was fenced. */

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include "rig.h"

#define N 32ul

/* A "device" writes @text into the pinned buffer at @at. */
static void dma(struct io_uring *ring, int *pipe_fds, unsigned char *at, const char *text)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;

	check_is(write(pipe_fds[1], text, 3), 3);
	io_uring_prep_read_fixed(sqe, pipe_fds[0], at, 3, 0, 0);
	check_is(io_uring_submit_and_wait(ring, 1), 1);
	check_is(io_uring_wait_cqe(ring, &cqe), 0);
	check_is(cqe->res, 3);
	io_uring_cqe_seen(ring, cqe);
}

static void content(int fd, uint64_t offset, const char *text)
{
	unsigned char bytes[3];

	check_is(pread(fd, bytes, 3, (off_t)offset), 3);
	for (int i = 0; i < 3; i++)
		check_is(bytes[i], (unsigned char)text[i]);
}

int main(void)
{
	struct window_of window, part;
	struct pager_event event;
	int fd, mine, pipe_fds[2], r;
	struct io_uring ring;
	struct iovec iov;
	uint64_t object;
	struct rig rig;

	rig_start(&rig, &RIG_CONFIG);
	check_is(pipe(pipe_fds), 0);
	fd = rig_file(N * PAGE);
	mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	object = rig_object(&rig, fd, N * PAGE, true);
	window = rig_window(&rig, object, 0, N * PAGE, RIG_WRITE | RIG_PINNABLE);
	r = io_uring_queue_init(8, &ring, 0);
	if (r < 0)
		rig_skip("no io_uring");
	iov = (struct iovec){ window.at, N * PAGE };
	r = io_uring_register_buffers(&ring, &iov, 1);
	if (r == -EFAULT) {
		/* before Linux 6.3 pins are not served: bring the pages in first */
		for (unsigned long page = 0; page < N; page++)
			check_is(window.at[page * PAGE], rig_byte(page * PAGE));
		r = io_uring_register_buffers(&ring, &iov, 1);
	}
	check_is(r, 0);
	check_is(pager_dirty(rig.pager, window.id), N * PAGE);

	dma(&ring, pipe_fds, window.at + 3 * PAGE, "one");
	check_is(rig_commit(&rig, &window).error, 0);
	content(mine, 3 * PAGE, "one");
	/* committed, and not clean: the next one comes without a fault too */
	dma(&ring, pipe_fds, window.at + 3 * PAGE, "two");
	check_is(rig_commit(&rig, &window).error, 0);
	content(mine, 3 * PAGE, "two");

	/* half of it is returned; the other half goes on */
	part = window;
	part.end = N / 2 * PAGE;
	event = rig_fence(&rig, &part, PAGER_HOW_RETURN);
	check_is(event.error, 0);
	dma(&ring, pipe_fds, window.at + 3 * PAGE, "bad");
	dma(&ring, pipe_fds, window.at + 20 * PAGE, "old");
	check_is(rig_commit(&rig, &window).error, 0);
	content(mine, 3 * PAGE, "two");
	content(mine, 20 * PAGE, "old");
	event = rig_fence(&rig, &window, PAGER_HOW_REVOKE);
	check_is(event.fence, PAGER_FENCE_FENCED);
	dma(&ring, pipe_fds, window.at + 20 * PAGE, "bad");
	check_is(rig_commit(&rig, &window).value, 0);
	rig_close(&rig, &window);
	content(mine, 20 * PAGE, "old");
	io_uring_queue_exit(&ring);
	rig_stop(&rig);
	close(mine);
	return 0;
}
