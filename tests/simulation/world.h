/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the simulation knows: the cast as plain arrays, filled only from calls that were made and
 * commands that came out, never from the core's own memory.
 *
 *	simulate.c    the program: seeds, steps, floors
 *	world.c       the clock, the arrays, one step
 *	actions.c     what can happen; cast.c, requests.c, replies.c: how
 *	table.c       the conflict table, written down a second time
 *	mechanism.c   what the pager would do with jobs
 *	shadow.c      a command comes out: update the arrays, and check what that command claims;
 *		      shadow-request.c, shadow-recall.c, shadow-fence.c
 *	ranges.c      what overlaps, disturbs, stands before what
 *	invariants.c  what must be true between any two steps
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/core.h"
#include "tests/simulation/rng.h"

#define MS   UINT64_C(1000000)
#define PAGE UINT64_C(4096)

enum {
	MAX_HOLDERS = 32,
	MAX_OBJECTS = 12,
	MAX_SEALS = 512,
	MAX_REQUESTS = 128,
	MAX_JOBS = 1024,
	MAX_RECALLS = 1024,
	MAX_PROCESSES = 12,
	MAX_DEAD = 64,
	MAX_ASKED = 4096
};

/* What the run promises to catch; the names are what mutations/ refers to. */
enum invariant {
	INV_EXCLUSIVE,	   /* no two conflicting grants are in force */
	INV_BREAKER_WAITS, /* a breaker goes on only over what is back, and fenced or flushed */
	INV_BOUNDED,	   /* every recall ends by its hard limit, every hold by its longest */
	INV_SEQ,	   /* seq moves only as specified */
	INV_ORDER,	   /* waiters are served in order */
	INV_NONE_LOST,	   /* and none is forgotten */
	INV_RECALL_BARS,   /* nothing is granted over a running recall or a held break */
	INV_MIN_HOLD,	   /* nobody is asked before the minimum hold is over */
	INV_LIVING,	   /* commands speak of what is alive, and are possible there */
	INV_ACCOUNT,	   /* accounts are complete and true */
	INV_VIEW,	   /* queries and counters show what happened */
	INV_ANSWERS, /* answers are the ones that the state asks for; refusals change nothing */
	_INV_N,
};

extern const char *const invariant_names[_INV_N];

struct sim_holder {
	uint64_t id, process;
	uid_t uid;
	uint32_t max_io_ms;
	bool stuck; /* says nothing, gives nothing back */
};

struct sim_object {
	uint64_t id, device, size;
	struct core_policy policy; /* as it is in force, never all zero */
};

enum sim_seal_state { SIM_HELD, SIM_FENCING, SIM_PARKED, SIM_ENDING };

struct sim_seal {
	uint64_t id, window, holder, object;
	uint64_t start, end;
	uint32_t seq;
	enum core_mode mode;
	enum core_kind kind;
	unsigned int flags;
	enum sim_seal_state state;
	enum core_cause cause; /* FENCING */
	uint64_t granted_at, granted_place;
	uint64_t flushed; /* place of the last flush that was done */
	/* asked for */
	bool recalled, unsure; /* unsure: this call may have ended it, and begun another */
	uint64_t recalled_at, deadline, hard_limit, recalled_by;
	uint64_t recall_start, recall_end; /* what was asked for */
	uint64_t wanted_since;		   /* somebody waits for it; 0: nobody */
	enum core_answer answer;
	/* the return that is under way, and the job of it or of the fence */
	bool returning;
	uint64_t job;
	uint64_t return_start, return_end;
	uint64_t kept_at; /* when a return last failed */
	bool fenced; /* the job is done: of the whole, or of what is being returned */
	bool soft;   /* as in sim_request, while it is parked */
	bool parked; /* promises nothing, whatever is done to it */
	uint64_t parked_at, parked_since; /* place in line, time */
};

enum sim_memo { SIM_UNKNOWN, SIM_NO, SIM_YES };

struct sim_request {
	uint64_t id, place; /* place: order of arrival */
	uint64_t rank;	    /* its place, or that of the hold it is part of */
	bool is_break, held, avail;
	uint64_t holder, process;
	enum core_scope scope;
	uint64_t object, device, start, end;
	enum core_mode mode;
	enum core_kind kind;
	enum core_want want;
	unsigned int flags;
	uint64_t token;	    /* it came with */
	uint64_t own_token; /* it was given */
	uint32_t wait_ms, hold_ms;
	uint64_t since, hold_until;
	bool soft; /* an earlier one's recall ran over its range: goes when that one has gone */
	enum sim_memo may_be_passed, has_to_be_passed; /* of world.line */
};

struct sim_job {
	uint64_t id, seal, window, object, start, end;
	uint64_t request; /* of a flush */
	bool flush, discard, forced;
	enum core_cause cause;
	uint64_t sent_at, forced_at, place;
	unsigned int results; /* what the account may say: 1 << enum core_result */
};

/* Who was asked for whom: a line that the account has to have. */
struct sim_asked {
	uint64_t request, seal;
	bool wide; /* by a message that named no seal */
};

/* How a seal's part in some break ended, for as long as accounts may mention it. */
struct sim_outcome {
	uint64_t seal;
	unsigned int results; /* 1 << enum core_result */
};

/* A recall as it lies in the holder's mailbox. */
struct sim_recall {
	uint64_t holder, seal, request, object;
	enum core_scope scope;
	uint64_t start, end;
	uint32_t seq;
};

/* What was really reached; simulate.c has the floors. */
struct tally {
	uint64_t steps, commands, grants, conflicts, recalls, partial_returns, splits, delays,
	    revocations, waiters_served, seq_wraps, holds, holds_expired, parks, regrants,
	    forced_fences, lapses, quarantines, flushes, failed_returns, avails, recall_anys,
	    wide_recalls, token_grants, deadlocks, timeouts, deaths, denied, no_matching,
	    overdue_returns, hurried_deaths, passed;
};

struct world {
	struct core *core;
	struct rng rng;
	uint64_t seed, step, now;
	bool trace, quiet_end; /* quiet_end: everybody is returning everything */
	uint32_t first_seq;
	uint64_t next_place, last_seal, last_job, last_request;
	uint64_t reporting, withdrawing; /* the job, the request of the current call */
	uint64_t reported_seal;
	struct core_policy policy;
	/* the weather of this stretch: how likely what is */
	unsigned int weight[18];
	unsigned int slow_fences, failing_fences, pages;
	uint32_t longest_min_hold; /* of any object so far */
	uint64_t pace; /* nanoseconds that an ordinary step takes at most */

	struct sim_holder holders[MAX_HOLDERS];
	size_t n_holders;
	struct sim_object objects[MAX_OBJECTS];
	size_t n_objects;
	struct sim_seal seals[MAX_SEALS];
	size_t n_seals;
	struct sim_request requests[MAX_REQUESTS];
	size_t n_requests;
	struct sim_request line[MAX_REQUESTS + MAX_SEALS]; /* lined_up() */
	size_t n_line;
	struct sim_job jobs[MAX_JOBS];
	size_t n_jobs;
	struct sim_recall recalls[MAX_RECALLS];
	size_t n_recalls;
	struct sim_asked asked[MAX_ASKED];
	size_t n_asked;
	struct sim_outcome outcomes[MAX_ASKED]; /* a ring */
	size_t n_outcomes;
	unsigned int blocked[MAX_PROCESSES + 1]; /* by process; without GUARD breaks */
	uint64_t dead_seals[MAX_DEAD];
	size_t n_dead;

	struct tally tally;
};

/* world.c */
void world_init(struct world *w, uint64_t seed, bool trace);
void world_deinit(struct world *w);
void world_weather(struct world *w); /* another stretch with other odds */
void world_step(struct world *w);
void world_quiesce(struct world *w); /* everybody gives everything back; nobody may be left over */
/* After every call into the core: takes its commands. @error: what the call returned. */
void world_drain(struct world *w, int error);
__attribute__((format(printf, 2, 3))) void world_trace(const struct world *w, const char *format,
						       ...);
__attribute__((format(printf, 3, 4), noreturn)) void
world_fail(const struct world *w, enum invariant invariant, const char *format, ...);

#define world_check(w, condition, invariant, ...)                                                  \
	do {                                                                                       \
		if (!(condition))                                                                  \
			world_fail(w, invariant, __VA_ARGS__);                                     \
	} while (0)

struct sim_holder *world_holder(struct world *w, uint64_t id);
struct sim_object *world_object(struct world *w, uint64_t id);
struct sim_seal *world_seal(struct world *w, uint64_t id);
struct sim_request *world_request(struct world *w, uint64_t id);
struct sim_job *world_job(struct world *w, uint64_t id);
void world_seal_dead(struct world *w, struct sim_seal *seal);
void world_request_gone(struct world *w, struct sim_request *request);
void world_job_gone(struct world *w, struct sim_job *job);
void world_holder_gone(struct world *w, struct sim_holder *holder);
void world_object_gone(struct world *w, struct sim_object *object);
void world_recall_taken(struct world *w, struct sim_recall *recall);

static inline bool overlap(uint64_t a_start, uint64_t a_end, uint64_t b_start, uint64_t b_end)
{
	return a_start < b_end && b_start < a_end;
}

/* Whether it is worth looking closer. */
static inline bool elsewhere(const struct sim_request *request, uint64_t object)
{
	return request->scope <= CORE_SCOPE_OBJECT && request->object != object;
}

static inline uint64_t later(uint64_t at, uint64_t ms)
{
	return at + ms * MS;
}

static inline uint32_t seq_after(uint32_t seq)
{
	return seq == UINT32_MAX ? 1 : seq + 1;
}

/* actions.c */
enum { N_ACTIONS = 18 };
void actions_weather(struct world *w);
void actions_run(struct world *w);

/* mechanism.c */
void mechanism_done(struct world *w, struct sim_job *job, bool may_fail);
void mechanism_run(struct world *w); /* forced fences answer within FORCED_MS */

/* The mechanism's own bound: how long a forced fence may take. */
enum { FORCED_MS = 3 };

/* shadow.c */
bool leaving(const struct sim_seal *seal); /* the whole of it is on its way back */
void shadow_settle(struct world *w);
void shadow_command(struct world *w, const struct core_command *c);
void shadow_answered(struct world *w, struct sim_seal *seal, enum core_answer answer,
		     uint32_t delay_ms);
void shadow_fenced(struct world *w, struct sim_seal *seal, const struct sim_job *job,
		   const struct core_fence_result *result);
void shadow_outcome(struct world *w, uint64_t seal, unsigned int results);

/* table.c: the conflict table once more, written down from the manual, not from the core. */
enum sim_conflict { SIM_SHARE, SIM_RECALL, SIM_FLUSH };
enum sim_conflict table_conflict(const struct sim_seal *held, enum core_want want);
enum core_want table_want(enum core_kind kind, enum core_mode mode);

/* ranges.c: what overlaps and disturbs what, by looking at everything. */
bool covers(const struct world *w, const struct sim_request *request, uint64_t object,
	    uint64_t start, uint64_t end);
bool requests_meet(const struct world *w, const struct sim_request *a, const struct sim_request *b);
bool before(const struct sim_request *a, const struct sim_request *b);
bool clash(const struct sim_request *a, const struct sim_request *b); /* not both at a time */
bool part_of(const struct world *w, const struct sim_request *request,
	     const struct sim_request *hold);
void lined_up(struct world *w); /* fills line: who waits or holds, parked seals too */
struct sim_request parked_request(const struct sim_seal *seal); /* as it stands in line */
bool blocked(const struct world *w, uint64_t process);
uint32_t patience_ms(struct world *w, const struct sim_seal *seal); /* without DELAY or progress */
bool in_force(const struct sim_seal *seal, uint64_t start, uint64_t end);
bool disturbs(const struct world *w, const struct sim_seal *seal,
	      const struct sim_request *request);
bool recall_in_the_way(const struct world *w, const struct sim_seal *seal,
		       const struct sim_request *request);
bool in_the_way(struct world *w, const struct sim_request *request);
/* By who is held by a guard: @request, of world.line, is a hold or a read, or one is in its way, or in
 * that of somebody before it. */
bool may_be_passed(struct world *w, struct sim_request *request);
bool other_request(struct world *w, uint64_t id, const struct sim_request *over);

/* invariants.c */
void invariants_step(struct world *w);
void invariants_view(struct world *w); /* the core's queries and counters agree: dearer */
