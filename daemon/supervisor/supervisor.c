/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The round that everything turns in.
 *
 *	wait for events, or the next deadline of the core
 *	run their callbacks: frames become calls of the core and jobs of the pager
 *	let the core look at the clock
 *	carry out its commands, until there are none
 *	take leave of sessions that are over, which makes commands again
 *
 * One thread, and nothing in it waits for a disk or a peer, with one exception: opening the file of an
 * export (target.c), which an administrator put on a local file system.
 *
 * The watchdog is fed by work, not by time: a sign of life goes to the service manager when this loop has
 * gone round and the pager's thread has answered a job since the last one.
 *
 * Ending in order is letting every session hang up: holders are gone, what they wrote is written
 * back as their exports say, windows are closed. It takes as long as the disk does, since what is
 * kept instead of written would end with this process; a second signal cuts it short, and so does the
 * service manager.
 */

#include "daemon/supervisor/supervisor.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

#include "daemon/authority/export.h"
#include "daemon/config/config.h"
#include "daemon/core/deadline.h"
#include "daemon/supervisor/wiring.h"
#include "util/units.h"

#define RING_ENTRIES 1024
#define MAX_QUEUE (512 * 1024)

const struct core_policy *supervisor_policy(const struct supervisor *s)
{
	return &s->config->policy;
}

/* ---- signs of life ---------------------------------------------------------------------- */

void supervisor_alive(struct supervisor *s, const struct job *job)
{
	if (!job->alive)
		return;
	s->notify_asked = false;
	s->notify_at = loop_now() + s->notify_every;
	sd_notify(0, "WATCHDOG=1");
}

static void ask_for_life(struct supervisor *s)
{
	struct pager_job job = { .type = PAGER_DROP_CLEAN, .fd = -1 };

	if (s->notify_asked || loop_now() < s->notify_at)
		return;
	s->notify_asked = job_submit(s, &(struct job){ .alive = true }, &job) == 0;
}

static void begin_watchdog(struct supervisor *s)
{
	uint64_t us;

	s->notify_at = CORE_NEVER;
	if (sd_watchdog_enabled(0, &us) <= 0)
		return;
	s->notify_every = us * 1000 / 3;
	s->notify_at = loop_now() + s->notify_every;
}

/* ---- events ----------------------------------------------------------------------------- */

static void pager_ready(struct loop_poll *poll, uint32_t events)
{
	(void)events;
	results_drain(poll->data);
}

static void direct_ready(struct loop_poll *poll, uint32_t events)
{
	(void)events;
	direct_drain(poll->data);
}

static void guard_ready(struct loop_poll *poll, uint32_t events)
{
	(void)events;
	guards_drain(poll->data);
}

static void signal_ready(struct loop_poll *poll, uint32_t events)
{
	struct supervisor *s = poll->data;
	struct signalfd_siginfo info;

	(void)events;
	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (s->stopping)
			s->failed = -EINTR;
		else
			supervisor_stop(s);
	}
}

static void accepted(int fd, void *data)
{
	supervisor_accept(data, fd);
}

int supervisor_accept(struct supervisor *s, int fd)
{
	return sessions_accept(s->sessions, fd);
}

/* ---- the round -------------------------------------------------------------------------- */

static uint64_t next_deadline(const struct supervisor *s, uint64_t deadline)
{
	uint64_t next = core_next_deadline(s->core);

	if (s->guard_waits)
		return 0;
	if (!s->notify_asked && s->notify_at < next)
		next = s->notify_at;
	if (jobs_due(s) < next)
		next = jobs_due(s);
	if (breaks_due(s) < next)
		next = breaks_due(s);
	return next < deadline ? next : deadline;
}

int supervisor_step(struct supervisor *s, uint64_t deadline)
{
	int r;

	jobs_begin(s); /* once for all of a round */
	r = loop_step(s->loop, next_deadline(s, deadline));
	if (r < 0)
		return r;
	if (s->guard_waits)
		guards_drain(s);
	breaks_expire(s);
	core_tick(s->core, loop_now());
	do
		commands_drain(s);
	while (sessions_reap(s->sessions) > 0);
	ask_for_life(s);
	return s->failed;
}

void supervisor_stop(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	if (s->listener)
		listener_stop(s->listener);
	sessions_hang_up_all(s->sessions);
}

bool supervisor_is_over(const struct supervisor *s)
{
	return s->stopping && sessions_count(s->sessions) == 0 && list_empty(&s->client_list) &&
	       (!s->listener || listener_is_idle(s->listener));
}

int supervisor_run(struct supervisor *s)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return -errno;
	s->signal_poll = (struct loop_poll){ .fd = s->signal_fd, .fn = signal_ready, .data = s };
	r = loop_poll_start(s->loop, &s->signal_poll, EPOLLIN);
	if (r < 0)
		return r;
	begin_watchdog(s);
	pressure_listen(s);
	sd_notify(0, "READY=1");
	log_line(LOG_LEVEL_INFO, "serving, epoch %016llx", (unsigned long long)s->epoch);
	while (r == 0 && !supervisor_is_over(s)) {
		r = supervisor_step(s, CORE_NEVER);
		if (s->stopping && !s->told_stopping) {
			s->told_stopping = true;
			sd_notify(0, "STOPPING=1");
			log_line(LOG_LEVEL_INFO, "stopping: writing back what was lent");
		}
	}
	loop_poll_stop(&s->signal_poll);
	loop_poll_stop(&s->pressure_poll);
	if (r == -EINTR)
		log_line(LOG_LEVEL_WARNING, "stopped at once, by a second signal");
	return r == -EINTR ? 0 : r;
}

/* ---- beginning and end ------------------------------------------------------------------ */

static int get_random(void *p, size_t n)
{
	return getrandom(p, n, 0) == (ssize_t)n ? 0 : -EIO;
}

static int begin_core(struct supervisor *s)
{
	struct core_config core = { .policy = *supervisor_policy(s) };
	int r;

	r = get_random(&core.token_seed, sizeof(core.token_seed));
	if (r == 0)
		r = get_random(&s->epoch, sizeof(s->epoch));
	if (r == 0)
		r = core_new(&core, &s->core);
	return r;
}

static int begin_pager(struct supervisor *s)
{
	struct pager_config pager;
	int r;

	config_pager(s->config, &pager);
	r = pager_probe(&s->kernel);
	if (r == 0)
		r = pager_new(&pager, &s->pager);
	if (r == PAGER_E_OWNER) {
		log_line(LOG_LEVEL_ERROR,
			 "memory can't be given to uid %u: CAP_CHOWN is missing, or there is no such uid in "
			 "this user namespace; set memory-owner to one that is mapped and nobody runs under",
			 pager.memory_owner);
		return -EINVAL;
	}
	if (r < 0)
		return r;
	s->pager_poll = (struct loop_poll){
		.fd = pager_get_fd(s->pager),
		.fn = pager_ready,
		.data = s,
	};
	return loop_poll_start(s->loop, &s->pager_poll, EPOLLIN);
}

static int begin_direct(struct supervisor *s)
{
	int r = direct_new(&s->direct);

	if (r < 0)
		return r;
	s->direct_poll = (struct loop_poll){
		.fd = direct_get_fd(s->direct),
		.fn = direct_ready,
		.data = s,
	};
	return loop_poll_start(s->loop, &s->direct_poll, EPOLLIN);
}

static int begin_guard(struct supervisor *s, int group)
{
	int r = guards_new(s, group);

	if (r < 0)
		return r;
	s->guard_poll = (struct loop_poll){
		.fd = guard_get_fd(s->guard),
		.fn = guard_ready,
		.data = s,
	};
	return loop_poll_start(s->loop, &s->guard_poll, EPOLLIN);
}

static int begin_sessions(struct supervisor *s)
{
	struct session_limits limits = { .max_queue = MAX_QUEUE };
	struct session_ops ops = {
		.request = client_request,
		.closed = client_closed,
		.data = s,
	};
	struct quota_limits quota;
	int r;

	config_quota(s->config, &quota);
	limits.max_in_flight = 2 * (uint32_t)quota.max[QUOTA_WAITING];
	r = quota_new(&quota, &s->quota);
	if (r == 0)
		r = sessions_new(s->loop, s->quota, &limits, &ops, &s->sessions);
	return r;
}

static int begin_exports(struct supervisor *s)
{
	size_t n = s->config->n_exports;
	int r;

	r = mounts_new(NULL, &s->mounts);
	if (r < 0)
		return r;
	s->export_quotas = calloc(n ? n : 1, sizeof(*s->export_quotas));
	if (!s->export_quotas)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct export *export = &s->config->exports[i];
		struct quota_limits limits = { .max = {
			[QUOTA_SEALS] = export->max_seals,
			[QUOTA_WINDOW_BYTES] = export->max_window_bytes,
		} };

		r = quota_new(&limits, &s->export_quotas[i]);
	}
	return r;
}

int supervisor_new(const struct config *config, int guard_group, struct supervisor **ret)
{
	_cleanup_fd_ int group = guard_group;
	_cleanup_(supervisor_freep) struct supervisor *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->config = config;
	s->signal_fd = s->pressure_fd = -1;
	s->notify_at = CORE_NEVER;
	s->kick_at = CORE_NEVER;
	s->started_at = loop_now();
	list_init(&s->client_list);
	list_init(&s->watchers);
	list_init(&s->quarantine_list);
	list_init(&s->late);
	list_init(&s->unready);
	for (size_t i = 0; i < INODE_BUCKETS; i++)
		list_init(&s->inodes[i]);
	r = loop_new(RING_ENTRIES, &s->loop);
	if (r == 0)
		r = begin_core(s);
	if (r == 0)
		r = begin_pager(s);
	if (r == 0)
		r = begin_direct(s);
	if (r == 0)
		r = begin_guard(s, take_fd(&group));
	if (r == 0)
		r = registrations_begin(s);
	if (r == 0)
		r = attached_begin(s);
	if (r == 0)
		r = begin_sessions(s);
	if (r == 0)
		r = begin_exports(s);
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

int supervisor_listen(struct supervisor *s, const char *path)
{
	struct listener_ops ops = { .accepted = accepted, .data = s };

	return listener_new(s->loop, path, s->config->socket_mode, s->config->socket_group,
			    &ops, &s->listener);
}

int supervisor_adopt(struct supervisor *s, int fd)
{
	struct listener_ops ops = { .accepted = accepted, .data = s };

	return listener_adopt(s->loop, fd, &ops, &s->listener);
}

/* When somebody could not wait for the disk any more. */
static void end_pager(struct supervisor *s)
{
	uint64_t until = loop_now() + DEADLINE_LEAVE_S * UINT64_C(1000000000);
	char bytes[UNITS_MAX];
	struct pager_left left;

	if (s->pager && pager_end(s->pager, until, &left) < 0) {
		if (left.stuck)
			log_line(LOG_LEVEL_ERROR, "LOST with the end of the supervisor: what windows held; "
						  "an address space of a holder could not be left");
		else
			log_line(LOG_LEVEL_ERROR,
				 "LOST with the end of the supervisor, unless the disk takes it after all: %s "
				 "of windows (%u jobs and %u reads were waiting for it)",
				 units_format_bytes(left.bytes, bytes), left.jobs, left.reads);
	}
	s->pager = pager_free(s->pager);
}

struct supervisor *supervisor_free(struct supervisor *s)
{
	struct idmap *maps[] = {
		&s->clients, &s->pending, &s->windows,	  &s->seals,
		&s->objects, &s->jobs,	  &s->quarantine, &s->proofs,
		&s->errands,  &s->strangers, &s->tickets,
	};

	struct idmap_node *n;

	if (!s)
		return NULL;
	quarantine_lost(s);
	listener_free(s->listener);
	sessions_free(s->sessions);
	if (s->pager)
		loop_poll_stop(&s->pager_poll);
	jobs_forget_late(s);
	end_pager(s);
	if (s->direct)
		loop_poll_stop(&s->direct_poll);
	direct_free(s->direct);
	direct_forget(s);
	attached_end(s);
	if (s->guard)
		loop_poll_stop(&s->guard_poll);
	guard_free(s->guard); /* whoever is held goes on */
	strangers_forget(s);
	registrations_end(s);
	while ((n = idmap_any(&s->jobs)))
		job_forget(s, container_of(n, struct job, node));
	loop_free(s->loop);
	core_free(s->core);
	quota_free(s->quota);
	for (size_t i = 0; s->export_quotas && i < s->config->n_exports; i++)
		quota_free(s->export_quotas[i]);
	free(s->export_quotas);
	mounts_free(s->mounts);
	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		idmap_deinit(maps[i]);
	fd_close(s->signal_fd);
	fd_close(s->pressure_fd);
	free(s);
	return NULL;
}
