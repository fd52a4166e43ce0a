/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Accesses are held before they happen, with their range in whole pages, and a truncation with a
 * count of a page at most; a denial reaches the caller with its errno, but not with any. */

#include "fan.h"

static int writes(void)
{
	int fd = open(fan_path, O_WRONLY);

	return pwrite(fd, "b", 1, 2 * PAGE + 5) == 1 ? 0 : errno;
}

static int truncates(void)
{
	return truncate(fan_path, 2 * PAGE) == 0 ? 0 : errno;
}

static int truncates_within(void)
{
	return truncate(fan_path, 2 * PAGE + 5) == 0 ? 0 : errno;
}

static int maps(void)
{
	int fd = open(fan_path, O_RDONLY);

	return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED ? 0 : errno;
}

static int group;

static void held(int (*deed)(void), bool opens, uint64_t offset, uint64_t count, int denial)
{
	pid_t pid = fan_stranger(deed);
	struct fan fan;

	if (opens) {
		fan = fan_read(group);
		check(fan.mask == FAN_OPEN_PERM && fan.tid == pid);
		fan_allow(group, &fan);
	}
	fan = fan_read(group);
	check(fan.mask == FAN_PRE_ACCESS && fan.tid == pid);
	check(count == UINT64_MAX || (fan.offset == offset && fan.count == count));
	check(waitpid(pid, NULL, WNOHANG) == 0);
	check(fan_say(group, fan.fd, EDEADLK) == -EINVAL);
	check(fan_say(group, fan.fd, denial) == 0);
	close(fan.fd);
	check(fan_result(pid) == denial);
}

int main(void)
{
	int fd;

	need_root();
	fd = fan_file(8);
	group = fan_group(0);
	fan_mark_file(group, fd, HELD);
	held(writes, true, 2 * PAGE, PAGE, EBUSY);
	held(writes, true, 2 * PAGE, PAGE, ETXTBSY);
	held(writes, true, 2 * PAGE, PAGE, 0);
	held(maps, true, 0, UINT64_MAX, ETXTBSY);
	held(truncates, false, 2 * PAGE, 0, EBUSY);
	check(lseek(fd, 0, SEEK_END) == 8 * PAGE);
	held(truncates_within, false, 2 * PAGE, PAGE, 0);
	check(lseek(fd, 0, SEEK_END) == 2 * PAGE + 5);
	return 0;
}
