/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the parts of the core know of each other. Nobody outside daemon/core includes this.
 *
 *	process ─< holder ─< seal >─ object
 *	                      │ recall ─< entry >─ request      (who waits for which seal)
 *	                      │ job                             (what the mechanism does to it)
 *
 * Who may change what: seal.c the index of seals, request.c the line, recall.c the recall and the
 * process's count of what was asked, fence.c the jobs. An entry is the meeting point: request.c and
 * recall.c both hold one end of it, and account.c is what lets go.
 *
 * The time of the current call is core->now; nothing happens between calls.
 */

#include "daemon/core/conflict.h"
#include "daemon/core/core.h"
#include "daemon/core/deadline.h"
#include "daemon/core/interval.h"
#include "daemon/core/seq.h"
#include "daemon/core/timer.h"
#include "util/idmap.h"
#include "util/list.h"

struct process {
	struct idmap_node node;
	size_t refs;
	size_t blocked;	     /* how many of its threads a guard holds */
	size_t n_asked;	     /* cooperative seals that are to come back, and have not */
	struct list recalls; /* struct recall: all of its seals */
	struct list guards;  /* struct request: GUARD breaks of its threads */
	uint64_t visit;	     /* cycle.c */
	struct request *via;
};

struct holder {
	struct idmap_node node;
	struct core_holder_info info;
	struct process *process;
	struct list seals; /* oldest grant first */
	size_t n_seals;
	struct list requests;
	struct list asks;
	struct timer trim; /* recall-any.c */
	uint32_t keep;
	bool gone; /* the id is dead; the rest lives as long as its last seal */
};

struct object {
	struct idmap_node node;
	struct list link;
	struct core_object_info info;
	struct interval_tree seals, line;
	struct list watchers; /* struct request: WANT_AVAIL */
	struct list changed;  /* something there was freed in this call */
	struct core_policy policy;
};

struct seal {
	struct idmap_node node;
	struct interval range;
	uint64_t window, granted_at;
	struct holder *holder;
	struct object *object;
	struct recall *recall;	/* somebody waits for it */
	struct job *job;	/* a fence is under way */
	struct request *parked; /* where it waits in line, if it does */
	struct settle *settle;	/* it is not yet certain */
	struct list link;	/* holder->seals */
	uint32_t seq;
	uint16_t flags; /* CORE_F_* of the acquire */
	uint8_t mode, kind;
	bool is_parked;
};

struct settle {
	struct timer timer;
	struct seal *seal;
};

/* What a seal may cost: itself, its share of the id map's table, the allocator's word or two. */
#define SEAL_BYTES (sizeof(struct seal) + 2 * sizeof(void *) + 16)
_Static_assert(SEAL_BYTES <= 256, "a million seals should fit 256 MB");

enum recall_phase {
	RECALL_IDLE, /* nobody needs to be asked: a flush, or a fence that is under way anyway */
	RECALL_DUE,  /* to be asked, but not yet: minimum hold, others of its process first */
	RECALL_ASKED,
};

struct recall {
	struct seal *seal;
	struct timer timer; /* DUE: when to ask; ASKED: the deadline */
	struct list entries;
	struct list process_link;
	uint64_t sent_at, deadline, hard;
	uint64_t start, end; /* what has been asked for so far, a hull */
	uint64_t by;	     /* the request that caused the asking */
	enum recall_phase phase;
	enum core_answer answer;
	bool counted;  /* in process->n_asked */
	bool deferred; /* transparent, and waits for the cooperative ones of its process */
	bool sent;     /* the holder has heard of it */
};

struct job {
	struct idmap_node node;
	struct timer timer; /* FENCE: when to force it; RETURN: when to revoke instead */
	struct seal *seal;  /* FENCE; NULL once a later fence overtook it, and then: */
	uint64_t was_seal, was_holder, was_object;
	uid_t was_uid;
	struct entry *entry; /* FLUSH */
	enum core_cause cause;
	enum core_result result; /* what the account says when it is done */
	uint64_t start, end, since;
	uint64_t parked_order; /* where to go on waiting after a return that leaves something */
	bool whole;
	bool hurried; /* the timer was set; it may have fired */
};

/* One line of an account, and while that line is pending, what ties its request to its seal. */
struct entry {
	struct core_account_entry line;
	struct request *request;
	struct seal *seal; /* NULL: over */
	struct list seal_link;
	struct ask *ask;
	struct list ask_link;
	struct job *flush;
	bool wants_flush;
};

/* A recall of a scope wider than a range: one message for all seals of a holder. */
struct ask {
	struct timer timer;
	struct request *request;
	struct holder *holder;
	struct list holder_link;
	struct list fresh_link; /* core->asks: made or widened in this call */
	struct list entries;
	uint64_t due;
	bool sent;
};

enum request_type {
	REQUEST_ACQUIRE,
	REQUEST_PARKED, /* a seal that waits to be in force again */
	REQUEST_BREAK,
	REQUEST_READ, /* announced */
	REQUEST_TRIM, /* a single seal, for recall_any */
};

enum request_state {
	REQUEST_WAITING,
	REQUEST_HELD,
	REQUEST_WATCHING, /* refused, and wants to hear when it would not be */
};

struct request {
	struct idmap_node node;
	struct list link;	   /* core->requests */
	struct interval range;	   /* object->line, for one object */
	struct list wide_link;	   /* core->wide, for more; watchers lists */
	struct list holder_link;
	struct list guard_link;
	struct list behind;	   /* those whose ->ahead is this */
	struct list ahead_link;
	struct heap_node ready;	   /* core->ready */
	struct timer timer;	   /* WAITING: patience; HELD: expiry */
	struct idmap_node by_token;
	struct request *ahead;	   /* cannot go on before this one has left the line */
	uint64_t start, end;
	uint64_t rank, order;	   /* the line goes by rank, then order */
	uint64_t since, until;
	uint64_t through;	   /* the hold whose token it carries, by id */
	uint64_t token, device;
	uint64_t asker;		   /* the process that asks, 0 if nobody knows */
	uint64_t hint;		   /* WATCHING: the seal that was in the way last time */
	struct holder *holder;	   /* NULL: a stranger */
	struct process *process;   /* of a GUARD break */
	struct object *object;	   /* NULL: wide */
	struct seal *parked;
	struct entry **entries;
	size_t n_entries, size_entries;
	size_t outstanding;	   /* entries whose line is pending */
	enum request_type type;
	enum request_state state;
	enum core_scope scope;
	enum core_want want;
	enum core_mode mode;
	enum core_kind kind;
	unsigned int flags;
	uint32_t hold_ms;
	bool in_line, waited, guarding;
	bool stalled;		   /* by a hold or a read that is ahead: behind.c */
};

struct core {
	struct core_config config;
	uint64_t now;
	uint64_t last_id, last_order, last_tie, n_tokens, visit;
	struct idmap processes, holders, objects, seals, requests_by_id, jobs, tokens;
	struct list object_list; /* oldest first */
	struct list requests;	 /* in line and watching, oldest first */
	struct list wide;	 /* in line, of more than one object */
	struct list watchers;	 /* of more than one object */
	struct list changed;	 /* objects */
	struct list asks;	 /* not looked at yet */
	struct heap timers;
	struct heap ready; /* requests that may be able to go on */
	struct seal **hits; /* scratch of a scan */
	size_t n_hits, size_hits;
	struct core_command *commands; /* a ring */
	size_t first_command, n_commands, size_commands;
	struct core_account_entry *lent; /* of the command taken last */
	struct core_stats stats;
};

/* core.c */
void *core_must(void *p);
uint64_t core_id(struct core *core);
void core_timer_set(struct core *core, struct timer *timer, uint64_t at,
		    void (*fn)(struct core *core, struct timer *timer));
void core_timer_stop(struct core *core, struct timer *timer);

/* command.c: the returned command is to be filled in before the next is made. */
struct core_command *core_emit(struct core *core, enum core_command_type type);
struct core_command *core_emit_seal(struct core *core, enum core_command_type type,
				    const struct seal *seal);
void core_command_deinit(struct core *core);

/* holder.c */
struct holder *core_holder_find(const struct core *core, uint64_t id);
struct holder *core_holder_free(struct core *core, struct holder *holder);
void core_holder_put(struct core *core, struct holder *holder); /* frees it if it was the last */
struct process *core_process_get(struct core *core, uint64_t id); /* NULL: -ENOMEM */
struct process *core_process_put(struct core *core, struct process *process);
void core_process_block(struct core *core, struct process *process, bool blocked);

/* object.c */
struct object *core_object_find(const struct core *core, uint64_t id);
struct object *core_object_free(struct core *core, struct object *object);
void core_object_changed(struct core *core, struct object *object);

/* seal.c */
struct seal *core_seal_new(struct core *core, struct holder *holder, struct object *object,
			   uint64_t start, uint64_t end);
struct seal *core_seal_free(struct core *core, struct seal *seal);
struct seal *core_seal_grant(struct core *core, struct request *request);
void core_seal_regrant(struct core *core, struct seal *seal);
void core_seal_end(struct core *core, struct seal *seal); /* says so, and frees it */
void core_seal_carve(struct core *core, struct seal *seal, uint64_t start, uint64_t end,
		     struct seal **ret_upper, bool *ret_empty);
void core_seal_bump(struct core *core, struct seal *seal);
enum core_seal_state core_seal_state(const struct seal *seal);
void core_seal_view(const struct seal *seal, struct core_seal_view *ret);

static inline struct seal *seal_of(struct interval *n)
{
	return n ? container_of(n, struct seal, range) : NULL;
}

/* recall.c */
void core_recall_attach(struct core *core, struct seal *seal, struct request *request,
			enum conflict conflict);
void core_recall_follow(struct core *core, struct seal *from, struct seal *to,
			const struct entry *entry);
void core_recall_restart(struct core *core, struct seal *seal); /* a return failed */
/* Part of it was given back: whom that satisfies, and what the progress is worth. */
void core_recall_shrunk(struct core *core, struct seal *seal, enum core_fence fence);
void core_recall_settle(struct core *core, struct seal *seal, bool lapse);
void core_recall_end(struct core *core, struct seal *seal);
void core_recall_revoke(struct core *core, struct seal *seal); /* its time is up */
void core_recall_due(struct core *core, struct recall *recall);
void core_recall_asked(struct core *core, struct recall *recall);
void core_recall_answer(struct core *core, struct recall *recall, enum core_answer answer,
			uint32_t delay_ms);
/* The holder gives [start, end) back: that says as much as an answer. */
void core_recall_heard(struct core *core, struct seal *seal, uint64_t start, uint64_t end);
void core_settle_stop(struct core *core, struct seal *seal);
void core_recall_blocked(struct core *core, struct process *process);
bool core_recall_transparent(const struct seal *seal);

/* ask.c */
void core_ask_add(struct core *core, struct entry *entry);
void core_ask_run(struct core *core);
void core_ask_drop(struct core *core, struct entry *entry);

/* fence.c */
void core_fence_whole(struct core *core, struct seal *seal, enum core_cause cause,
		      enum core_result result);
/* Somebody has to wait until the whole of it is back; nobody has to any more. */
void core_fence_hurry(struct core *core, struct seal *seal);
void core_fence_calm(struct core *core, struct seal *seal);
void core_fence_flush(struct core *core, struct entry *entry);
struct job *core_job_free(struct core *core, struct job *job);

/* account.c */
struct entry *core_entry_new(struct core *core, struct request *request, struct seal *seal);
void core_entry_over(struct core *core, struct entry *entry, enum core_result result,
		     enum core_fence fence, uint64_t quarantined);
void core_entry_detach(struct core *core, struct entry *entry);
void core_account_line(const struct core *core, const struct entry *entry,
		       struct core_account_entry *ret);
void core_account_attach(struct core *core, const struct request *request,
			 struct core_command *command);

/* request.c: the line. */
struct request *core_request_new(struct core *core, enum request_type type, struct holder *holder);
struct request *core_request_free(struct core *core, struct request *request);
struct request *core_request_find(const struct core *core, uint64_t id);
void core_request_enter(struct core *core, struct request *request);
void core_request_leave(struct core *core, struct request *request);
void core_request_refuse(struct core *core, struct request *request, int error);
void core_request_refuse_by(struct core *core, struct request *request, int error,
			    struct seal *seal, struct request *by);
void core_request_refuse_io(struct core *core, struct request *request, struct seal *seal,
			    int error);
void core_request_withdraw(struct core *core, struct request *request);
void core_request_ready(struct core *core, struct request *request);
struct request *core_request_ahead(const struct core *core, const struct request *request);
struct request *core_request_hold(const struct core *core, const struct request *request);
/* A guard holds its thread, and @request would come before it by the right of a token. */
struct request *core_request_overtaken(const struct core *core, const struct request *request);
bool core_request_covers(const struct request *request, const struct object *object);
bool core_request_passes(const struct core *core, const struct request *request,
			 const struct request *hold);
bool core_request_before(const struct request *a, const struct request *b);
bool core_request_needs(const struct request *request, const struct seal *seal);

/* behind.c: who of the line waits for whom. */
void core_behind_wait(struct core *core, struct request *request, struct request *ahead);
/* It holds from now on: those behind it who had to wait for its turn, and need not for its end. */
void core_behind_hold(struct core *core, const struct request *hold);
/* Who is held by a guard does not wait for @request. */
bool core_behind_passed(const struct request *request);
void core_behind_leave(struct core *core, struct request *request);

/* admit.c: who may go on. */
void core_admit_arrival(struct core *core, struct request *request);
void core_admit_run(struct core *core);
/* Whether @request is refused on account of @seal, rather than the seal recalled. */
bool core_admit_denies(const struct seal *seal, const struct request *request);
void core_admit_deny(struct core *core, struct request *request, int error, struct seal *in_the_way);
void core_admit_park(struct core *core, struct seal *seal, uint64_t order);

/* break.c */
void core_break_ready(struct core *core, struct request *request);
void core_hold_end(struct core *core, struct request *request, bool expired);

/* recall-any.c */
void core_trim_stop(struct core *core, struct holder *holder);

/* cycle.c: the youngest GUARD break of a cycle that @request would close by waiting for
 * core->hits, NULL if there is none. */
struct request *core_cycle_find(struct core *core, struct request *request);
