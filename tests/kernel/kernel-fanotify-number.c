/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An event is answered by the number that its descriptor had. The descriptor may be another one by
 * then, and does not count as an opener any more. */

#include "fan.h"

static int truncates(void)
{
	return truncate(fan_path, 2 * PAGE) == 0 ? 0 : errno;
}

int main(void)
{
	int fd, group, other;
	struct fan fan;
	pid_t pid;

	need_root();
	fd = fan_file(8);
	group = fan_group(0);
	fan_mark_file(group, fd, HELD);
	other = open("/dev/null", O_PATH | O_CLOEXEC);
	pid = fan_stranger(truncates);
	fan = fan_read(group);
	check(fcntl(fd, F_SETLEASE, F_WRLCK) < 0 && errno == EAGAIN);
	check(dup3(other, fan.fd, O_CLOEXEC) == fan.fd);
	check(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
	check(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
	fan_allow(group, &fan);
	check(fan_result(pid) == 0);
	return 0;
}
