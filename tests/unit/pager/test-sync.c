/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A failed sync is reported once for each open description, to whoever syncs first, and may be about
 * another window's bytes: it fails every commit of the object that had begun to write, and each
 * writes its bytes anew. The kernel's part is played here: the first sync takes the failure away,
 * and does not end before the other commit has written.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "daemon/loop/loop.h"
#include "rig.h"

enum { SYNCS = 16 };

static struct held {
	struct loop_op op; /* ours, in place of the pager's */
	struct loop_op *theirs;
	struct loop *loop;
	int fd;
} held[SYNCS];
static unsigned int n_syncs;
static int look;

int __real_loop_fdatasync(struct loop *loop, struct loop_op *op, int fd);
int __wrap_loop_fdatasync(struct loop *loop, struct loop_op *op, int fd);

static bool both_written(void)
{
	unsigned char a, b;

	check_is(pread(look, &a, 1, 0), 1);
	check_is(pread(look, &b, 1, PAGE), 1);
	return a == 'A' && b == 'B';
}

static void ended(struct loop_op *op, int result)
{
	struct held *h = op->data;

	check_is(result, 0);
	if (!both_written()) {
		check_is(__real_loop_fdatasync(h->loop, &h->op, h->fd), 0);
		return;
	}
	h->theirs->fn(h->theirs, h == held ? -EIO : 0);
}

int __wrap_loop_fdatasync(struct loop *loop, struct loop_op *op, int fd)
{
	struct held *h = &held[n_syncs++];

	check(n_syncs <= SYNCS);
	*h = (struct held){ .theirs = op, .loop = loop, .fd = fd };
	h->op = (struct loop_op){ .fn = ended, .data = h };
	return __real_loop_fdatasync(loop, &h->op, fd);
}

static uint64_t commit(struct rig *rig, const struct window_of *window)
{
	struct pager_job job = {
		.type = PAGER_COMMIT,
		.window = window->id,
		.start = window->start,
		.end = window->end,
		.fd = -1,
	};

	return rig_submit(rig, &job);
}

int main(void)
{
	struct window_of a, b;
	uint64_t object, first, second;
	struct pager_event event;
	struct rig rig;
	int fd;

	rig_start(&rig, &RIG_CONFIG);
	fd = rig_file(2 * PAGE);
	look = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	object = rig_object(&rig, fd, 2 * PAGE, true);
	a = rig_window(&rig, object, 0, PAGE, RIG_WRITE);
	b = rig_window(&rig, object, PAGE, 2 * PAGE, RIG_WRITE);
	a.at[0] = 'A';
	b.at[0] = 'B';

	first = commit(&rig, &a);
	second = commit(&rig, &b);
	check_is(rig_wait(&rig, first).error, -EIO);
	check_is(rig_wait(&rig, second).error, -EIO);
	check_is(pager_dirty(rig.pager, a.id), PAGE);
	check_is(pager_dirty(rig.pager, b.id), PAGE);

	first = commit(&rig, &a);
	second = commit(&rig, &b);
	event = rig_wait(&rig, first);
	check_is(event.error, 0);
	check_is(event.value, PAGE);
	event = rig_wait(&rig, second);
	check_is(event.error, 0);
	check_is(event.value, PAGE);
	check_is(pager_dirty(rig.pager, a.id), 0);
	check_is(pager_dirty(rig.pager, b.id), 0);

	close(look);
	rig_close(&rig, &a);
	rig_close(&rig, &b);
	rig_stop(&rig);
	return 0;
}
