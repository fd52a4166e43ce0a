/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who has a file open, as far as /proc tells: for messages, never for decisions, which are the
 * lease's.
 *
 * Only descriptors are looked at, by what fdinfo says about their inode, and the name of the file:
 * neither asks the file system or waits for a lock that a stranger could keep. Only where both
 * agree is the file itself asked for its device, and that without asking a server. All of a
 * machine's descriptors may be many: a look stops after a while, and is made in slices, between
 * which the prover does what others wait for. Looks are made one after the other, and what each has
 * come to is the prover's alone.
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

#define LOOK_AT_MOST 200000 /* descriptors */
#define LOOK_AT_ONCE 128

struct outsiders_job {
	struct notice notice; /* first: who takes it frees it, and with it the rest */
	struct list link;
	uint64_t object;
	bool begun;
	dev_t dev;
	ino_t ino;
	char name[256];
	DIR *processes;	  /* NULL: none is left to be looked at */
	DIR *descriptors; /* of @pid, NULL: the next one's turn */
	pid_t pid;
	unsigned int looked;
};

static DIR *dir_close(DIR *dir)
{
	if (dir)
		closedir(dir);
	return NULL;
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

static bool is_it(const struct outsiders_job *job, int fd)
{
	struct operation_file file = proc_file(job->pid, fd, job->ino);
	char path[64], other[256];

	if (!file.same || file.flags & O_PATH)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", job->pid, fd);
	last_part(path, other);
	return strcmp(job->name, other) == 0 && is_on(path, job->dev);
}

static void look_at_descriptor(struct outsiders_job *job)
{
	const struct dirent *entry = readdir(job->descriptors);
	struct guard_event *event = &job->notice.event;

	if (entry && (entry->d_name[0] == '.' || !is_it(job, atoi(entry->d_name))))
		return;
	/* one that has it needs no further look */
	job->descriptors = dir_close(job->descriptors);
	if (!entry)
		return;
	if (event->n_pids < GUARD_PIDS_MAX)
		event->pids[event->n_pids] = job->pid;
	event->n_pids++;
}

static void look_at_process(struct outsiders_job *job)
{
	const struct dirent *entry = readdir(job->processes);
	char path[64];

	if (!entry) {
		job->processes = dir_close(job->processes);
		return;
	}
	job->pid = atoi(entry->d_name);
	if (job->pid <= 0 || job->pid == getpid())
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd", job->pid);
	job->descriptors = opendir(path);
}

/* A slice of it. False: it is over. */
static bool look(struct outsiders_job *job)
{
	for (unsigned int n = 0; n < LOOK_AT_ONCE && job->processes; n++) {
		if (job->descriptors)
			look_at_descriptor(job);
		else
			look_at_process(job);
		if (++job->looked == LOOK_AT_MOST) {
			job->descriptors = dir_close(job->descriptors);
			job->processes = dir_close(job->processes);
		}
	}
	return job->processes;
}

static void begin(struct guard *guard, struct outsiders_job *job)
{
	const struct object *object = object_by_id(guard, job->object);
	char path[64];

	job->begun = true;
	if (!object)
		return;
	job->dev = object->dev;
	job->ino = object->ino;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
	last_part(path, job->name);
	job->processes = opendir("/proc");
}

bool outsiders_run(struct guard *guard)
{
	struct outsiders_job *job;
	struct list *first;
	bool more;

	pthread_mutex_lock(&guard->lock);
	first = list_first(&guard->outsiders);
	job = first ? list_entry(first, struct outsiders_job, link) : NULL;
	if (job && !job->begun)
		begin(guard, job);
	pthread_mutex_unlock(&guard->lock);
	if (!job)
		return false;
	if (look(job))
		return true;
	pthread_mutex_lock(&guard->lock);
	list_unlink(&job->link);
	notice_post(guard, &job->notice);
	more = !list_empty(&guard->outsiders);
	pthread_mutex_unlock(&guard->lock);
	return more;
}

void outsiders_free(struct guard *guard)
{
	list_for_each (l, &guard->outsiders) {
		struct outsiders_job *job = list_entry(l, struct outsiders_job, link);

		dir_close(job->descriptors);
		dir_close(job->processes);
		free(job);
	}
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
