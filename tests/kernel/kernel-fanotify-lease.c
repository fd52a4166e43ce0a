/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The descriptor of an event is an open: reading the event waits for a lease of our own. With
 * descriptors that do not wait, or if a signal comes meanwhile, the stranger is denied instead. */

#include <time.h>

#include "fan.h"

static int fd;

static int opens(void)
{
	int mine = open(fan_path, O_RDONLY);

	return mine >= 0 ? 0 : errno;
}

static int group;
static bool read_it;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *reads(void *data)
{
	struct fan *fan = data;

	*fan = fan_read(group);
	pthread_mutex_lock(&lock);
	read_it = true;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* Until the lease is being broken. */
static void wait_for_break(void)
{
	while (fcntl(fd, F_GETLEASE) != F_RDLCK)
		sched_yield();
}

int main(void)
{
	char buffer[256];
	pthread_t thread;
	struct fan fan;
	sigset_t all;
	pid_t pid;

	need_root();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	fd = fan_file(1);
	group = fan_group(0);
	fan_mark_file(group, fd, HELD);
	check(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
	pid = fan_stranger(opens);
	check(pthread_create(&thread, NULL, reads, &fan) == 0);
	wait_for_break();
	pthread_mutex_lock(&lock);
	check(!read_it);
	pthread_mutex_unlock(&lock);
	check(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
	pthread_join(thread, NULL);
	fan_allow(group, &fan);
	check(fan_result(pid) == 0);
	close(group);

	group = fan_group(O_NONBLOCK);
	fan_mark_file(group, fd, HELD);
	check(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
	pid = fan_stranger(opens);
	check(read(group, buffer, sizeof(buffer)) < 0);
	check(fan_result(pid) == EPERM);
	return 0;
}
