/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Between the control thread and the pager's: jobs one way, events the other.
 */

#include <pthread.h>
#include <stdbool.h>

#include "daemon/pager/pager.h"
#include "util/list.h"

struct notice { /* an event, with the memory it needs to be told */
	struct list link;
	struct pager_event event;
};

/* A job and everything that its end needs, so that ending can't fail. */
struct job {
	struct list link;
	struct pager_job job;
	struct notice *done, *committed;

	void *machine; /* FENCE, REGRANT: what it is while it is under way, freed with the job */

	/* FENCE: what force.c needs; the flags are under the lock. */
	struct list registered;
	pthread_mutex_t lock;
	bool over;	/* the event is out */
	bool protected; /* no thread of the holder can write any more */
	bool keeping;	/* its bytes are being copied into the quarantine */
	bool forced;	/* it was to be forced meanwhile */
};

struct job *job_new(const struct pager_job *job);
struct job *job_free(struct job *job);

struct queue {
	pthread_mutex_t lock;
	struct list items;
	int fd;	   /* eventfd: readable while there are items, or soon */
	bool told; /* it was written and not read since, or is about to be */
};

int queue_init(struct queue *queue);
void queue_deinit(struct queue *queue);

/* @link is of a struct job or a struct notice; each queue has one of them only. */
void queue_push(struct queue *queue, struct list *link);

/* The two halves of it, for many at once: whoever takes may not hear of @link before
 * queue_wake(). That one uses the queue after items of it may have been taken. */
void queue_add(struct queue *queue, struct list *link);
void queue_wake(struct queue *queue);

/* NULL when there is nothing. */
struct list *queue_pop(struct queue *queue);
