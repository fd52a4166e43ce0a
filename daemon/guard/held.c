/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Strangers that are held: from the event to the answer.
 *
 * An event is answered by the number of its descriptor. The descriptor itself is closed as soon as
 * the file was looked at, for it would count as an opener in every lease; what takes its number is
 * a copy of the stand-in, so that no other event gets the same one.
 *
 * What is let go is in the taint before the answer is written. In between the control thread may
 * have given the range away, a lease may have been proved, or the object be disarmed: all that
 * happens under the lock, and the answer is written under it too.
 *
 * What the kernel does to a file by itself is told to the control thread in the same way, with
 * nobody who waits for the answer.
 *
 * A lease has one break of each kind at a time, and no answer but to give way; a reader who can't
 * pass without a writer waits for what the writer has to wait for. A thread that was killed while
 * it was held begins nothing. Its ticket lives on until it is answered, as any other does.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/guard/fan.h"
#include "daemon/guard/proc.h"
#include "daemon/guard/state.h"
#include "util/cleanup.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

struct held *held_new(bool with_flight)
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	held->number = held->pidfd = -1;
	held->notice.event.uid = (uid_t)-1;
	list_init(&held->link);
	list_init(&held->notice.link);
	list_init(&held->notice_gone.link);
	if (with_flight) {
		held->flight = flight_new();
		if (!held->flight)
			return held_free(held);
	}
	return held;
}

struct held *held_free(struct held *held)
{
	if (!held)
		return NULL;
	fd_close(held->number);
	fd_close(held->pidfd);
	flight_free(held->flight);
	free(held);
	return NULL;
}

/* A thread can end without its process, when another one of it calls exec. */
static void watch(struct guard *guard, struct held *held)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = held->node.id };

	if (held->tid <= 0)
		return;
	held->pidfd = (int)syscall(SYS_pidfd_open, held->tid, PIDFD_THREAD);
	if (held->pidfd >= 0)
		epoll_ctl(guard->poll_fd, EPOLL_CTL_ADD, held->pidfd, &event);
}

void held_tell(struct guard *guard, struct object *object, struct held *held,
	       const struct operation *shown)
{
	struct guard_event *event = &held->notice.event;

	held->object = object;
	list_append(&object->held, &held->link);
	idmap_insert(&guard->tickets, &held->node, ++guard->next_ticket);
	object->n_held++;
	guard->n_held += !held->nobody; /* the limit is of threads */
	guard->stats.held_total++;
	event->type = GUARD_EVENT_HELD;
	event->object = object->node.id;
	event->ticket = held->node.id;
	event->want = shown->want;
	event->start = shown->start;
	event->end = shown->end;
	event->operation = shown->name;
	event->tid = held->tid;
	event->undeniable = held->number < 0;
	held->notice_gone.event = (struct guard_event){
		.type = GUARD_EVENT_GONE,
		.object = object->node.id,
		.ticket = held->node.id,
	};
	if (held->number >= 0)
		watch(guard, held);
	notice_post(guard, &held->notice);
}

void held_gone(struct guard *guard, uint64_t ticket)
{
	struct idmap_node *n = idmap_find(&guard->tickets, ticket);
	struct held *held = n ? container_of(n, struct held, node) : NULL;

	if (!held || held->gone)
		return;
	held->gone = true;
	held->pidfd = fd_close(held->pidfd);
	guard->stats.gone++;
	if (held->object)
		notice_post(guard, &held->notice_gone);
}

static void give_way(struct guard *guard, struct object *object, bool to_readers)
{
	enum lease left = lease_yield(object->fd, guard->prover_tid, guard->signal, to_readers);

	if (left == LEASE_NOBODY) {
		held_break(guard, object, true);
		return;
	}
	object_lease(guard, object, left);
	prove_soon(guard, object);
}

void held_break(struct guard *guard, struct object *object, bool writer)
{
	bool *waits = writer ? &object->broken_by_writer : &object->broken_by_reader;
	struct operation op = {
		.want = writer ? CORE_WANT_LAYOUT : CORE_WANT_FOREIGN_MAP,
		.end = CORE_INFINITY,
		.name = writer ? "open for writing, or truncate" : "open for reading",
	};
	struct held *held;

	if (*waits || object->broken_by_writer)
		return; /* readers pass with the writer */
	guard->stats.leases_broken++;
	held = index_disturbs(object, &op, 0) ? held_new(false) : NULL;
	if (!held) {
		give_way(guard, object, !writer);
		return;
	}
	held->op = op;
	*waits = true;
	held_tell(guard, object, held, &op);
}

void held_nobody(struct guard *guard, struct object *object, const struct operation *op,
		 const char *device)
{
	struct operation shown = *op;
	struct held *held;

	if (!index_disturbs(object, &shown, 0))
		return;
	held = held_new(false);
	if (!held)
		return; /* weak seals, and nobody asked: as if it had been there before them */
	held->op = *op;
	held->nobody = true;
	snprintf(held->notice.event.comm, sizeof(held->notice.event.comm), "%s", device);
	held_tell(guard, object, held, &shown);
}

static void answer_lease(struct guard *guard, struct object *object, const struct held *held)
{
	bool reader = held->op.want == CORE_WANT_FOREIGN_MAP;

	if (reader)
		object->broken_by_reader = false;
	else
		object->broken_by_writer = false;
	if (!object->broken_by_writer)
		give_way(guard, object, reader);
}

/* Begins what was held, or denies it. */
static void end(struct guard *guard, struct held *held, int denial)
{
	struct object *object = held->object;

	held->object = NULL;
	list_unlink(&held->link);
	object->n_held--;
	guard->n_held -= !held->nobody;
	share_refund(guard, take_ptr(held->share));
	guard->stats.denied += denial != 0;
	if (held->nobody)
		return;
	if (held->number < 0) {
		answer_lease(guard, object, held);
		return;
	}
	if (!denial && !held->gone) {
		object->writers |= held->op.opens;
		attached_opened(object, held);
		if (held->flight && !object->hears_ends) {
			fan_mark_ends(guard->group, object->fd, true);
			object->hears_ends = true;
		}
		taint_let_go(&guard->threads, &object->taint, &held->op, held->size,
			     take_ptr(held->flight), held->tid, &held->call);
		prove_soon(guard, object);
	}
	fan_answer(guard->group, held->number, denial);
	held->number = fd_close(held->number);
}

void held_release(struct guard *guard, struct object *object)
{
	list_for_each (l, &object->held)
		end(guard, list_entry(l, struct held, link), 0);
}

void guard_answer(struct guard *guard, uint64_t ticket, enum guard_verdict verdict)
{
	static const int errno_of[] = {
		[GUARD_ALLOW] = 0,
		[GUARD_DENY_TXTBSY] = ETXTBSY,
		[GUARD_DENY_BUSY] = EBUSY,
		[GUARD_DENY_IO] = EIO,
	};
	struct idmap_node *n;

	pthread_mutex_lock(&guard->lock);
	n = idmap_find(&guard->tickets, ticket);
	if (n) {
		struct held *held = container_of(n, struct held, node);

		if (held->object)
			end(guard, held, errno_of[verdict]);
		notice_drop(&held->notice);
		notice_drop(&held->notice_gone);
		idmap_remove(&guard->tickets, &held->node);
		held_free(held);
	}
	pthread_mutex_unlock(&guard->lock);
}
