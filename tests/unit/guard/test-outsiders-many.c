/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who has the file open is looked for among a great many descriptors, of a great many files. What a
 * seal waits for is seen to be over meanwhile, and not only when all have been looked at; and a guard
 * can end before.
 */

#include <sys/resource.h>

#include "tests/unit/guard/rig.h"

#define SIZE	    (64 * PAGE)
#define DESCRIPTORS 40000u /* to look at them takes far longer than DEADLINE_PROVE_NS */
#define STRANGERS   64u

static int64_t has_many(const struct doing *doing)
{
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	for (uint64_t i = 0; i < doing->a; i++)
		if (dup(fd) < 0)
			return -errno;
	say(doing);
	wait_for_go(doing);
	return 0;
}

static int64_t has_open(const struct doing *doing)
{
	int fd = open(doing->path, O_RDWR | O_CLOEXEC);

	say(doing);
	wait_for_go(doing);
	return fd < 0 ? -errno : 0;
}

static unsigned int each; /* of the strangers may have as many */

static void test(struct rig *rig)
{
	struct stranger strangers[STRANGERS], outsider = rig_stranger(rig, has_open, 0, 0), stays;
	unsigned int n = 0;
	uint64_t seal;

	rig_heard(&outsider);
	for (unsigned int left = DESCRIPTORS; left > 0; n++) {
		unsigned int many = left < each ? left : each;

		check(n < STRANGERS);
		strangers[n] = rig_stranger(rig, has_many, many, 0);
		rig_heard(&strangers[n]);
		left -= many;
	}
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	seal = rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, GUARD_TAINTED);
	check_is(guard_outsiders(rig->guard, rig->object), 0);
	check_is(guard_outsiders(rig->guard, rig->object + 1), 0);
	rig_go(&outsider);
	check_is(stranger_end(&outsider), 0);
	/* looked for every few milliseconds so far */
	check_is(rig_event(rig, GUARD_EVENT_SETTLED).seal, seal);
	check_is(rig_event(rig, GUARD_EVENT_OUTSIDERS).object, rig->object);
	check_is(rig_event(rig, GUARD_EVENT_OUTSIDERS).object, rig->object + 1);
	guard_seal_remove(rig->guard, seal);
	guard_disarm(rig->guard, rig->object);

	/* two at a time, each with what it found */
	stays = rig_stranger(rig, has_open, 0, 0);
	rig_heard(&stays);
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	for (int i = 0; i < 2; i++)
		check_is(guard_outsiders(rig->guard, rig->object), 0);
	for (int i = 0; i < 2; i++) {
		struct guard_event event = rig_event(rig, GUARD_EVENT_OUTSIDERS);

		check_is(event.n_pids, 1);
		check_is(event.pids[0], stays.pid);
	}
	for (int i = 0; i < 2; i++)
		check_is(guard_outsiders(rig->guard, rig->object), 0);
	rig->guard = guard_free(rig->guard);
	rig_go(&stays);
	check_is(stranger_end(&stays), 0);
	for (unsigned int i = 0; i < n; i++) {
		rig_go(&strangers[i]);
		check_is(stranger_end(&strangers[i]), 0);
	}
}

int main(void)
{
	static const char *const ext4[] = { "ext4" };
	struct rlimit limit;

	check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS + 100 ? limit.rlim_max : DESCRIPTORS + 100;
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	each = (unsigned int)limit.rlim_cur - 50;
	rig_run(ext4, 1, GUARD_FANOTIFY, SIZE, test);
	return 0;
}
