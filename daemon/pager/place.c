/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may have how many threads at work that wait for a process of theirs.
 *
 * A process can keep such a thread waiting for as long as it lives. So a uid has a few places, and when
 * processes of it took them all for good, nobody else's are gone. While some of them are just at
 * work whoever comes waits for a place, which is a matter of moments, or of the time after which a thread
 * is left behind.
 */

#include "daemon/pager/place.h"

#include <pthread.h>

#define PLACES 64
#define PLACES_OF_UID 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct place {
	bool taken, left_behind;
	uid_t uid;
} places[PLACES];

int place_take(uid_t uid, unsigned int *ret_place)
{
	unsigned int n = 0, left = 0, of_uid = 0, left_of_uid = 0;
	int r = 0;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < PLACES; i++) {
		const struct place *place = &places[i];

		if (!place->taken)
			continue;
		n++;
		left += place->left_behind;
		of_uid += place->uid == uid;
		left_of_uid += place->uid == uid && place->left_behind;
	}
	if (left_of_uid == PLACES_OF_UID)
		r = PLACE_USED_UP;
	else if (left == PLACES)
		r = PLACE_ALL_USED_UP;
	else if (of_uid == PLACES_OF_UID || n == PLACES)
		r = PLACE_BUSY;
	for (unsigned int i = 0; r == 0 && i < PLACES; i++) {
		if (places[i].taken)
			continue;
		places[i] = (struct place){ .taken = true, .uid = uid };
		*ret_place = i;
		break;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

void place_leave_behind(unsigned int place, bool left_behind)
{
	pthread_mutex_lock(&lock);
	places[place].left_behind = left_behind;
	pthread_mutex_unlock(&lock);
}

void place_give(unsigned int place)
{
	pthread_mutex_lock(&lock);
	places[place].taken = false;
	pthread_mutex_unlock(&lock);
}
