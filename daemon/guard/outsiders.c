/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who has a file open, as far as /proc tells: for messages, never for decisions, which are the
 * lease's.
 *
 * Only descriptors are looked at, by what fdinfo says about their inode, and the name of the file:
 * neither asks the file system or waits for a lock that a stranger could keep. Only where both
 * agree is the file itself asked for its device, and that without asking a server. All of a
 * machine's descriptors may be many, so a look stops after a while.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/guard/proc.h"
#include "daemon/guard/state.h"
#include "util/cleanup.h"

#define LOOK_AT_MOST 200000 /* descriptors */

struct outsiders_job {
	struct notice notice; /* first: who takes it frees it, and with it the rest */
	struct list link;
	uint64_t object;
};

static void dir_closep(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The last part of the name: another mount or name space may show what is before it differently. */
static void last_part(const char *path, char name[256])
{
	char text[4096];
	ssize_t n = readlink(path, text, sizeof(text) - 1);
	const char *slash;

	text[n < 0 ? 0 : n] = 0;
	slash = strrchr(text, '/');
	snprintf(name, 256, "%.255s", slash ? slash + 1 : text);
}

static bool is_on(const char *path, dev_t dev)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &stx) == 0 &&
	       makedev(stx.stx_dev_major, stx.stx_dev_minor) == dev;
}

static bool has_open(pid_t pid, dev_t dev, ino_t ino, const char *name, unsigned int *looked)
{
	_cleanup_(dir_closep) DIR *dir = NULL;
	char path[64], other[256];
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) && ++*looked < LOOK_AT_MOST) {
		int fd = atoi(entry->d_name);
		struct operation_file file = { 0 };

		if (entry->d_name[0] != '.')
			file = proc_file(pid, fd, ino);
		if (!file.same || file.flags & O_PATH)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		last_part(path, other);
		if (strcmp(name, other) == 0 && is_on(path, dev))
			return true;
	}
	return false;
}

static void look(dev_t dev, ino_t ino, const char *name, struct guard_event *ret)
{
	_cleanup_(dir_closep) DIR *dir = opendir("/proc");
	struct dirent *entry;
	unsigned int looked = 0;

	while (dir && (entry = readdir(dir)) && looked < LOOK_AT_MOST) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || pid == getpid() || !has_open(pid, dev, ino, name, &looked))
			continue;
		if (ret->n_pids < GUARD_PIDS_MAX)
			ret->pids[ret->n_pids] = pid;
		ret->n_pids++;
	}
}

void outsiders_run(struct guard *guard)
{
	struct list *l;

	pthread_mutex_lock(&guard->lock);
	while ((l = list_first(&guard->outsiders))) {
		struct outsiders_job *job = list_entry(l, struct outsiders_job, link);
		struct object *object = object_by_id(guard, job->object);
		char path[64], name[256] = "";
		dev_t dev = 0;
		ino_t ino = 0;

		list_unlink(l);
		if (object) {
			dev = object->dev;
			ino = object->ino;
			snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
			last_part(path, name);
		}
		pthread_mutex_unlock(&guard->lock);
		if (object)
			look(dev, ino, name, &job->notice.event);
		pthread_mutex_lock(&guard->lock);
		notice_post(guard, &job->notice);
	}
	pthread_mutex_unlock(&guard->lock);
}

void outsiders_free(struct guard *guard)
{
	list_for_each (l, &guard->outsiders)
		free(list_entry(l, struct outsiders_job, link));
}

int guard_outsiders(struct guard *guard, uint64_t object)
{
	struct outsiders_job *job = calloc(1, sizeof(*job));
	const uint64_t one = 1;
	ssize_t r = 0;

	if (!job)
		return -ENOMEM;
	job->object = object;
	job->notice.on_heap = true;
	job->notice.event = (struct guard_event){
		.type = GUARD_EVENT_OUTSIDERS,
		.object = object,
	};
	pthread_mutex_lock(&guard->lock);
	list_append(&guard->outsiders, &job->link);
	pthread_mutex_unlock(&guard->lock);
	r = write(guard->prove_fd, &one, sizeof(one));
	(void)r;
	return 0;
}
