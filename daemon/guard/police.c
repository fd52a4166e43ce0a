/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The police thread: reads what the kernel holds, and lets go at once what disturbs nobody.
 *
 * Every access of anybody to a file with seals passes here, so nothing is done here that waits for
 * another process. What is looked up is the seals of the file, and the system call of the thread
 * that is held; more only of what may write. An operation of our own process is let go as it is.
 *
 * The event is there before its thread sleeps, and as long as it does not, /proc says "running".
 * It will in a moment, or was killed, so it is left for later while others are served. Only what
 * still has not slept after many tries is taken for the worst that it can be.
 *
 * The queue of events has no limit, so none is lost; should the kernel say so all the same,
 * everything counts as tainted by outsiders.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/deadline.h"
#include "daemon/guard/fan.h"
#include "daemon/guard/proc.h"
#include "daemon/guard/state.h"
#include "util/cleanup.h"

#define AWAKE_AT_ONCE  8
#define SETTLE_AT_ONCE 16 /* what an event may cost; the prover looks at the others */

struct awake { /* a thread that does not sleep yet */
	struct list link;
	struct fan_event event;
	struct stat st;
	unsigned int tries;
};

struct police {
	struct guard *guard;
	struct list awake;
	struct proc_seen seen;
};

static bool is_own(const struct guard *guard, pid_t tid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", tid);
	return tid > 0 && faccessat(guard->own_tasks, name, F_OK, 0) == 0;
}

static void answer(struct guard *guard, const struct fan_event *event, int denial)
{
	fan_answer(guard->group, event->fd, denial);
	close(event->fd);
}

static void allow(struct guard *guard, const struct fan_event *event, uint64_t *count)
{
	pthread_mutex_lock(&guard->lock);
	++*count;
	pthread_mutex_unlock(&guard->lock);
	answer(guard, event, 0);
}

static enum operation_text look_at_call(struct proc_seen *seen, pid_t tid,
					struct operation_call *ret)
{
	enum operation_text text;
	bool gone;

	*ret = (struct operation_call){ 0 };
	text = proc_call(seen, tid, AWAKE_AT_ONCE, ret, &gone);
	ret->worker = text == OPERATION_TEXT_CALL && !ret->known && proc_is_worker(tid);
	return text;
}

static void decode(const struct fan_event *event, const struct stat *st,
		   enum guard_writable_opens opens, bool writers, const struct operation_call *call,
		   struct operation *ret)
{
	struct operation_file files[OPERATION_FILES] = { { 0 } };
	struct operation_event what = {
		.open = event->open,
		.ranged = event->ranged,
		.start = event->start,
		.count = event->count,
		.size = (uint64_t)st->st_size,
		.opens = opens,
		.writers = writers,
	};
	int fds[OPERATION_FILES], n = operation_needs(&what, call, fds);

	for (int i = 0; i < n; i++)
		files[i] = proc_file(event->tid, fds[i], st->st_ino);
	operation_decode(&what, call, files, ret);
}

static void fill_who(struct held *held)
{
	struct guard_event *event = &held->notice.event;
	struct proc_who who = { .uid = (uid_t)-1 };

	proc_who(held->tid, &who);
	event->pid = who.pid;
	event->uid = who.uid;
	memcpy(event->comm, who.comm, sizeof(event->comm));
}

enum judgement { LET_GO, HELD, DENIED, WHO };

/* WHO: it is to be held, and whoever is asked wants to know who it is, which takes a while. */
static enum judgement judge_now(struct guard *guard, const struct fan_event *event,
				const struct stat *st, struct held *held, bool know_who)
{
	struct object *object = object_by_inode(guard, st->st_dev, st->st_ino);
	struct operation *op = &held->op, shown = held->op;

	if (!object || object->level != GUARD_FANOTIFY)
		return LET_GO;
	if (!index_disturbs(object, &shown, held->size)) {
		guard->stats.allowed++;
		object->writers |= op->opens;
		attached_opened(object, held);
		taint_let_go(&guard->threads, &object->taint, op, held->size,
			     taint_needs_flight(&object->taint, op) ? take_ptr(held->flight) : NULL,
			     held->tid, &held->call);
		prove_many(guard, object);
		return LET_GO;
	}
	if (!know_who)
		return WHO;
	held->share = share_charge(guard, held->notice.event.uid);
	if (!held->share)
		return DENIED;
	if (dup3(guard->stand_in, event->fd, O_CLOEXEC) < 0) {
		share_refund(guard, take_ptr(held->share));
		return DENIED;
	}
	held->number = event->fd;
	held_tell(guard, object, held, &shown);
	return HELD;
}

/* What is left of the event: it is held, or let go. */
static void judge(struct guard *guard, const struct fan_event *event, const struct stat *st,
		  const struct operation *op, const struct operation_call *call)
{
	struct held *held = held_new(op->flight);
	enum judgement judgement = DENIED;

	if (held) {
		held->op = *op;
		held->call = *call;
		held->size = (uint64_t)st->st_size;
		held->tid = event->tid;
		held->changed = st->st_ctim;
		held->may_attach = op->opens && attached_may(guard, event->tid);
	}
	for (bool know_who = false; held; know_who = true) {
		pthread_mutex_lock(&guard->lock);
		judgement = judge_now(guard, event, st, held, know_who);
		guard->stats.denied += judgement == DENIED;
		pthread_mutex_unlock(&guard->lock);
		if (judgement != WHO)
			break;
		fill_who(held);
	}
	if (judgement == HELD)
		return;
	answer(guard, event, judgement == DENIED ? EBUSY : 0);
	held_free(held);
}

/* What is known of the file: false: nobody wants to hear of it. */
static bool look_up(struct guard *guard, const struct stat *st, enum guard_writable_opens *ret_opens,
		    bool *ret_writers)
{
	const struct object *object;
	bool listened;

	pthread_mutex_lock(&guard->lock);
	object = object_by_inode(guard, st->st_dev, st->st_ino);
	listened = object && object->level == GUARD_FANOTIFY;
	if (listened) {
		*ret_opens = object->opens;
		*ret_writers = object->writers;
	} else {
		guard->stats.allowed++;
	}
	pthread_mutex_unlock(&guard->lock);
	return listened;
}

/* It disturbs nobody now, and leaves nothing that could later. */
static bool passes(struct guard *guard, const struct fan_event *event, const struct stat *st,
		   const struct operation *op, const struct operation_call *call)
{
	const struct object *object;
	struct operation shown = *op;
	bool passes = !op->opens && !taint_leaves(op);

	pthread_mutex_lock(&guard->lock);
	if (call)
		taint_thread_seen(&guard->threads, event->tid, call->known ? call : NULL);
	object = object_by_inode(guard, st->st_dev, st->st_ino);
	passes = passes && !(object && index_disturbs(object, &shown, (uint64_t)st->st_size));
	guard->stats.allowed += passes;
	pthread_mutex_unlock(&guard->lock);
	return passes;
}

/* Ours are in nobody's way. What we open may be handed out, to the holder of a DIRECT seal; then
 * what is done with it makes events like anybody's. */
static void allow_own(struct guard *guard, const struct fan_event *event, const struct stat *st,
		      const struct operation *op)
{
	struct object *object;

	pthread_mutex_lock(&guard->lock);
	guard->stats.own++;
	object = op->opens ? object_by_inode(guard, st->st_dev, st->st_ino) : NULL;
	if (object)
		object->writers = true;
	pthread_mutex_unlock(&guard->lock);
	answer(guard, event, 0);
}

/* false: its thread does not sleep yet. */
static bool consider(struct police *police, const struct fan_event *event, const struct stat *st,
		     bool last)
{
	struct guard *guard = police->guard;
	enum guard_writable_opens opens;
	struct operation_call call;
	enum operation_text text;
	struct operation op;
	bool writers, in_call;

	if (!look_up(guard, st, &opens, &writers)) {
		answer(guard, event, 0);
		return true;
	}
	text = look_at_call(&police->seen, event->tid, &call);
	if (text == OPERATION_TEXT_RUNNING && !last)
		return false;
	in_call = text == OPERATION_TEXT_CALL || text == OPERATION_TEXT_OUTSIDE;
	decode(event, st, opens, writers, &call, &op);
	if (passes(guard, event, st, &op, in_call ? &call : NULL))
		answer(guard, event, 0);
	else if (is_own(guard, event->tid))
		allow_own(guard, event, st, &op);
	else
		judge(guard, event, st, &op, &call);
	return true;
}

static void modified(struct guard *guard, const struct fan_event *event)
{
	struct object *object;
	struct stat st;

	if (fstat(event->fd, &st) == 0) {
		pthread_mutex_lock(&guard->lock);
		object = object_by_inode(guard, st.st_dev, st.st_ino);
		if (object) {
			taint_thread_done(&guard->threads, &object->taint, event->tid);
			if (!prove_settle(guard, object, SETTLE_AT_ONCE))
				prove_soon(guard, object);
		}
		pthread_mutex_unlock(&guard->lock);
	}
	close(event->fd);
}

static void all_tainted(struct guard *guard)
{
	pthread_mutex_lock(&guard->lock);
	guard->stats.lost++;
	for (size_t i = 0; i < guard->n_inodes; i++)
		list_for_each (l, &guard->inodes[i]) {
			struct object *object = list_entry(l, struct object, inode_link);

			taint_outsiders(&object->taint, true);
			object->outsiders = object->writers = true;
			object->lost++;
		}
	pthread_mutex_unlock(&guard->lock);
}

static void take(struct police *police, const struct fan_event *event)
{
	struct awake *later;
	struct stat st;

	if (event->fd < 0) {
		all_tainted(police->guard);
		return;
	}
	if (event->modified) {
		modified(police->guard, event);
		return;
	}
	if (fstat(event->fd, &st) < 0) {
		allow(police->guard, event, &police->guard->stats.allowed);
		return;
	}
	if (consider(police, event, &st, false))
		return;
	later = calloc(1, sizeof(*later));
	if (!later) {
		consider(police, event, &st, true);
		return;
	}
	later->event = *event;
	later->st = st;
	list_append(&police->awake, &later->link);
}

static void take_awake(struct police *police)
{
	list_for_each (l, &police->awake) {
		struct awake *later = list_entry(l, struct awake, link);

		if (!consider(police, &later->event, &later->st,
			      ++later->tries > DEADLINE_AWAKE_TRIES))
			continue;
		list_unlink(l);
		free(later);
	}
}

static void count_events(struct guard *guard, uint64_t n)
{
	pthread_mutex_lock(&guard->lock);
	guard->stats.events += n;
	pthread_mutex_unlock(&guard->lock);
}

static void read_events(struct police *police)
{
	char buffer[4096] __attribute__((aligned(8)));
	struct guard *guard = police->guard;
	ssize_t n;

	do {
		const char *at = buffer, *end;
		struct fan_event event;
		uint64_t taken = 0;

		n = read(guard->group, buffer, sizeof(buffer));
		end = buffer + (n > 0 ? n : 0);
		for (; fan_next(&at, end, &event); taken++)
			take(police, &event);
		count_events(guard, taken);
		/* An error is of one event, which was denied: its file can't be opened, or we have
		 * no descriptors left. */
	} while (n > (ssize_t)sizeof(buffer) / 2 ||
		 (n < 0 && errno != EAGAIN && errno != EBADF && !atomic_load(&guard->stop)));
}

void *police_thread(void *data)
{
	struct guard *guard = data;
	struct police police = { .guard = guard };

	list_init(&police.awake);
	while (!atomic_load(&guard->stop)) {
		struct epoll_event events[16];
		int n = epoll_wait(guard->poll_fd, events, 16,
				   list_empty(&police.awake) ? -1 : DEADLINE_AWAKE_MS);

		take_awake(&police);
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 == 0) {
				read_events(&police);
				continue;
			}
			pthread_mutex_lock(&guard->lock);
			held_gone(guard, events[i].data.u64);
			pthread_mutex_unlock(&guard->lock);
		}
	}
	list_for_each (l, &police.awake) {
		struct awake *later = list_entry(l, struct awake, link);

		allow(guard, &later->event, &guard->stats.allowed);
		free(later);
	}
	proc_seen_deinit(&police.seen);
	return NULL;
}
