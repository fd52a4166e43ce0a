/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A write lease is granted only while nobody else has the file open, be it by a mapping; a read
 * lease, to a description that can't write, only while nobody can. O_PATH does not count, nor do
 * copies of our own descriptor. */

#include "fan.h"

static int lease(int fd, int type)
{
	int r = fcntl(fd, F_SETLEASE, type) < 0 ? errno : 0;

	if (r == 0)
		check(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
	return r;
}

int main(void)
{
	int fd, other, copy;
	void *at;

	need_root();
	fd = fan_file(1);
	copy = dup(fd);
	check(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	other = open(fan_path, O_PATH);
	check(copy >= 0 && other >= 0);
	if (lease(fd, F_WRLCK) == EINVAL)
		skip("no leases on this file system");
	check(lease(fd, F_WRLCK) == 0);
	check(lease(fd, F_RDLCK) == EAGAIN); /* we can write */
	close(other);
	other = open(fan_path, O_RDONLY);
	check(lease(fd, F_WRLCK) == EAGAIN);
	at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, other, 0);
	close(other);
	check(at != MAP_FAILED && lease(fd, F_WRLCK) == EAGAIN);
	munmap(at, PAGE);
	check(lease(fd, F_WRLCK) == 0);

	/* without one that can write */
	close(copy);
	at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	copy = open(fan_path, O_RDONLY);
	check(lease(copy, F_RDLCK) == EAGAIN);
	return 0;
}
