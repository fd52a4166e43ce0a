/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Thousands of seals that wait for one stranger, and of files. Each seal is told, once, whoever of
 * them went meanwhile, though not all of them are looked at in one go.
 */

#include <sys/resource.h>

#include "tests/unit/guard/rig.h"

#define SIZE  (64 * PAGE)
#define SEALS 5000u
#define FILES 3000u

static int64_t keeps_writing(const struct doing *doing)
{
	int fd = open(doing->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	say(doing);
	wait_for_go(doing);
	for (int i = 0; i < 200; i++)
		if (pwrite(fd, "b", 1, (off_t)PAGE * (i % 64)) != 1)
			return -errno;
	say(doing);
	wait_for_go(doing);
	return 0;
}

static void seals(struct rig *rig)
{
	static bool told[SEALS];
	struct stranger stranger;
	uint64_t first, none;
	unsigned int n = 0;

	memset(told, 0, sizeof(told));
	none = rig_window(rig, 0, SIZE);
	stranger = rig_stranger(rig, keeps_writing, 0, 0);
	guard_answer(rig->guard, rig_event(rig, GUARD_EVENT_HELD).ticket, GUARD_ALLOW);
	guard_seal_remove(rig->guard, none);
	rig_heard(&stranger);
	first = rig->next_seal + 1;
	for (unsigned int i = 0; i < SEALS; i++)
		rig_seal(rig, i % 60 * PAGE, (i % 60 + 1 + i % 4) * PAGE, CORE_READ, CORE_WINDOW,
			 GUARD_TAINTED);
	rig_go(&stranger);
	rig_heard(&stranger);
	/* every third one goes while they wait, every fifth one was granted as it is */
	for (unsigned int i = 0; i < SEALS; i++)
		if (i % 3 == 0)
			guard_seal_remove(rig->guard, first + i);
		else if (i % 5 == 0)
			guard_seal_insist(rig->guard, first + i);
	check(rig_quiet(rig));
	rig_go(&stranger);
	check_is(stranger_end(&stranger), 0);
	while (n < SEALS - (SEALS + 2) / 3) {
		struct guard_event event = rig_event(rig, GUARD_EVENT_SETTLED);
		uint64_t i = event.seal - first;

		check(i < SEALS && i % 3 != 0 && !told[i]);
		told[i] = true;
		n++;
	}
	check(rig_quiet(rig));
	for (unsigned int i = 0; i < SEALS; i++)
		guard_seal_remove(rig->guard, first + i);
}

static void files(struct rig *rig)
{
	struct guard_stats stats;
	enum guard_level level;
	char path[128];

	for (unsigned int i = 0; i < FILES; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%u", rig->dir, i);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		check(fd >= 0);
		check_is(guard_arm(rig->guard, 100 + i, fd, GUARD_OPENS_WATCH, &level), 0);
		check_is(level, GUARD_FANOTIFY);
		check_is(guard_arm(rig->guard, 99, fd, GUARD_OPENS_WATCH, &level), -EEXIST);
		close(fd);
	}
	guard_stats(rig->guard, &stats);
	check_is(stats.armed, FILES + 1);
	for (unsigned int i = 0; i < FILES; i++) {
		guard_disarm(rig->guard, 100 + i * 7 % FILES);
		snprintf(path, sizeof(path), "%s/%u", rig->dir, i);
		check(unlink(path) == 0);
	}
	guard_stats(rig->guard, &stats);
	check_is(stats.armed, 1);
	check_is(stats.seals, 0);
}

static void test(struct rig *rig)
{
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	seals(rig);
	files(rig);
}

int main(void)
{
	static const char *const ext4[] = { "ext4" };
	struct rlimit limit;

	check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	if (limit.rlim_cur < FILES + 100)
		rig_skip("too few descriptors");
	rig_run(ext4, 1, GUARD_FANOTIFY, SIZE, test);
	return 0;
}
