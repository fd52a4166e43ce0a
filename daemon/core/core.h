/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The core: what is sealed, for whom, and who has to give it back when.
 *
 * It owns objects, holders, seals, requests (acquires, breaks, announced reads), the recalls they
 * cause, every deadline, and the account of each break. It knows no descriptor, no clock, no
 * socket: the time comes in with each call, what is to be done goes out as values from
 * core_next_command(). The same calls at the same times give the same commands, so a simulation
 * can explore orders of events that no machine would show, and a failing one can be replayed.
 *
 *	mechanisms ── events (calls, with `now`) ──▶ core ── commands (values) ──▶ mechanisms
 *
 * Units: offsets and lengths are bytes, a range is [start, end) and end == CORE_INFINITY reaches
 * past any size; times are nanoseconds of CLOCK_MONOTONIC; settings are milliseconds (`_ms`).
 * Ids are never 0 and never used again.
 *
 * Results: 0; a positive `enum core_error`, which is an answer for the peer and changed nothing;
 * or a negative errno (-ENOMEM only), after which nothing was changed either.
 *
 * Not thread-safe: one thread, the control thread, calls it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CORE_INFINITY UINT64_MAX
#define CORE_NEVER UINT64_MAX /* a deadline that does not come */

struct core;

enum core_mode { CORE_READ = 1, CORE_WRITE = 2 };
enum core_kind { CORE_WINDOW = 1, CORE_DIRECT = 2 };

/* What somebody wants to do with a range: the columns of the conflict table (conflict.h). */
enum core_want {
	CORE_WANT_WINDOW_READ,
	CORE_WANT_WINDOW_WRITE,
	CORE_WANT_DIRECT_READ,
	CORE_WANT_DIRECT_WRITE,
	CORE_WANT_FOREIGN_READ,	     /* read(2) by somebody without a seal */
	CORE_WANT_FOREIGN_MAP,	     /* a mapping that can never be written, exec */
	CORE_WANT_FOREIGN_MAP_WRITE, /* a shared mapping of a writable description: whole file */
	CORE_WANT_FOREIGN_WRITE,     /* overwrites allocated blocks */
	CORE_WANT_FOREIGN_EXTEND,    /* writes into a hole or past the end */
	CORE_WANT_LAYOUT,	     /* truncate, fallocate, reflink, extent swaps */
	CORE_WANT_FOREIGN_CLONE,     /* reads, and may share the blocks: source of a reflink, dedupe */
	_CORE_WANT_N,
};

enum core_error {
	CORE_OK,
	CORE_E_BAD_RANGE,	/* empty, wrapping */
	CORE_E_BAD_HOLDER,	/* no such holder */
	CORE_E_BAD_OBJECT,	/* no such object */
	CORE_E_BAD_SEAL,	/* no such seal, or not this holder's */
	CORE_E_OLD_SEQ,		/* RFC 8881 8.2.2: look at the newer one first */
	CORE_E_BAD_BREAK,	/* no such break, or not this holder's, or wrong token */
	CORE_E_STATE,		/* not in this state: an answer without a recall, a second return */
	CORE_E_OWN_CONFLICT,	/* two incoherent copies in one session */
	CORE_E_DENIED,		/* a hard seal is in the way: ETXTBSY */
	CORE_E_DEADLOCK,	/* the younger break of a cycle: EBUSY */
	CORE_E_RECALL_CONFLICT, /* the caller itself was asked for this range, has not answered */
	CORE_E_RETURN_CONFLICT, /* ... has answered, and not returned yet */
	CORE_E_TRY_LATER,	/* in the way: a break hold; or anything, and NO_WAIT was given; or a GUARD
				   break that a token would overtake */
	CORE_E_TIMED_OUT,	/* the caller's own wait_ms went by */
	CORE_E_UNBOUNDED,	/* max_io_ms over the object's hard limit */
	CORE_E_HOLDER_GONE,	/* the requester went away */
	CORE_E_IO,		/* a flush that was needed failed; errno is in the command */
};

/*
 * The deadline model. Every time-out of mapseal is one of these lines; deadline.h has the table
 * with defaults and bounds, mapseald.conf(5) prints it.
 */
struct core_policy {
	uint32_t deadline_ms;	/* recall sent -> revocation, unless extended */
	uint32_t hard_ms;	/* recall sent -> revocation, whatever happens */
	uint32_t progress_ms;	/* a partial return moves the deadline at least this far ahead */
	uint32_t min_hold_ms;	/* grant -> first recall */
	uint32_t hold_ms;	/* the longest break hold */
	uint32_t fence_ms;	/* an orderly fence may take this long once somebody waits for it;
				   then it is forced */
	uint32_t settle_ms;	/* core_settle() -> CORE_CMD_UNSETTLED */
};

struct core_config {
	struct core_policy policy; /* where an object brings none of its own */
	uint64_t token_seed;	   /* tokens of break holds are drawn from here; must be random */
	uint32_t first_seq;	   /* of a new seal, so that tests reach the wrap; 0: 1 */
};

/* ---- the cast ---------------------------------------------------------------------------- */

struct core_holder_info {
	uid_t uid;
	uint64_t process;   /* sessions of one process share this; never 0 */
	uint32_t max_io_ms; /* longest I/O it may have outstanding; 0: nothing declared */
};

struct core_object_info {
	uint64_t device;	   /* st_dev, for CORE_SCOPE_DEVICE; 0: none (anonymous) */
	uint64_t size;		   /* bytes */
	struct core_policy policy; /* all zero: the core's own */
};

enum core_seal_state {
	CORE_SEAL_HELD,
	CORE_SEAL_RECALLED, /* asked for; faults are served as before */
	CORE_SEAL_FENCING,  /* returned or revoked as a whole; the mechanism is at work */
	CORE_SEAL_PARKED,   /* promises nothing for now; waits in line to be granted again */
};

/* A seal as seen from outside; valid until the next call that is not a query. */
struct core_seal_view {
	uint64_t id, window, holder, object;
	uint64_t start, end;
	uint32_t seq;
	enum core_mode mode;
	enum core_kind kind;
	enum core_seal_state state;
	bool pinnable, transparent, hard;
	uint64_t granted_at;
	uint64_t deadline, hard_limit; /* CORE_NEVER unless recalled */
	uint64_t recalled_by;	       /* request id, 0 unless recalled */
};

int core_new(const struct core_config *config, struct core **ret);
struct core *core_free(struct core *core);

/* BAD_RANGE is never the answer of these; only -ENOMEM. */
int core_holder_add(struct core *core, const struct core_holder_info *info, uint64_t *ret_holder);
int core_object_add(struct core *core, const struct core_object_info *info, uint64_t *ret_object);

/* Hang-up, exit, exec, crash: requests are withdrawn, holds end, seals are fenced (CORE_CAUSE_DEATH)
 * and end. The id is dead at once. */
void core_holder_gone(struct core *core, uint64_t holder, uint64_t now);

/* An object without seals and requests may be dropped; else CORE_E_STATE. */
int core_object_drop(struct core *core, uint64_t object);
void core_object_resized(struct core *core, uint64_t object, uint64_t size);
/* For what begins from now on; time that runs already runs on. */
void core_object_policy(struct core *core, uint64_t object, const struct core_policy *policy);

/* One of the process's threads is (no longer) held by our guard: while it is, its windows count as
 * transparent (second half of the no-deadlock rules). Calls nest. */
void core_process_blocked(struct core *core, uint64_t process, bool blocked, uint64_t now);

/* ---- requests ---------------------------------------------------------------------------- */

enum {
	CORE_F_NO_WAIT = 1 << 0,     /* refuse rather than wait: TRY_LATER */
	CORE_F_WANT_AVAIL = 1 << 1,  /* with NO_WAIT: CORE_CMD_AVAIL when it would be free */
	CORE_F_PINNABLE = 1 << 2,    /* acquire: WRITE window whose pages may be pinned */
	CORE_F_TRANSPARENT = 1 << 3, /* acquire: do not ask, fence, and grant again afterwards */
	CORE_F_REVOKE_PARK = 1 << 4, /* acquire: if revoked, be parked and granted again */
	CORE_F_HARD = 1 << 5,	     /* acquire: others are denied, not this seal recalled */
	CORE_F_MAP_WILL_CHANGE = 1 << 6, /* break: RFC 8881 20.3 clora_changed */
	/* break: a guard holds the breaker's thread: see process_blocked. It has no way to try later, so
	 * it passes break holds and reads, and in the line whoever they keep waiting, who lose no turn by
	 * that; a layout that it promised itself to keep it may not change (DENIED). */
	CORE_F_GUARD = 1 << 7,
	CORE_F_UNDENIABLE = 1 << 8, /* break: nobody can stop it for long; hard seals are recalled */
};

enum core_scope { CORE_SCOPE_RANGE, CORE_SCOPE_OBJECT, CORE_SCOPE_DEVICE, CORE_SCOPE_ALL };

struct core_acquire {
	uint64_t holder, object;
	uint64_t start, end;
	enum core_mode mode;
	enum core_kind kind;
	unsigned int flags;
	uint64_t token;	  /* of the break hold this is part of; 0: none */
	uint32_t wait_ms; /* 0: as long as it takes */
};

struct core_break {
	uint64_t holder;  /* the session that asks; 0: a stranger, or the supervisor */
	uint64_t process; /* a stranger's process, when a guard knows it; else 0 */
	enum core_scope scope;
	uint64_t object;     /* RANGE, OBJECT */
	uint64_t device;     /* DEVICE */
	uint64_t start, end; /* RANGE */
	enum core_want want; /* FOREIGN_READ asks for a flush and holds nothing */
	unsigned int flags;
	uint64_t token;	  /* of a hold this break is part of; 0: none */
	uint32_t wait_ms; /* 0: as long as it takes, which is bounded by the hard limits */
	uint32_t hold_ms; /* 0: no hold, the account ends it; at most policy.hold_ms, which is used
			     if this is more */
};

/* Both answer by CORE_CMD_GRANT / CORE_CMD_BREAK_READY or CORE_CMD_REFUSE with the request id, later or
 * at once, also for errors of state (conflicts); returned directly are only errors of form
 * (BAD_RANGE, BAD_HOLDER, BAD_OBJECT, UNBOUNDED, BAD_BREAK for a wrong token). */
int core_acquire(struct core *core, const struct core_acquire *acquire, uint64_t now,
		 uint64_t *ret_request);
int core_break(struct core *core, const struct core_break *brk, uint64_t now,
	       uint64_t *ret_request);

/* The requester lost interest (it was killed, it went away, an operator stepped in). A held break is
 * ended. CORE_E_BAD_BREAK if there is no such request. */
int core_withdraw(struct core *core, uint64_t request, uint64_t now);

/* The breaker is done. */
int core_break_end(struct core *core, uint64_t holder, uint64_t request, uint64_t token,
		   uint64_t now);

/* ---- what holders say -------------------------------------------------------------------- */

enum core_answer { CORE_ANSWER_OK = 1, CORE_ANSWER_DELAY = 2, CORE_ANSWER_NO_MATCHING = 3 };

/* Answer to a recall of one seal. Who returns some of what was asked for need not answer as well,
 * that counts as OK: an answer says that somebody is there when the return takes its time. DELAY:
 * *ret_ms is what is left to the (new) deadline. */
int core_answer(struct core *core, uint64_t holder, uint64_t seal, uint32_t seq,
		enum core_answer answer, uint32_t delay_ms, uint64_t now, uint32_t *ret_ms);

/* Answer to a recall of scope OBJECT or wider: goes for every seal of the holder under it. */
int core_answer_all(struct core *core, uint64_t holder, uint64_t request, enum core_answer answer,
		    uint32_t delay_ms, uint64_t now, uint32_t *ret_ms);

/* Gives [start, end) back, clipped to the seal. CORE_CMD_FENCE (CORE_CAUSE_RETURN) follows, and when
 * that is done CORE_CMD_RETURNED. That takes as long as it takes: it is never forced, but the end of a
 * deadline overtakes it like any other seal (CORE_CMD_REVOKED, and then no CORE_CMD_RETURNED). For
 * whoever comes while the whole is under way nobody has to be asked; a deadline runs from then on. One
 * return of a seal at a time: else CORE_E_STATE. */
int core_return(struct core *core, uint64_t holder, uint64_t seal, uint32_t seq, uint64_t start,
		uint64_t end, bool discard, uint64_t now);

/* Asks the holder to keep at most @keep seals; what is over when the deadline comes is recalled,
 * oldest first. */
int core_recall_any(struct core *core, uint64_t holder, uint32_t keep, uint64_t now);

/* ---- what mechanisms report -------------------------------------------------------------- */

enum core_fence {
	CORE_FENCE_NONE,	  /* nothing had to be fenced */
	CORE_FENCE_FENCED,	  /* no byte of the holder can reach the object any more */
	CORE_FENCE_UNFENCED,	  /* that cannot be said (DIRECT) */
	CORE_FENCE_TORN_POSSIBLE, /* fenced, but written back while it may still have changed */
};

struct core_fence_result {
	uint64_t job;
	int error;	       /* CORE_CAUSE_RETURN only: -errno, nothing was given back */
	enum core_fence fence;
	uint64_t quarantined;  /* bytes that could not be written and are kept */
	int quarantine_errno;  /* why, if so */
};

void core_fenced(struct core *core, const struct core_fence_result *result, uint64_t now);
void core_flushed(struct core *core, uint64_t job, int error, uint64_t now);

/* A seal was granted, or granted again, where a stranger that was let go may still be at work.
 * CORE_CMD_UNSETTLED follows after settle_ms, unless core_settled() or its end comes first.
 * CORE_E_BAD_SEAL, -ENOMEM. */
int core_settle(struct core *core, uint64_t seal, uint64_t now);
void core_settled(struct core *core, uint64_t seal);

/* ---- time -------------------------------------------------------------------------------- */

/* When core_tick() has to be called next; CORE_NEVER if nothing is running. */
uint64_t core_next_deadline(const struct core *core);
void core_tick(struct core *core, uint64_t now);

/* ---- commands ---------------------------------------------------------------------------- */

enum core_cause {
	CORE_CAUSE_RETURN, /* the holder gave it back; may fail, then nothing changed; never forced */
	CORE_CAUSE_REVOKE, /* deadline; never fails: quarantines */
	CORE_CAUSE_PARK,   /* transparent, or REVOKE_PARK: granted again later; never fails */
	CORE_CAUSE_DEATH,  /* the holder is gone; dirty pages by the export's on-death; forced only
			      for somebody who waits */
};

enum core_result {
	CORE_RESULT_PENDING, /* not asked yet, or asked and not back yet */
	CORE_RESULT_RETURNED,
	CORE_RESULT_NO_MATCHING,
	CORE_RESULT_REVOKED,
	CORE_RESULT_PARKED,  /* transparent: fenced, to be granted again */
	CORE_RESULT_FLUSHED, /* an announced read: written out, still held */
	CORE_RESULT_GONE,    /* the holder died meanwhile */
};

/* One line of an account. */
struct core_account_entry {
	uint64_t seal, holder, process;
	uid_t uid;
	enum core_answer answer; /* 0: none */
	enum core_result result;
	enum core_fence fence;
	uint32_t ms; /* recall (or fence) sent -> over */
	uint64_t quarantined;
};

enum core_command_type {
	CORE_CMD_GRANT,	      /* request -> seal */
	CORE_CMD_REFUSE,      /* request, error; what is in the way in @blocker; account is valid */
	CORE_CMD_RECALL,      /* ask a holder: seal (RANGE) or object/device/all */
	CORE_CMD_RECALL_ANY,  /* holder, keep */
	CORE_CMD_FENCE,	      /* job: take window's [start, end) back */
	CORE_CMD_FENCE_FORCE, /* job: its time is up; end it now, torn if need be */
	CORE_CMD_FLUSH,	      /* job: write window's [start, end) to the object */
	CORE_CMD_RETURNED,    /* reply to core_return(): seal, seq, split; or error */
	CORE_CMD_REVOKED,     /* tell the holder: seal is over (or parked) */
	CORE_CMD_REGRANT,     /* a parked seal is in force again: let threads go on */
	CORE_CMD_SEAL_ENDED,  /* the id is dead; the last of a window closes the window */
	CORE_CMD_UNSETTLED,   /* a seal has waited settle_ms for strangers to be done */
	CORE_CMD_LAPSED,      /* tell the holder, if it wants to know: the recall was withdrawn */
	CORE_CMD_BREAK_READY, /* the range is free; held if token != 0; account is valid */
	CORE_CMD_BREAK_EXPIRED, /* longest hold reached: the breaker holds nothing any more */
	CORE_CMD_BREAK_OVER,  /* the hold ended (end, expiry, withdrawal, holder gone) */
	CORE_CMD_AVAIL,	      /* WANT_AVAIL: the range of this request would be granted now */
	CORE_CMD_QUARANTINED, /* bytes of a seal are kept: job tells the mechanism which */
	CORE_CMD_FORGIVEN,    /* job of a fence that another one overtook: nothing follows from its result,
				 but for QUARANTINED, if bytes were kept */
};

struct core_command {
	enum core_command_type type;
	uint64_t request, holder, seal, window, object, device, job;
	uint64_t start, end;
	uint32_t seq;
	/* GRANT */
	enum core_mode mode;
	enum core_kind kind;
	unsigned int flags; /* CORE_F_* of the request */
	/* REFUSE, RETURNED (also -errno of the fence that failed) */
	int error;
	uint64_t blocker; /* the seal in the way, 0 if it is a break */
	uint64_t blocking_break;
	/* RECALL */
	enum core_scope scope;
	bool map_will_change;
	uint64_t deadline, hard_limit; /* also of a blocker, for the error text */
	uint32_t keep;		       /* RECALL_ANY */
	/* FENCE, REVOKED */
	enum core_cause cause;
	bool discard;
	enum core_fence fence;
	/* RETURNED: the upper half of a middle split, 0 if there is none */
	uint64_t split_seal;
	uint32_t split_seq;
	/* BREAK_READY */
	uint64_t token;
	uint32_t hold_ms;
	/* QUARANTINED; quarantine_errno also of a REFUSE with CORE_E_IO: why the flush failed */
	uint64_t quarantined;
	uid_t uid;
	int quarantine_errno;
	/* REFUSE, BREAK_READY: the account; valid until the next core_next_command() */
	const struct core_account_entry *account;
	size_t n_account;
};

/* The oldest command not yet taken, false when there is none. Takes it. */
bool core_next_command(struct core *core, struct core_command *ret);

/* ---- queries ----------------------------------------------------------------------------- */

bool core_seal_find(const struct core *core, uint64_t seal, struct core_seal_view *ret);

/* Calls @fn for seals of @object that overlap [start, end) in order of start; object 0: all objects.
 * @fn returns false to stop. */
void core_seal_each(const struct core *core, uint64_t object, uint64_t start, uint64_t end,
		    bool (*fn)(const struct core_seal_view *seal, void *data), void *data);

/* A request that waits or a break that is held. */
struct core_request_view {
	uint64_t id, holder, process, object;
	uint64_t start, end;
	enum core_want want;
	enum core_scope scope;
	bool is_break, held;
	uint64_t since, until; /* until: the hold's end, or the caller's time-out; CORE_NEVER */
	size_t n_account;
};

bool core_request_show(const struct core *core, uint64_t request, struct core_request_view *ret);

/* All of them, oldest first. @fn returns false to stop. */
void core_request_each(const struct core *core,
		       bool (*fn)(const struct core_request_view *request, void *data), void *data);

/* The account of such a request so far: who is blocking it. */
void core_request_account(const struct core *core, uint64_t request,
			  void (*fn)(const struct core_account_entry *line, void *data), void *data);

struct core_stats {
	uint64_t holders, objects, seals, requests;	/* now */
	uint64_t grants, refusals, conflicts, recalls, answers_ok, answers_delay, answers_no_matching;
	uint64_t partial_returns, returns, splits, revocations, parks, regrants, flushes;
	uint64_t waiters_served, breaks, holds, holds_expired, seq_wraps, avails, forced, lapses;
	uint64_t quarantines, deadlocks_denied;
	size_t bytes_per_seal; /* memory a seal costs, index and all */
};

void core_stats(const struct core *core, struct core_stats *ret);

const char *core_error_string(int error); /* stable names: "TRY_LATER", ... */
