/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The memory of every window, made beforehand or on the spot, is as it must be and nobody else's, and
 * what was made for nobody is gone with the pager. */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/pager/spare.h"
#include "rig.h"

#define WINDOWS (2 * SPARES_MAX + 1) /* of a kind: more than can be ready */
#define ROUNDS	3

static size_t count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	check(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void is_as_it_must_be(const struct window_of *window, bool write, struct stat *ret)
{
	int seals = fcntl(window->memory, F_GET_SEALS);

	check(fstat(window->memory, ret) == 0);
	check_is(ret->st_size, window->length);
	check_is(ret->st_blocks, 0);
	check_is(ret->st_mode & 07777, 0400);
	check_is(ret->st_uid, RIG_CONFIG.memory_owner);
	check_is(seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_WRITE),
		 write ? F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL : 0);
	check_is(fcntl(window->memory, F_GETFL) & (O_ACCMODE | O_APPEND),
		 write ? O_RDWR : O_RDONLY);
	check_is(fcntl(window->memory, F_GETFD), FD_CLOEXEC);
}

int main(void)
{
	struct window_of windows[2 * WINDOWS];
	struct stat stats[2 * WINDOWS];
	size_t before = count_open();
	struct rig rig;
	uint64_t object;

	rig_start(&rig, &RIG_CONFIG);
	object = rig_object(&rig, rig_file(2 * WINDOWS * PAGE), 2 * WINDOWS * PAGE, true);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < 2 * WINDOWS; i++) {
			bool write = i % 2;

			windows[i] = rig_window(&rig, object, i * PAGE, (i + 1) * PAGE,
						RIG_UNMAPPED | (write ? RIG_WRITE : 0));
			is_as_it_must_be(&windows[i], write, &stats[i]);
			for (size_t j = 0; j < i; j++)
				check(stats[i].st_ino != stats[j].st_ino);
		}
		for (size_t i = 0; i < 2 * WINDOWS; i++)
			rig_close(&rig, &windows[i]);
	}
	rig_stop(&rig);
	check_is(count_open(), before);
	return 0;
}
