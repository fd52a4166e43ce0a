/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent: who calls the application's handlers.
 *
 * It is a thread of the library (MAPSEAL_THREAD), or whoever calls mapseal_dispatch(); one at a
 * time. Both do the same: take in frames, bring recalls forward, tell events, in that order, until
 * there is nothing left. Callbacks run without the lock, may make any call, and are never nested.
 *
 * What there is to do comes from the socket, from a thread that left a gate or queued an event
 * (kick), or from time (a handler that asked for delay). All three are in one epoll descriptor,
 * which is what mapseal_get_fd() gives out.
 *
 * While the library's thread sleeps there, callers leave the reading of the socket to it
 * (wire.served).
 */

#include "client/agent.h"

#include "client/direct.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "client/error.h"

/* ---- events ------------------------------------------------------------------------------ */

void agent_kick(struct mapseal *m)
{
	static const uint64_t one = 1;

	if (m->agent.running && pthread_equal(m->agent.runner, pthread_self()))
		return;
	/* EAGAIN is a counter that is full: it polls readable all the same. */
	if (write(m->agent.kick, &one, sizeof(one)) < 0)
		return;
}

/* Those of the two that polled readable; the socket is wire_pump()'s. */
static void drain(struct mapseal *m, const struct epoll_event *ready, int n)
{
	uint64_t count;

	for (int i = 0; i < n; i++) {
		int fd = ready[i].data.fd;

		if (fd == m->space.fences) {
			fence_serve(m);
			continue;
		}
		if (fd != m->wire.socket && read(fd, &count, sizeof(count)) < 0)
			continue;
		if (fd == m->agent.timer)
			m->agent.timer_at = 0;
	}
}

static struct agent_event *event_free(struct agent_event *event)
{
	if (event) {
		list_unlink(&event->link);
		wire_frame_free(event->change);
		free(event);
	}
	return NULL;
}

static void queue(struct mapseal *m, const struct mapseal_event *told, struct wire_frame *change)
{
	struct agent_event *event = calloc(1, sizeof(*event));

	if (!event) {
		wire_frame_free(change);
		return;
	}
	if (told)
		event->event = *told;
	event->change = change;
	list_append(&m->agent.events, &event->link);
	agent_kick(m);
}

void agent_tell(struct mapseal *m, const struct mapseal_event *event)
{
	/* Readers of the state wait for it too. */
	wire_wake(&m->wire);
	if (m->on_event || event->type == MAPSEAL_EVENT_DISCONNECTED)
		queue(m, event, NULL);
}

void agent_tell_change(struct mapseal *m, struct wire_frame *frame)
{
	queue(m, NULL, frame);
}

void agent_forget(struct mapseal *m, const void *object)
{
	list_for_each(l, &m->agent.events) {
		struct agent_event *event = list_entry(l, struct agent_event, link);

		if (event->event.seal == object || event->event.brk == object)
			event_free(event);
	}
	while (m->agent.showing == object && !connection_in_callback(m))
		pthread_cond_wait(&m->wire.changed, &m->wire.lock);
}

static void tell_change(struct mapseal *m, const struct proto_changed *changed)
{
	struct mapseal_change change = {
		.change = proto_text(PROTO_TEXT_CHANGE, changed->change),
		.time_ms = changed->time_ms,
		.id = changed->id,
		.object = changed->object,
		.offset = changed->offset,
		.length = changed->length,
		.pid = changed->pid,
		.uid = changed->uid,
		.comm = changed->comm,
		.detail = changed->detail,
	};
	void (*fn)(const struct mapseal_change *, void *) = m->on_change;
	void *data = m->change_data;

	wire_unlock(&m->wire);
	if (fn)
		fn(&change, data);
	wire_lock(&m->wire);
}

static void tell(struct mapseal *m, struct agent_event *event)
{
	list_unlink(&event->link);
	if (event->change) {
		tell_change(m, &event->change->message.changed);
	} else if (m->on_event) {
		m->agent.showing = event->event.seal ? (const void *)event->event.seal
						     : (const void *)event->event.brk;
		wire_unlock(&m->wire);
		m->on_event(m, &event->event, m->data);
		wire_lock(&m->wire);
		m->agent.showing = NULL;
		wire_wake(&m->wire);
	}
	event_free(event);
}

/* ---- running ----------------------------------------------------------------------------- */

static void set_timer(struct mapseal *m)
{
	uint64_t next = agent_next(m);
	struct itimerspec at = {
		.it_value = {
			.tv_sec = (time_t)(next / 1000),
			.tv_nsec = (long)(next % 1000) * 1000000,
		},
	};

	if (next == m->agent.timer_at)
		return;
	m->agent.timer_at = next;
	timerfd_settime(m->agent.timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void begin(struct mapseal *m)
{
	m->agent.running = true;
	m->agent.runner = pthread_self();
}

static void pump(struct mapseal *m)
{
	m->agent.reading = true;
	wire_pump(&m->wire);
	m->agent.reading = false;
}

/* What was there has been taken in. */
static void run(struct mapseal *m)
{
	for (;;) {
		agent_recalls(m);
		if (!list_empty(&m->agent.events))
			tell(m, list_entry(list_first(&m->agent.events), struct agent_event, link));
		if (list_empty(&m->agent.events) || m->agent.stop)
			break;
		pump(m);
	}
	set_timer(m);
	m->agent.running = false;
	/* It would poll readable for ever. */
	if (m->wire.lost)
		epoll_ctl(m->agent.epoll, EPOLL_CTL_DEL, m->wire.socket, NULL);
}

static void *thread_main(void *data)
{
	struct mapseal *m = data;
	struct epoll_event ready[4];
	int n;

	wire_lock(&m->wire);
	while (!m->agent.stop) {
		m->wire.served = true;
		/* A caller that reads now has its reply handed by us, if it comes to us. */
		wire_unlock(&m->wire);
		n = epoll_wait(m->agent.epoll, ready, 4, -1);
		wire_lock(&m->wire);
		drain(m, ready, n);
		begin(m);
		pump(m);
		/* callers may leave the socket to us as long as we need nobody else */
		if (!agent_prompt(m) && list_empty(&m->agent.events) &&
		    list_empty(&m->space.due) && !m->wire.lost) {
			m->agent.running = false;
			continue;
		}
		m->wire.served = false;
		wire_wake(&m->wire);
		run(m);
	}
	m->wire.served = false;
	wire_wake(&m->wire);
	wire_unlock(&m->wire);
	return NULL;
}

int mapseal_get_fd(struct mapseal *m)
{
	int r = connection_check(m);

	if (r < 0)
		return r;
	if (m->agent.threaded)
		return error_set(EBUSY, "The library's thread does what there is to do");
	return m->agent.epoll;
}

int mapseal_dispatch(struct mapseal *m)
{
	struct epoll_event ready[4];
	int r = connection_check(m);

	if (r < 0)
		return r;
	if (m->agent.threaded)
		return error_set(EBUSY, "The library's thread does what there is to do");
	wire_lock(&m->wire);
	if (m->agent.running) {
		r = error_set(EBUSY, "mapseal_dispatch() is running already");
	} else {
		drain(m, ready, epoll_wait(m->agent.epoll, ready, 4, 0));
		begin(m);
		pump(m);
		run(m);
		if (m->wire.lost)
			r = wire_error_lost(&m->wire);
	}
	wire_unlock(&m->wire);
	return r;
}

/* ---- life -------------------------------------------------------------------------------- */

static int watch(struct agent *agent, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(agent->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return error_set(errno, "The connection cannot be polled: %m");
	return 0;
}

int agent_init(struct mapseal *m, bool threaded)
{
	struct agent *agent = &m->agent;

	list_init(&agent->recalls);
	list_init(&agent->events);
	agent->threaded = threaded;
	agent->epoll = epoll_create1(EPOLL_CLOEXEC);
	agent->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	agent->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (agent->epoll < 0 || agent->kick < 0 || agent->timer < 0)
		return error_set(errno, "No descriptors for the connection: %m");
	if (watch(agent, agent->kick) < 0 || watch(agent, agent->timer) < 0 ||
	    watch(agent, m->wire.socket) < 0)
		return -mapseal_last_error()->error;
	return 0;
}

int agent_start(struct mapseal *m)
{
	sigset_t all, saved;
	int r;

	/* The application's signals are for its own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&m->agent.thread, NULL, thread_main, m);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r)
		return error_set(r, "No thread for the connection: error %d", r);
	pthread_setname_np(m->agent.thread, "mapseal");
	return 0;
}

void agent_stop(struct mapseal *m)
{
	if (!m->agent.threaded)
		return;
	wire_lock(&m->wire);
	m->agent.stop = true;
	agent_kick(m);
	wire_unlock(&m->wire);
	pthread_join(m->agent.thread, NULL);
}

void agent_deinit(struct mapseal *m)
{
	struct agent *agent = &m->agent;

	while (!list_empty(&agent->events))
		event_free(list_entry(list_first(&agent->events), struct agent_event, link));
	agent->epoll = fd_close(agent->epoll);
	agent->kick = fd_close(agent->kick);
	agent->timer = fd_close(agent->timer);
}
