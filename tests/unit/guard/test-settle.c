/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What was let go disturbs seals that come later until it is over, and no longer.
 */

#include <sys/mman.h>

#include "tests/unit/guard/rig.h"

#define SIZE (64 * PAGE)

static int64_t writes(const struct doing *doing)
{
	int fd = open(doing->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, "b", 1, 4 * PAGE) != 1)
		return -errno;
	say(doing);
	wait_for_go(doing);
	return 0;
}

static int64_t truncates(const struct doing *doing)
{
	return truncate(doing->path, 4 * PAGE) < 0 ? -errno : 0;
}

static int64_t keeps_open(const struct doing *doing)
{
	int fd = open(doing->path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	say(doing);
	wait_for_go(doing);
	return pwrite(fd, "c", 1, 0);
}

/* The descriptor goes, the mapping stays. */
static int64_t keeps_mapped(const struct doing *doing)
{
	int fd = open(doing->path, O_RDWR | O_CLOEXEC);
	char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	close(fd);
	say(doing);
	wait_for_go(doing);
	*at = 'd';
	return 0;
}

static char byte(struct rig *rig, uint64_t at)
{
	char c;

	check(pread(rig->fd, &c, 1, (off_t)at) == 1);
	return c;
}

/* Held for a window that then comes back; let go. */
static void let_go(struct rig *rig)
{
	struct guard_event event = rig_event(rig, GUARD_EVENT_HELD);

	guard_seal_remove(rig->guard, rig->next_seal);
	guard_answer(rig->guard, event.ticket, GUARD_ALLOW);
}

static void a_write_ends_with_its_call(struct rig *rig)
{
	uint64_t seal = rig_window(rig, 0, 8 * PAGE);
	struct stranger stranger = rig_stranger(rig, writes, 0, 0);

	let_go(rig);
	/* though the stranger is still there, and has the file open */
	seal = rig_window(rig, 0, 8 * PAGE);
	check_is(byte(rig, 4 * PAGE), 'b');
	rig_heard(&stranger);
	check(!stranger_ended(&stranger));
	rig_go(&stranger);
	check_is(stranger_end(&stranger), 0);
	guard_seal_remove(rig->guard, seal);
}

/* A write that nobody had to be asked about. */
static void so_does_one_that_passed(struct rig *rig)
{
	struct stranger stranger = rig_stranger(rig, writes, 0, 0);
	uint64_t seal;

	rig_heard(&stranger);
	seal = rig_window(rig, 0, 8 * PAGE);
	check(!stranger_ended(&stranger));
	rig_go(&stranger);
	check_is(stranger_end(&stranger), 0);
	guard_seal_remove(rig->guard, seal);
}

/* Even if the file is not guarded any more when it is let go, and guarded again at once. */
static void a_truncation_by_name(struct rig *rig)
{
	struct stranger stranger;
	struct guard_event event;

	rig_window(rig, 0, 8 * PAGE);
	stranger = rig_stranger(rig, truncates, 0, 0);
	event = rig_event(rig, GUARD_EVENT_HELD);
	guard_seal_remove(rig->guard, rig->next_seal);
	guard_answer(rig->guard, event.ticket, GUARD_ALLOW);
	guard_disarm(rig->guard, rig->object);
	rig_arm(rig, GUARD_OPENS_WATCH, GUARD_FANOTIFY);
	rig_window(rig, 0, 8 * PAGE);
	check_is(lseek(rig->fd, 0, SEEK_END), 4 * PAGE);
	check_is(stranger_end(&stranger), 0);
	guard_seal_remove(rig->guard, rig->next_seal);
	check(ftruncate(rig->fd, SIZE) == 0);
}

static void until_nobody_has_it(struct rig *rig, deed_fn deed, char last)
{
	struct stranger stranger;

	if (deed == keeps_open) {
		rig_window(rig, 0, 8 * PAGE);
		stranger = rig_stranger(rig, deed, 0, 0);
		let_go(rig);
	} else {
		stranger = rig_stranger(rig, deed, 0, 0);
	}
	rig_heard(&stranger);
	rig_seal(rig, 0, 8 * PAGE, CORE_READ, CORE_WINDOW, GUARD_TAINTED);
	check(rig_quiet(rig));
	rig_go(&stranger);
	check_is(rig_event(rig, GUARD_EVENT_SETTLED).seal, rig->next_seal);
	check_is(byte(rig, 0), last);
	stranger_end(&stranger);
	guard_seal_remove(rig->guard, rig->next_seal);
}

static void test(struct rig *rig)
{
	rig_arm(rig, GUARD_OPENS_WATCH, GUARD_FANOTIFY);
	a_write_ends_with_its_call(rig);
	so_does_one_that_passed(rig);
	a_truncation_by_name(rig);
	until_nobody_has_it(rig, keeps_mapped, 'd');
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	until_nobody_has_it(rig, keeps_open, 'c');
}

int main(void)
{
	rig_run(rig_disks, 3, GUARD_FANOTIFY, SIZE, test);
	return 0;
}
