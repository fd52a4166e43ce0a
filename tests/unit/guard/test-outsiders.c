/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who had the file open before the guard came: unseen, so the seal is not in force while they are
 * there, or is weak; and named as far as /proc can. */

#include <sys/mman.h>

#include "tests/unit/guard/rig.h"

#define SIZE (64 * PAGE)

static int64_t has_open(const struct doing *doing)
{
	int fd = open(doing->path, (int)doing->a | O_CLOEXEC);
	char *at = doing->b ? mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) : NULL;

	if (fd < 0 || at == MAP_FAILED)
		return -errno;
	if (doing->b)
		close(fd);
	say(doing);
	wait_for_go(doing);
	return doing->a == O_RDONLY ? 0 : pwrite(fd, "b", 1, 0);
}

static bool weak(struct rig *rig)
{
	struct guard_state state;

	check(guard_state(rig->guard, rig->object, &state));
	return state.weak;
}

static void outsider(struct rig *rig, int flags, bool mapped)
{
	struct stranger stranger = rig_stranger(rig, has_open, (uint64_t)flags, mapped);
	struct guard_event event;

	rig_heard(&stranger);
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	check(weak(rig));
	rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, GUARD_TAINTED);
	guard_outsiders(rig->guard, rig->object);
	event = rig_event(rig, GUARD_EVENT_OUTSIDERS);
	check_is(event.n_pids, !mapped);
	if (!mapped)
		check_is(event.pids[0], stranger.pid);
	/* granted all the same */
	guard_seal_insist(rig->guard, rig->next_seal);
	check(weak(rig));
	rig_go(&stranger);
	stranger_end(&stranger);
	check_is(rig_event(rig, GUARD_EVENT_SETTLED).seal, rig->next_seal);
	check(!weak(rig));
	guard_seal_remove(rig->guard, rig->next_seal);
	guard_disarm(rig->guard, rig->object);
}

/* Through a description that can't write the kernel tells readers from writers. */
static void reader(struct rig *rig)
{
	struct stranger stranger = rig_stranger(rig, has_open, O_RDONLY, false);
	int writable = rig->fd;

	rig_heard(&stranger);
	rig->fd = open(rig->path, O_RDONLY | O_CLOEXEC);
	close(writable);
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	check(!weak(rig));
	rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, 0);
	guard_seal_remove(rig->guard, rig->next_seal);
	rig_seal(rig, 0, SIZE, CORE_WRITE, CORE_WINDOW, GUARD_TAINTED);
	check(rig_quiet(rig));
	rig_go(&stranger);
	stranger_end(&stranger);
	check_is(rig_event(rig, GUARD_EVENT_SETTLED).seal, rig->next_seal);
	guard_seal_remove(rig->guard, rig->next_seal);
	guard_disarm(rig->guard, rig->object);
}

static void test(struct rig *rig)
{
	outsider(rig, O_RDWR, false);
	outsider(rig, O_RDONLY, false);
	outsider(rig, O_RDONLY, true);
	reader(rig);
}

int main(void)
{
	rig_run(rig_disks, 3, GUARD_FANOTIFY, SIZE, test);
	return 0;
}
