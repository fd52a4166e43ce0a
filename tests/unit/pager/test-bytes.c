/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a window shows is what the object holds, to the byte, whatever the sizes; and what is
 * written there gets into the object by a commit, and no further than it reaches. */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"

static const size_t sizes[] = { 1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE + 17, 300 * PAGE + 1000 };

static void whole(struct rig *rig, size_t size, bool cold)
{
	int fd = rig_file(size);
	struct window_of window;
	uint64_t object;

	if (cold) {
		fsync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	object = rig_object(rig, fd, size, false);
	window = rig_window(rig, object, 0, size, 0);
	for (size_t i = 0; i < window.length; i++)
		check_is(window.at[i], i < size ? rig_byte(i) : 0);
	rig_close(rig, &window);
}

static void random_order(struct rig *rig)
{
	enum { N = 64 };
	uint64_t object = rig_object(rig, rig_file(N * PAGE), N * PAGE, false);
	struct window_of window = rig_window(rig, object, 2 * PAGE, N * PAGE, 0);

	for (unsigned int i = 0, page = 7; i < N - 2; i++, page = (page + 29) % (N - 2))
		check_is(window.at[page * PAGE + 5], rig_byte((page + 2) * PAGE + 5));
	rig_close(rig, &window);
}

static void written(struct rig *rig, size_t size)
{
	int fd = rig_file(size), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	uint64_t object = rig_object(rig, fd, size, true);
	struct window_of window = rig_window(rig, object, 0, size, RIG_WRITE);
	struct pager_event event;
	unsigned char byte;

	check_is(pager_dirty(rig->pager, window.id), 0);
	window.at[size - 1] = 7;
	window.at[window.length - 1] = size == window.length ? 7 : 9; /* past the end */
	check(pager_dirty(rig->pager, window.id) > 0);
	rig->committed = 0;
	event = rig_commit(rig, &window);
	check_is(event.error, 0);
	check_is(rig->committed, 1);
	check_is(pager_dirty(rig->pager, window.id), 0);
	check_is(pread(mine, &byte, 1, (off_t)size - 1), 1);
	check_is(byte, 7);
	check_is(lseek(mine, 0, SEEK_END), size);
	for (size_t i = 0; i + 1 < size; i++) {
		if (i > 3 * PAGE && i % 4099)
			continue;
		check_is(pread(mine, &byte, 1, (off_t)i), 1);
		check_is(byte, rig_byte(i));
	}
	/* written again after the commit: dirty again */
	window.at[0] = 1;
	check(pager_dirty(rig->pager, window.id) > 0);
	event = rig_commit(rig, &window);
	check_is(event.error, 0);
	check_is(pread(mine, &byte, 1, 0), 1);
	check_is(byte, 1);
	/* nothing written: nothing to commit */
	event = rig_commit(rig, &window);
	check_is(event.value, 0);
	rig_close(rig, &window);
	close(mine);
}

int main(void)
{
	struct rig rig;

	rig_start(&rig, &RIG_CONFIG);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		whole(&rig, sizes[i], false);
		whole(&rig, sizes[i], true);
		written(&rig, sizes[i]);
	}
	random_order(&rig);
	rig_stop(&rig);
	return 0;
}
