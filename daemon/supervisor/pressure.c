/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * When something is short, before it is gone.
 *
 * A uid that comes near one of its quotas, and a machine that runs out of memory, have one answer: clean pages
 * of windows are dropped first, which costs nobody more than a fault. Then holders are asked to keep fewer
 * seals, their choice which (RECALL_ANY; who does not choose in time has the oldest recalled by
 * the core): for a quota those of the uid, always, since it counts what is lent and not what is
 * there; for memory those of the uid that has the most lent, and only if dropping did not yield
 * enough. Who holds a handful of seals is not asked: it could not choose.
 *
 * Memory pressure is heard of as systemd.resource-control(5) hands it to services, in
 * $MEMORY_PRESSURE_WATCH and $MEMORY_PRESSURE_WRITE, else from our own cgroup, else from that of the
 * machine; the kernel tells at most once in the window that is written there. Where none can be
 * had, quotas are all there is.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "daemon/core/deadline.h"
#include "daemon/supervisor/wiring.h"

#define SEALS_MIN 4			  /* who has fewer is not asked */
#define TRIGGER "some " DEADLINE_PRESSURE_US " " DEADLINE_PRESSURE_WINDOW_US

/* ---- the answer -------------------------------------------------------------------------- */

static void ask(struct supervisor *s, uid_t uid)
{
	list_for_each (l, &s->client_list) {
		const struct client *client = list_entry(l, struct client, link);
		size_t n = client->n_seals;

		if (client->uid == uid && n >= SEALS_MIN)
			core_recall_any(s->core, client->node.id, (uint32_t)(n - n / 4), loop_now());
	}
}

static void relieve(struct supervisor *s, enum pressure pressure, uid_t uid, uint64_t wanted)
{
	struct pager_job job = { .type = PAGER_DROP_CLEAN, .value = wanted, .fd = -1 };
	struct job context = { .pressure = pressure, .uid = uid, .wanted = wanted };

	if (job_submit(s, &context, &job) < 0)
		pressure_relieved(s, &context, 0);
}

static void ask_the_largest(struct supervisor *s)
{
	const struct client *largest = NULL;

	list_for_each (l, &s->client_list) {
		const struct client *client = list_entry(l, struct client, link);

		if (!largest || quota_used(client->user, QUOTA_WINDOW_BYTES) >
					quota_used(largest->user, QUOTA_WINDOW_BYTES))
			largest = client;
	}
	if (largest)
		ask(s, largest->uid);
}

void pressure_relieved(struct supervisor *s, const struct job *job, uint64_t dropped)
{
	if (job->pressure == PRESSURE_QUOTA)
		ask(s, job->uid);
	else if (job->pressure == PRESSURE_MEMORY && dropped < job->wanted)
		ask_the_largest(s);
}

void pressure_quota(struct supervisor *s, struct client *client)
{
	bool bytes = quota_became_short(client->user, QUOTA_WINDOW_BYTES);
	bool seals = quota_became_short(client->user, QUOTA_SEALS);

	if (bytes || seals)
		relieve(s, PRESSURE_QUOTA, client->uid,
			quota_limit(client->user, QUOTA_WINDOW_BYTES) / 8);
}

/* ---- hearing of it ----------------------------------------------------------------------- */

static void memory_is_short(struct loop_poll *poll, uint32_t events)
{
	struct supervisor *s = poll->data;
	struct pager_stats stats;
	char buffer[64];

	if (events & (EPOLLERR | EPOLLHUP | LOOP_POLL_FAILED)) {
		loop_poll_stop(poll);
		return;
	}
	while (events & EPOLLIN && read(poll->fd, buffer, sizeof(buffer)) > 0)
		;
	pager_stats(s->pager, &stats);
	relieve(s, PRESSURE_MEMORY, 0, stats.window_bytes / 4);
}

/* The bytes of @text, which is base64; how many, 0 if it is none or too long. */
static size_t decode(const char *text, char *to, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned int bits = 0, value = 0;
	size_t n = 0;

	for (; *text && *text != '='; text++) {
		const char *digit = strchr(digits, *text);

		if (!digit)
			return 0;
		value = value << 6 | (unsigned int)(digit - digits);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (n == size)
			return 0;
		to[n++] = (char)(value >> bits);
	}
	return n;
}

/* A file of the kernel's, which is armed by writing to it, or a FIFO, which is only read. */
static int watch(const char *path, const char *trigger, size_t n, uint32_t *ret_events)
{
	_cleanup_fd_ int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret_events = S_ISFIFO(st.st_mode) ? EPOLLIN : EPOLLPRI;
	if (!S_ISFIFO(st.st_mode) && write(fd, trigger, n) < 0)
		return -errno;
	return take_fd(&fd);
}

static int watch_own_cgroup(uint32_t *ret_events)
{
	char line[512], path[600];
	FILE *file = fopen("/proc/self/cgroup", "re");
	int fd = -ENOENT;

	while (file && fd < 0 && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.pressure", line + 3);
		fd = watch(path, TRIGGER, sizeof(TRIGGER), ret_events);
	}
	if (file)
		fclose(file);
	return fd;
}

static int watch_as_told(uint32_t *ret_events)
{
	const char *path = getenv("MEMORY_PRESSURE_WATCH");
	const char *encoded = getenv("MEMORY_PRESSURE_WRITE");
	char trigger[128];
	size_t n;

	if (!path) {
		int fd = watch_own_cgroup(ret_events);

		return fd >= 0 ? fd
			       : watch("/proc/pressure/memory", TRIGGER, sizeof(TRIGGER), ret_events);
	}
	n = encoded ? decode(encoded, trigger, sizeof(trigger)) : 0;
	return n ? watch(path, trigger, n, ret_events)
		 : watch(path, TRIGGER, sizeof(TRIGGER), ret_events);
}

void pressure_listen(struct supervisor *s)
{
	uint32_t events = 0;

	s->pressure_fd = watch_as_told(&events);
	s->pressure_poll = (struct loop_poll){
		.fd = s->pressure_fd,
		.fn = memory_is_short,
		.data = s,
	};
	if (s->pressure_fd < 0 || loop_poll_start(s->loop, &s->pressure_poll, events) < 0)
		log_line(LOG_LEVEL_INFO, "memory pressure can't be heard of here (%s)",
			 error_text(s->pressure_fd < 0 ? -s->pressure_fd : ENOMEM));
}
