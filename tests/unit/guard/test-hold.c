/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A READ window over a file, a stranger that has it open already by leave, and then each thing that
 * it can do to it: held, with what it wants where, and then let go, or denied.
 */

#include "tests/unit/guard/rig.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SIZE (64 * PAGE)

/* The descriptor is opened while opens are watched; then it waits. */
static int opened(const struct doing *doing, int flags)
{
	int fd = open(doing->path, flags | O_CLOEXEC);

	if (fd < 0)
		_exit(1);
	say(doing);
	wait_for_go(doing);
	return fd;
}

static int64_t result(int64_t r)
{
	return r < 0 ? -errno : r;
}

static int64_t do_write(const struct doing *doing)
{
	return result(pwrite(opened(doing, O_WRONLY), "b", 1, 4 * PAGE));
}

static int64_t do_writev(const struct doing *doing)
{
	struct iovec iov = { (char[]){ "b" }, 1 };

	return result(pwritev(opened(doing, O_WRONLY), &iov, 1, 4 * PAGE));
}

static int64_t do_append(const struct doing *doing)
{
	return result(write(opened(doing, O_WRONLY | O_APPEND), "b", 1));
}

static int64_t do_ftruncate(const struct doing *doing)
{
	return result(ftruncate(opened(doing, O_WRONLY), 4 * PAGE));
}

static int64_t do_truncate(const struct doing *doing)
{
	opened(doing, O_RDONLY);
	return result(truncate(doing->path, 4 * PAGE));
}

static int64_t do_punch(const struct doing *doing)
{
	return result(fallocate(opened(doing, O_WRONLY), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				4 * PAGE, PAGE));
}

static int64_t do_collapse(const struct doing *doing)
{
	return result(
		fallocate(opened(doing, O_WRONLY), FALLOC_FL_COLLAPSE_RANGE, 4 * PAGE, PAGE));
}

static int64_t do_mmap(const struct doing *doing)
{
	char *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, opened(doing, O_RDWR), 0);

	return result(at == MAP_FAILED ? -1 : 0);
}

static int64_t do_open_truncate(const struct doing *doing)
{
	opened(doing, O_RDONLY);
	return result(open(doing->path, O_WRONLY | O_TRUNC) < 0 ? -1 : 0);
}

static int other_file(void)
{
	static char bytes[PAGE];
	int fd = memfd_create("other", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, PAGE) != PAGE)
		_exit(1);
	return fd;
}

static int64_t do_sendfile(const struct doing *doing)
{
	int fd = opened(doing, O_WRONLY), from = other_file();
	off_t at = 0;

	if (lseek(fd, 4 * PAGE, SEEK_SET) < 0)
		return -errno;
	return result(sendfile(fd, from, &at, PAGE));
}

static int64_t do_splice(const struct doing *doing)
{
	int fd = opened(doing, O_WRONLY), ends[2];
	loff_t at = 4 * PAGE;

	if (pipe(ends) < 0 || write(ends[1], "b", 1) != 1)
		return -errno;
	return result(splice(ends[0], NULL, fd, &at, 1, 0));
}

static int64_t do_copy_file_range(const struct doing *doing)
{
	loff_t from = 32 * PAGE, to = 4 * PAGE;
	int fd = opened(doing, O_RDWR);

	return result(copy_file_range(fd, &from, fd, &to, PAGE, 0));
}

static int64_t do_reflink(const struct doing *doing)
{
	int fd = opened(doing, O_RDWR);
	struct file_clone_range range = {
		.src_fd = fd,
		.src_offset = 32 * PAGE,
		.src_length = PAGE,
		.dest_offset = 4 * PAGE,
	};

	return result(ioctl(fd, FICLONERANGE, &range));
}

struct row {
	const char *what;
	deed_fn deed;
	enum core_want want;
	uint64_t start, end;
	int64_t result; /* when it was let go */
	bool second;	/* makes two events */
	const char *lacks; /* the file system that can't do that */
};

#define WRITE CORE_WANT_FOREIGN_WRITE
#define LAYOUT CORE_WANT_LAYOUT
#define INF CORE_INFINITY

static const struct row rows[] = {
	{ "write", do_write, WRITE, 4 * PAGE, 5 * PAGE, 1, false, NULL },
	{ "pwritev", do_writev, WRITE, 4 * PAGE, 5 * PAGE, 1, false, NULL },
	{ "append", do_append, WRITE, 0, PAGE, 1, false, NULL },
	{ "ftruncate", do_ftruncate, LAYOUT, 4 * PAGE, INF, 0, false, NULL },
	{ "truncate", do_truncate, LAYOUT, 4 * PAGE, INF, 0, false, NULL },
	{ "punch", do_punch, LAYOUT, 4 * PAGE, 5 * PAGE, 0, false, NULL },
	{ "collapse", do_collapse, LAYOUT, 4 * PAGE, INF, 0, false, "btrfs" },
	{ "mmap", do_mmap, CORE_WANT_FOREIGN_MAP_WRITE, 0, INF, 0, false, NULL },
	{ "open to truncate", do_open_truncate, LAYOUT, 0, INF, 0, false, NULL },
	{ "sendfile", do_sendfile, WRITE, 4 * PAGE, 5 * PAGE, PAGE, false, NULL },
	{ "splice", do_splice, WRITE, 4 * PAGE, 5 * PAGE, 1, false, NULL },
	{ "copy_file_range", do_copy_file_range, LAYOUT, 32 * PAGE, 33 * PAGE, PAGE, true, NULL },
	{ "reflink", do_reflink, LAYOUT, 32 * PAGE, 33 * PAGE, 0, true, "ext4" },
};

static void held(struct rig *rig, const struct row *row, enum guard_verdict verdict)
{
	uint64_t seal = rig_window(rig, 0, SIZE);
	struct stranger stranger = rig_stranger(rig, row->deed, 0, 0);
	struct guard_event event;
	int64_t r;

	printf("  %s\n", row->what);
	fflush(stdout);
	rig_heard(&stranger);
	rig_go(&stranger);
	event = rig_event(rig, GUARD_EVENT_HELD);
	check_is(event.object, rig->object);
	check_is(event.want, row->want);
	check_is(event.start, row->start);
	check_is(event.end, row->end);
	check_is(event.pid, stranger.pid);
	check_is(event.tid, stranger.pid);
	check_is(event.uid, STRANGER);
	check(!stranger_ended(&stranger));
	guard_answer(rig->guard, event.ticket, verdict);
	if (row->second && verdict == GUARD_ALLOW) {
		event = rig_event(rig, GUARD_EVENT_HELD);
		check_is(event.start, 4 * PAGE);
		guard_answer(rig->guard, event.ticket, verdict);
	}
	r = stranger_end(&stranger);
	check_is(r, verdict == GUARD_ALLOW	   ? row->result :
		    verdict == GUARD_DENY_TXTBSY ? -ETXTBSY :
						   -EBUSY);
	check(rig_quiet(rig));
	guard_seal_remove(rig->guard, seal);
}

static void test(struct rig *rig)
{
	rig_arm(rig, GUARD_OPENS_WATCH, GUARD_FANOTIFY);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].lacks && strcmp(rig->fs, rows[i].lacks) == 0)
			continue;
		held(rig, &rows[i], GUARD_DENY_TXTBSY);
		held(rig, &rows[i], GUARD_DENY_BUSY);
		held(rig, &rows[i], GUARD_ALLOW);
		/* as new, and with nobody's doings in the way of the next */
		guard_disarm(rig->guard, rig->object);
		check(ftruncate(rig->fd, SIZE) == 0);
		rig_arm(rig, GUARD_OPENS_WATCH, GUARD_FANOTIFY);
	}
}

int main(void)
{
	rig_run(rig_disks, 3, GUARD_FANOTIFY, SIZE, test);
	return 0;
}
