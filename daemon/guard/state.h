/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The guard from inside.
 *
 *	control thread	 guard.c, object.c, seal.c: what the supervisor calls
 *	police thread	 police.c: reads fanotify's events, lets go what disturbs nobody
 *	prover thread	 prover.c: hears of broken leases; sees if what was let go is over
 *
 * One lock covers everything below but what says otherwise. It is never held over a call that waits
 * for another process. In particular no lease is held while it is waited for: opening the
 * descriptor of an event would then wait for us.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon/core/interval.h"
#include "daemon/guard/guard.h"
#include "daemon/guard/lease.h"
#include "daemon/guard/taint.h"
#include "util/idmap.h"
#include "util/list.h"

#define SEAL_CLASSES  8
#define PROVE_LEVELS  11 /* DEADLINE_PROVE_NS, doubled, to DEADLINE_PROVE_MAX_NS */

struct notice { /* an event on its way to the control thread; not linked: none */
	struct list link;
	struct guard_event event;
	bool on_heap;
};

struct object {
	struct idmap_node node;	 /* by id; id 0: not armed, kept for what was let go */
	struct idmap_node by_fd; /* level LEASE: how a signal names it */
	struct list inode_link;
	dev_t dev;
	ino_t ino;
	int fd;
	enum guard_level level;
	enum guard_writable_opens opens;
	enum lease lease;			 /* held now, at level LEASE */
	uint64_t lost;
	bool outsiders;				 /* somebody had it open when it was armed */
	bool writers;				 /* somebody may have it open for writing */
	bool openers;				 /* one that can make a loop device was let do so */
	struct timespec changed;		 /* the file's ctime then */
	bool broken_by_reader, broken_by_writer; /* level LEASE: breaks that wait for an answer */
	bool hears_ends;			 /* level FANOTIFY: fan_mark_ends() */

	struct interval_tree seals[SEAL_CLASSES];
	uint32_t n_seals;
	struct list waiting; /* seals that were told they are tainted */
	uint64_t round;	     /* so often all of them have been looked at */
	struct list held;
	uint32_t n_held;

	struct taint taint;
	struct list prove_link; /* one of guard->prove */
	uint64_t prove_at;	/* CLOCK_MONOTONIC, ns */
	unsigned int prove_level;
	unsigned int pins; /* it is being looked at without the lock */
};

struct seal {
	struct idmap_node node;
	struct interval interval;
	struct list waiting;
	uint64_t round; /* the last one it was looked at in, plus one */
	struct object *object;
	bool in_force; /* it is in a tree of the object's */
	struct guard_seal seal;
	struct notice settled;
};

struct share; /* of its uid, see share.c */

/* A stranger in the kernel, or one that was. */
struct held {
	struct idmap_node node; /* by ticket */
	struct list link;	/* object->held; alone: let go without an answer */
	struct object *object;	/* NULL then */
	struct operation op;
	struct operation_call call;
	struct flight *flight;
	uint64_t size;
	int number; /* the event's; -1: a lease, or nobody */
	bool nobody; /* what it disturbs is asked for, and that is all */
	bool may_attach;	 /* see attached.c */
	struct timespec changed; /* the file's ctime at the event */
	int pidfd;
	pid_t tid;
	struct share *share; /* NULL: a lease, or not counted any more */
	bool gone;
	struct notice notice, notice_gone;
};

struct guard {
	struct guard_config config;
	pthread_mutex_t lock;
	enum guard_level level;

	struct list *inodes; /* buckets, a power of two */
	size_t n_inodes, n_objects;
	struct idmap objects, by_fd, seals, tickets, shares;
	uint64_t next_ticket;
	uint32_t n_held;
	struct taint_threads threads;
	struct list prove[PROVE_LEVELS]; /* each in order of time */
	struct guard_stats stats;

	struct list notices;
	int notices_fd; /* eventfd: readable while there are any */
	bool told;

	int group;	 /* fanotify; -1 without */
	int stand_in; /* keeps the number of an event whose descriptor was closed */
	int own_tasks;	 /* /proc/self/task */
	int stop_fd;	 /* eventfd: the police thread is to end */
	int poll_fd;	 /* epoll: group, stop_fd, pidfds */
	pthread_t police;
	bool police_runs;

	int prove_fd; /* eventfd: there is more to do */
	int signal;
	pid_t prover_tid;
	pthread_t prover;
	pthread_cond_t started; /* prover_tid is there; negative: it failed */
	bool prover_runs;
	atomic_bool stop;
	struct list outsiders; /* struct outsiders_job */
	gid_t loop_group;      /* who may use loop devices, besides root; -1: nobody */
	size_t attached_at;    /* the next bucket to look at; SIZE_MAX: none */
};

/* index.c */
unsigned int seal_class(const struct guard_seal *seal);
struct object *object_by_inode(struct guard *guard, dev_t dev, ino_t ino);
struct object *object_by_id(struct guard *guard, uint64_t id);
/* Makes it one that is found by its inode. */
int inode_add(struct guard *guard, struct object *object);
void inode_remove(struct guard *guard, struct object *object);
/* Narrows *op to what disturbs seals of @object. false: nothing does. */
bool index_disturbs(const struct object *object, struct operation *op, uint64_t size);

/* object.c */
/* What a lease has shown. */
void object_lease(struct guard *guard, struct object *object, enum lease lease);
/* Frees what nobody refers to any more. */
void object_reap(struct guard *guard, struct object *object);

/* held.c */
struct held *held_new(bool with_flight);
struct held *held_free(struct held *held); /* one that was not told */
/* It is the control thread's to answer now. @shown: what of the operation disturbs. */
void held_tell(struct guard *guard, struct object *object, struct held *held,
	       const struct operation *shown);
void held_gone(struct guard *guard, uint64_t ticket);
/* The lease is broken: asks whoever is disturbed by that, or gives way. */
void held_break(struct guard *guard, struct object *object, bool writer);
/* It goes on already: asks whoever is disturbed by that. */
void held_nobody(struct guard *guard, struct object *object, const struct operation *op,
		 const char *device);
/* All of an object, without an answer. */
void held_release(struct guard *guard, struct object *object);

/* share.c */
/* One more of @uid is to be held. NULL: it has its share already, or there is no memory. */
struct share *share_charge(struct guard *guard, uid_t uid);
void share_refund(struct guard *guard, struct share *share); /* NULL is allowed */

/* notice.c */
void notice_post(struct guard *guard, struct notice *notice);
void notice_drop(struct notice *notice);

/* prove.c */
/* Whatever the object waits for, it is looked at again in a millisecond, then ever less often. */
void prove_soon(struct guard *guard, struct object *object);
/* The same, if there is much to look at and nobody does. */
void prove_many(struct guard *guard, struct object *object);
/* All that is due; returns when the next is, ns. Takes the lock. */
uint64_t prove_due(struct guard *guard);
/* Looks at some of the object's seals that wait, and tells those that nothing disturbs any more.
 * False: there are others, whose turn is next. */
bool prove_settle(struct guard *guard, struct object *object, unsigned int at_most);

/* The prover has something to do. */
void prove_kick(struct guard *guard);
/* A lease, tried now. */
void prove_lease(struct guard *guard, struct object *object);

/* police.c, prover.c */
void *police_thread(void *data);
void *prover_thread(void *data);

/* attached.c */
/* Whose group may use loop devices. */
gid_t attached_group(void);
/* Whether it can make a loop device of what it is about to open. */
bool attached_may(const struct guard *guard, pid_t tid);
/* What was held, or not, is let open the file for writing. */
void attached_opened(struct object *object, const struct held *held);
/* Looks for files that may be behind a device; true: there are more. */
bool attached_run(struct guard *guard);

/* outsiders.c */
/* Looks a little further for who has a file open. False: there is no more to look at. */
bool outsiders_run(struct guard *guard);
void outsiders_free(struct guard *guard);
