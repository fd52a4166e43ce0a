/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What was submitted before the end is done before it, though the thread, which just had faults to serve, looks
 * for more of them rather than for jobs. */

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"

enum { TIMES = 8, TEN_S = 10 };

static uint64_t in_ten_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)(ts.tv_sec + TEN_S) * 1000000000u;
}

static void ends(struct pager_config config)
{
	struct pager_left left = { 0 };
	struct window_of window;
	int fd = rig_file(PAGE), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct rig rig;
	unsigned char byte;

	rig_start(&rig, &config);
	window = rig_window(&rig, rig_object(&rig, fd, PAGE, true), 0, PAGE, RIG_WRITE);
	window.at[0] = 'n';
	rig_submit(&rig, &(struct pager_job){
				 .type = PAGER_FENCE,
				 .window = window.id,
				 .end = PAGE,
				 .how = PAGER_HOW_RETURN,
			 });
	check_is(pager_end(rig.pager, in_ten_s(), &left), 0);
	check_is(pread(mine, &byte, 1, 0), 1);
	check_is(byte, 'n');
	rig_stop(&rig);
	/* nobody is left who would have to hear of it */
	munmap(window.at, window.length);
	close(window.memory);
	close(mine);
}

int main(void)
{
	struct pager_config config = RIG_CONFIG;

	config.spin_us = 1000000;
	for (int i = 0; i < TIMES; i++)
		ends(config);
	return 0;
}
