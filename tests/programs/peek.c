/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * peek PID FILE: writes the bytes that FILE has now to stdout, and nobody notices.
 *
 * To open the file would be a stranger's doing like any other: it would be queued behind the
 * program that is held there. So the supervisor's own description is borrowed, of which no guard
 * hears.
 */

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/rig.h"

static int borrow(const char *pid, const char *file)
{
	int pidfd = pidfd_open((pid_t)atoi(pid), 0);
	struct stat want, st;
	struct dirent *entry;
	char path[64];
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	expect(pidfd >= 0 && dir && stat(file, &want) == 0);
	while (fd < 0 && (entry = readdir(dir))) {
		char byte;

		if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || st.st_dev != want.st_dev ||
		    st.st_ino != want.st_ino)
			continue;
		fd = pidfd_getfd(pidfd, atoi(entry->d_name), 0);
		if (fd >= 0 && pread(fd, &byte, 1, 0) < 0) {
			close(fd);
			fd = -1;
		}
	}
	expect(fd >= 0);
	closedir(dir);
	close(pidfd);
	return fd;
}

int main(int argc, char **argv)
{
	static char buffer[65536];
	off_t at = 0;
	ssize_t n;
	int fd;

	expect(argc == 3);
	fd = borrow(argv[1], argv[2]);
	while ((n = pread(fd, buffer, sizeof(buffer), at)) > 0) {
		expect_eq(fwrite(buffer, 1, (size_t)n, stdout), n);
		at += n;
	}
	expect_eq(n, 0);
	expect(fflush(stdout) == 0);
	return 0;
}
