/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Open descriptors, for tests that nothing is left of what was done. */

#include "tests/descriptors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/guard/proc.h"
#include "daemon/pager/spare.h"

/* By what the guard looks at threads of strangers; it keeps some. */
static bool is_call(const char *target)
{
	size_t n = strlen(target);

	return strncmp(target, "/proc/", 6) == 0 && n > 8 && strcmp(target + n - 8, "/syscall") == 0;
}

/* For a moment, whenever somebody on this machine makes a loop device (daemon/uevent). */
static bool is_uevent(const char *target)
{
	return strncmp(target, "/dev/loop", 9) == 0 || strncmp(target, "/sys/", 5) == 0;
}

size_t count_descriptors(pid_t pid, bool show)
{
	size_t others = 0, memory = 0, calls = 0;
	char path[64], target[300];
	struct dirent *entry;
	ssize_t size;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir) {
		perror(path);
		abort();
	}
	while ((entry = readdir(dir))) {
		size = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		target[size > 0 ? size : 0] = '\0';
		if (strstr(target, "memfd:mapseal-read") || strstr(target, "memfd:mapseal-write"))
			memory++;
		else if (is_call(target))
			calls++;
		else
			others += !is_uevent(target);
		if (show)
			fprintf(stderr, "open: %s %s\n", entry->d_name, target);
	}
	closedir(dir);
	if (calls > PROC_SEEN)
		others += calls;
	/* both kinds, with two descriptors each */
	return memory > 4 * SPARES_MAX ? others + memory : others;
}
