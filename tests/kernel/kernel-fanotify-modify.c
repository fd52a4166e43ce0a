/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* FAN_MODIFY of a thread comes after all that its write does to the file, and after the event that
 * held it: whoever reads the former knows that the latter is over. */

#include "fan.h"

#define BIG (16ul << 20)

static int writes(void)
{
	char *bytes = malloc(BIG);
	int fd = open(fan_path, O_WRONLY);

	memset(bytes, 'b', BIG);
	return write(fd, bytes, BIG) == (ssize_t)BIG ? 0 : errno;
}

static int truncates(void)
{
	return truncate(fan_path, PAGE) == 0 ? 0 : errno;
}

int main(void)
{
	struct fan fan;
	int fd, group;
	char last;
	pid_t pid;

	need_root();
	fd = fan_file(1);
	group = fan_group(0);
	fan_mark_file(group, fd, HELD | FAN_MODIFY);
	pid = fan_stranger(writes);
	for (int i = 0; i < 2; i++) {
		fan = fan_read(group);
		check(fan.mask & HELD);
		fan_allow(group, &fan);
	}
	fan = fan_read(group);
	check(fan.mask == FAN_MODIFY && fan.tid == pid);
	check(pread(fd, &last, 1, BIG - 1) == 1 && last == 'b');
	close(fan.fd);
	check(fan_result(pid) == 0);
	/* a truncation says nothing to who wants descriptors with events */
	pid = fan_stranger(truncates);
	fan = fan_read(group);
	fan_allow(group, &fan);
	check(fan_result(pid) == 0);
	check(lseek(fd, 0, SEEK_END) == PAGE && fan_quiet(group));
	return 0;
}
