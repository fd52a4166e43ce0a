/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What was opened before the mark makes no event, but for ftruncate, not when it writes, maps or
 * punches. That is so for strangers and for ourselves. */

#include "fan.h"

static int fd, group;

static void *lets_all_go(void *data)
{
	struct fan fan = fan_read(group);

	check(fan.mask == FAN_PRE_ACCESS && fan.tid == getpid());
	fan_allow(group, &fan);
	return data;
}

int main(void)
{
	pthread_t thread;

	need_root();
	fd = fan_file(8);
	group = fan_group(0);
	fan_mark_file(group, fd, HELD);
	check(pwrite(fd, "b", 1, 0) == 1);
	check(punch(fd, PAGE, PAGE) == 0 || errno == EOPNOTSUPP);
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	check(fan_quiet(group));
	check(pthread_create(&thread, NULL, lets_all_go, NULL) == 0);
	check(ftruncate(fd, 4 * PAGE) == 0);
	pthread_join(thread, NULL);
	return 0;
}
