/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What disturbs no seal passes without the control thread, which sleeps through all of this but for
 * what it is asked about. */

#include <sys/mman.h>

#include "tests/unit/guard/rig.h"

#define SIZE (64 * PAGE)

static int64_t reads(const struct doing *doing)
{
	int fd = open(doing->path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	return fd < 0 || pread(fd, &c, 1, (off_t)doing->a) != 1 ? -errno : c;
}

static int64_t maps(const struct doing *doing)
{
	int fd = open(doing->path, O_RDONLY | O_CLOEXEC);
	const char *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)doing->a);

	return at == MAP_FAILED ? -errno : *at;
}

static int64_t writes(const struct doing *doing)
{
	int fd = open(doing->path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || pwrite(fd, "b", 1, (off_t)doing->a) != 1 ? -errno : 0;
}

static int64_t opens(const struct doing *doing)
{
	return open(doing->path, (int)doing->a) < 0 ? -errno : 0;
}

static int64_t done(struct rig *rig, deed_fn deed, uint64_t a)
{
	struct stranger stranger = rig_stranger(rig, deed, a, 0);
	int64_t r = stranger_end(&stranger);

	check(rig_quiet(rig));
	return r;
}

/* Asked about: @want of [start, end). */
static int64_t asked(struct rig *rig, deed_fn deed, uint64_t a, enum core_want want, uint64_t start,
		     uint64_t end)
{
	struct stranger stranger = rig_stranger(rig, deed, a, 0);
	struct guard_event event = rig_event(rig, GUARD_EVENT_HELD);

	check_is(event.want, want);
	check_is(event.start, start);
	check_is(event.end, end);
	guard_answer(rig->guard, event.ticket, GUARD_ALLOW);
	return stranger_end(&stranger);
}

static void test(struct rig *rig)
{
	struct guard_stats stats;
	uint64_t seal;

	rig_arm(rig, GUARD_OPENS_WATCH, GUARD_FANOTIFY);
	seal = rig_window(rig, 0, 16 * PAGE);
	check_is(done(rig, reads, 0), 'a');
	check_is(done(rig, maps, 0), 'a');
	check_is(done(rig, writes, 32 * PAGE), 0);
	check_is(done(rig, opens, O_RDWR), 0);
	guard_seal_remove(rig->guard, seal);

	/* under a DIRECT seal blocks that are there are overwritten */
	seal = rig_seal(rig, 0, 16 * PAGE, CORE_READ, CORE_DIRECT, 0);
	check_is(done(rig, writes, 0), 0);
	check_is(done(rig, maps, 0), 'b');
	guard_seal_remove(rig->guard, seal);

	/* a read of what somebody writes: after a flush */
	seal = rig_seal(rig, 0, 16 * PAGE, CORE_WRITE, CORE_WINDOW, GUARD_TAINTED);
	rig_event(rig, GUARD_EVENT_SETTLED);
	check_is(done(rig, reads, 16 * PAGE), 'a');
	check_is(asked(rig, reads, PAGE, CORE_WANT_FOREIGN_READ, PAGE, 2 * PAGE), 'a');
	check_is(asked(rig, maps, 0, CORE_WANT_FOREIGN_MAP, 0, CORE_INFINITY), 'b');
	guard_seal_remove(rig->guard, seal);
	guard_disarm(rig->guard, rig->object);

	/* held opens: only to write */
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	seal = rig_window(rig, 0, 16 * PAGE);
	check_is(done(rig, opens, O_RDONLY), 0);
	check_is(done(rig, reads, 0), 'b');
	check_is(asked(rig, opens, O_WRONLY, CORE_WANT_LAYOUT, 0, CORE_INFINITY), 0);
	check_is(asked(rig, opens, O_RDONLY | O_TRUNC, CORE_WANT_LAYOUT, 0, CORE_INFINITY), 0);
	guard_seal_remove(rig->guard, seal);

	/* our own opens, though they are seen */
	seal = rig_window(rig, 0, 16 * PAGE);
	close(open(rig->path, O_RDWR | O_CLOEXEC));
	check(rig_quiet(rig));
	guard_stats(rig->guard, &stats);
	check_is(stats.own, 1);
	guard_seal_remove(rig->guard, seal);
}

int main(void)
{
	rig_run(rig_disks, 3, GUARD_FANOTIFY, SIZE, test);
	return 0;
}
