/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Guards: how the supervisor hears of strangers, programs that have never heard of it.
 *
 * The kernel holds a stranger that is about to do something with a sealed file; GUARD_EVENT_HELD
 * says what, and the stranger sleeps in its system call until guard_answer(). What disturbs no seal
 * is answered on the guard's own thread, from an index of the seals that guard_seal_add() fills, so
 * that it waits neither for the control thread nor for anybody's recall. Who disturbs whom is the
 * core's conflict table; of the rest of the core, of sessions and of the protocol the guard knows
 * nothing.
 *
 *	fanotify     an operation is held by itself, with its range, and can be denied. Linux
 *		     6.14, ext4, XFS, btrfs. A file open before it was armed is not heard of.
 *	lease	     an open, or a truncation by name, is held as a whole and by nobody's name.
 *		     It can't be denied: any answer lets it go on, and after the kernel's own
 *		     time (guard_limit_ms()) it goes on without. Seals that deny are weak here.
 *	cooperative  nothing is heard of.
 *
 * What the kernel does to a file by itself makes no event. For a loop device that is heard of too late
 * to hold anybody: guard_attached().
 *
 * What was let go begins then, and may end much later. So each operation that was let go, whether
 * it had disturbed anybody or not, taints the object where it may land, until its end is proved: by
 * its thread, seen outside of that system call, or by a lease, which the kernel grants only if
 * nobody else has the file open. Outsiders, who had it open when it was armed, are a taint like any
 * other, and so is a lease that had to be given up. A seal that is added where a taint disturbs it
 * is told so (GUARD_TAINTED), and GUARD_EVENT_SETTLED follows if and when the last of them ended.
 *
 * Events come out of guard_next() on the control thread, when guard_get_fd() polls readable. All
 * functions here are for that thread, return at once and make no system call that another process
 * could delay. Ranges are bytes [start, end); CORE_INFINITY is past any size.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/core/core.h"

struct guard;

enum guard_level { GUARD_COOPERATIVE, GUARD_LEASE, GUARD_FANOTIFY };

/* The part that takes CAP_SYS_ADMIN, to be called before that is given up: a descriptor for
 * guard_config.group, or -1 where fanotify is missing, or the right to it. */
int guard_open_group(void);

struct guard_config {
	int group;		    /* taken over; -1: there is no fanotify */
	enum guard_level strongest; /* less than FANOTIFY: behave as where that is missing */
	/* Strangers held at a time; one more gets EBUSY, and so does one of a uid that has half of
	 * what the others leave free. */
	uint32_t max_held;
};

/* -ENOMEM, -EMFILE and the like. guard_level() says what there is at best. */
int guard_new(const struct guard_config *config, struct guard **ret);

/* Strangers that are held are let go. NULL is allowed. */
struct guard *guard_free(struct guard *guard);

enum guard_level guard_level(const struct guard *guard);

int guard_get_fd(const struct guard *guard);

/* ---- objects ----------------------------------------------------------------------------- */

enum guard_writable_opens {
	GUARD_OPENS_HOLD,  /* to open the file for writing is a change of the whole layout */
	GUARD_OPENS_WATCH, /* opens pass, unless they truncate; each operation is looked at */
};

/*
 * Begins to listen. @fd is the supervisor's own open description of the file, and its only one: the
 * guard duplicates it. Anything done through it is unseen by the guard; opens by threads of this
 * process are seen and allowed, but at level LEASE they would have to wait for ourselves: there a
 * file is opened once, and never again while it is armed.
 *
 * Again for the same object: with another description, before the old one is closed (a read-only
 * one may be replaced like that at level FANOTIFY), or, at level FANOTIFY, with another policy. Seals
 * stay. At level LEASE the lease is on the description: whoever waits for it goes on.
 *
 * -ENOMEM, -EMFILE; a file that can't be guarded is no error but COOPERATIVE.
 */
int guard_arm(struct guard *guard, uint64_t object, int fd, enum guard_writable_opens opens,
	      enum guard_level *ret_level);

/* The last seal went: strangers held on its account are let go; their tickets still want an
 * answer. */
void guard_disarm(struct guard *guard, uint64_t object);

struct guard_state {
	enum guard_level level;
	bool weak;     /* somebody may have the file open whom we shall not hear of */
	uint32_t held; /* strangers, now */
	uint64_t lost; /* how often it could not be answered for any more; grows */
};

bool guard_state(struct guard *guard, uint64_t object, struct guard_state *ret);

/*
 * The file is behind a loop device now: what goes through that makes no event. Whose seals it disturbs
 * is asked for by GUARD_EVENT_HELD, as if somebody were held, and the object is weak until a lease
 * shows that nobody has the file any more. A file that is not armed is nobody's business.
 *
 * If it is not known which file it was: each one that was changed since a stranger was let open it for
 * writing who can make such a device.
 */
void guard_attached(struct guard *guard, dev_t dev, ino_t ino, bool writes, const char *device);
void guard_attached_any(struct guard *guard);

/* At level LEASE every deadline and hard limit has to stay under this; else 0. */
uint32_t guard_limit_ms(const struct guard *guard, enum guard_level level);

/* GUARD_EVENT_OUTSIDERS follows: who has the file open, as far as /proc tells. A mapping whose
 * descriptor was closed is not found: that would mean to wait for locks that strangers hold.
 * -ENOMEM: no event follows. */
int guard_outsiders(struct guard *guard, uint64_t object);

/* ---- seals ------------------------------------------------------------------------------- */

enum guard_answer {
	GUARD_TAINTED = 1, /* what was let go may still land there; GUARD_EVENT_SETTLED follows */
};

struct guard_seal {
	uint64_t id, object;
	uint64_t start, end;
	enum core_kind kind;
	enum core_mode mode;
	bool pinnable;
};

/*
 * From now on strangers are held for this seal; if it is GUARD_TAINTED, from the moment that makes
 * GUARD_EVENT_SETTLED, or from guard_seal_insist(). Until then they go on, for they may have begun:
 * one operation can make several events, and is not to be held against what waits for its end. A
 * seal that is there already gets the new range and is not looked at for taints again.
 *
 * 0, GUARD_TAINTED, -ENOMEM, -ENOENT (the object is not armed).
 */
int guard_seal_add(struct guard *guard, const struct guard_seal *seal);

/* It is granted although it is tainted, and weak as long as GUARD_EVENT_SETTLED has not come. */
void guard_seal_insist(struct guard *guard, uint64_t seal);
void guard_seal_remove(struct guard *guard, uint64_t seal);

/* ---- events ------------------------------------------------------------------------------ */

enum guard_event_type {
	GUARD_EVENT_HELD,      /* everything but seal and pids */
	GUARD_EVENT_GONE,      /* ticket: it was killed while it was held; wants its answer still */
	GUARD_EVENT_SETTLED,   /* object, seal */
	GUARD_EVENT_OUTSIDERS, /* object, pids: the first ones */
};

#define GUARD_PIDS_MAX 8

struct guard_event {
	enum guard_event_type type;
	uint64_t object, seal;
	uint64_t ticket;
	enum core_want want;
	uint64_t start, end;
	const char *operation; /* for people: "truncate", "open for writing" */
	bool undeniable;       /* it goes on whatever is answered */
	pid_t tid, pid;	       /* 0 where nobody knows: leases, other pid namespaces */
	uid_t uid;	       /* (uid_t)-1 then */
	char comm[16];	       /* with pid 0: a device, or "" */
	pid_t pids[GUARD_PIDS_MAX];
	uint32_t n_pids; /* may be more than there is room for */
};

bool guard_next(struct guard *guard, struct guard_event *ret);

enum guard_verdict {
	GUARD_ALLOW,
	GUARD_DENY_TXTBSY, /* a hard seal */
	GUARD_DENY_BUSY,   /* the younger break of a cycle */
	GUARD_DENY_IO,	   /* a read of what could not be written out */
};

/* Each ticket is answered once. */
void guard_answer(struct guard *guard, uint64_t ticket, enum guard_verdict verdict);

struct guard_stats { /* since the start; armed, seals, held are of now */
	uint64_t events, own, allowed, held_total, denied, gone, lost, settled, leases_broken;
	uint64_t armed, seals, held;
};

void guard_stats(struct guard *guard, struct guard_stats *ret);
