/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Places for threads that may never come back, of which nobody gets more than a few. Any thread; they
 * are the program's, since the threads may outlive a pager.
 */

#include <stdbool.h>
#include <sys/types.h>

enum place_answer {
	PLACE_BUSY = 1,	  /* later, when one of those at work is done */
	PLACE_USED_UP,	  /* all that this uid may have were left behind */
	PLACE_ALL_USED_UP /* all that there are */
};

/* 0, or one of the answers above. */
int place_take(uid_t uid, unsigned int *ret_place);

/* Its thread is left behind (or is not, after all), and goes on taking the place until it ends. */
void place_leave_behind(unsigned int place, bool left_behind);

void place_give(unsigned int place);
