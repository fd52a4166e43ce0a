/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the supervisor remembers, besides what core and pager do.
 *
 *	session ─ client ─< pending            a request that the core has not answered, a break held
 *	             │
 *	             ├──< window >── object    what the pager serves
 *	             │       │
 *	             │       └──< seal         halves of a split share their window
 *	             └──< proof >── object     what it has shown to have access to
 *
 *	job: what the pager was told to do, until it reports; names the others by id, so any of them
 *	may end meanwhile
 *
 * stranger: a program that the guard holds; a break without a client
 *
 * Each is found by an id in a hash table, never by going through a list. Windows and pending
 * requests hold a reference to their object; a client stays, without session, until its last
 * window is closed.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/core/core.h"
#include "daemon/direct/direct.h"
#include "daemon/guard/guard.h"
#include "daemon/pager/pager.h"
#include "daemon/session/listener.h"
#include "daemon/session/quota.h"
#include "daemon/session/session.h"
#include "util/idmap.h"
#include "util/list.h"

#define INODE_BUCKETS 1024

struct config;
struct mounts;
struct rdma;
struct uevents;

struct log_limit {
	uint64_t at, unsaid; /* the last line; what had none since */
};

struct supervisor {
	const struct config *config;
	struct loop *loop;
	struct core *core;
	struct pager *pager;
	struct direct *direct;
	struct guard *guard;
	struct rdma *rdma;
	struct uevents *uevents; /* NULL: there are none to be heard of */
	struct quota *quota;
	struct quota **export_quotas; /* one for each export */
	struct mounts *mounts;
	struct sessions *sessions;
	struct listener *listener;
	struct loop_poll pager_poll, direct_poll, guard_poll, rdma_poll, uevents_poll;
	struct loop_poll signal_poll, pressure_poll;
	int signal_fd, pressure_fd;

	struct idmap clients;	/* by holder id */
	struct idmap pending;	/* by the core's request id */
	struct idmap windows;	/* by the core's window id */
	struct idmap seals;	/* by the core's seal id */
	struct idmap objects;	/* by the core's object id */
	struct idmap jobs;	/* by tag */
	struct idmap errands;	/* what direct/ was told to do, by tag */
	struct idmap quarantine; /* by the core's job id */
	struct idmap strangers; /* by the core's request id */
	struct idmap tickets;	/* strangers, by the guard's ticket */
	struct idmap inquiries; /* what rdma/ was asked, by tag */
	struct idmap proofs;	/* by a mix of client and object */
	struct list inodes[INODE_BUCKETS]; /* objects, by device and inode */
	struct list client_list, watchers, quarantine_list;

	struct pager_kernel kernel;
	uint64_t epoch, started_at, last_tag, quarantined_bytes;
	uint64_t broken_promises; /* since the start */
	uint64_t notify_at, notify_every; /* CORE_NEVER, 0: no watchdog */
	uint64_t kick_at; /* when the pager hears of its jobs; CORE_NEVER: there are none */
	size_t n_unanswered; /* requests that the core has not answered */
	struct list late; /* jobs that the pager has not been given */
	struct list unready; /* breaks whose answer waits, in order of time */
	struct log_limit denials, broken, unlooked; /* of strangers; promises; block maps */
	bool guard_waits;  /* there may be more of its events */
	bool notify_asked; /* the pager has been asked for a sign of life */
	bool stopping, told_stopping;
	int failed; /* -errno: the loop can't go on */
};

enum space_state { SPACE_NONE, SPACE_ATTACHING, SPACE_ATTACHED };

struct client {
	struct idmap_node node; /* holder id */
	struct list link;	/* all clients */
	struct list watch_link;
	struct session *session; /* NULL: hung up */
	struct quota_user *user;
	pid_t pid;
	uid_t uid;
	char comm[64];
	uint64_t process;
	uint32_t max_io_ms; /* declared */
	enum space_state space;
	bool kernel_faults;
	struct list windows, pending, proofs;
	struct list objects; /* anonymous ones it created */
	size_t n_waiting, n_seals;
};

struct object {
	struct idmap_node node;
	struct list inode_link;
	struct list creator_link; /* anonymous */
	dev_t dev;
	ino_t ino;
	int fd; /* our own description: to look at its size, and to be upgraded */
	bool writable, anonymous;
	bool exported; /* its name and policy are an export's */
	bool in_pager[2]; /* for READ windows, for WRITE windows */
	uid_t owner; /* anonymous: whose sessions may acquire it */
	uint64_t size;
	size_t refs, n_seals;
	struct quota_charge memory, place; /* anonymous */
	struct core_policy policy;
	const char *fence_helper; /* of an export of it, NULL: none has one */
	/* guards: */
	enum guard_level guard;
	bool armed;
	bool unguarded;	    /* for good: a lease would be in the way of itself */
	bool strict, hold_opens; /* the export's */
	uint64_t era; /* READ windows of an earlier one may show what is old by now */
	bool had_weak; /* in this era */
	struct list naming; /* seals that are refused as soon as it is known on whose account */
	struct list proofs;
	char *name;
};

struct proof {
	struct idmap_node node;
	struct list by_client, by_object;
	struct client *client;
	struct object *object;
};

enum pending_type { PENDING_ACQUIRE, PENDING_BREAK };

/* A break that is ready, until it is known what devices may still do for whom it was taken from. */
struct readiness {
	struct list link; /* supervisor->unready */
	struct pending *pending;
	uint64_t until;
	struct core_command command; /* its account: our copy */
	struct core_account_entry *account;
	struct registered {
		uint32_t registrations;
		uint64_t bytes;
	} *registered; /* for each line */
	uint32_t n_asked;
};

struct pending {
	struct idmap_node node;
	struct list link;
	struct client *client;
	struct object *object;
	enum pending_type type;
	uint32_t serial;
	bool answered; /* a hold, or one that waits for AVAIL */
	uint64_t since;
	uint64_t start, end;
	struct quota_charge waiting;
	/* acquire */
	uint64_t right;
	enum core_kind kind;
	bool write, discard, wants_avail, unshare, weak_ok;
	struct quota_charge seals, bytes, export_seals, export_bytes;
	/* break */
	enum core_want want;
	bool wants_hold;
	struct readiness *ready; /* not told yet */
};

struct window {
	struct idmap_node node;
	struct list link;
	struct client *client;
	struct object *object;
	uint64_t start, end; /* as granted */
	uint32_t serial;     /* of the ACQUIRE that is to be answered */
	uint64_t right;
	struct list seals;
	size_t n_seals;
	bool write, discard, revoke_park, weak_ok;
	bool opening, open, mapping, mapped, closing;
	bool late; /* what is left to be done to it nobody waits for */
	bool direct, unshare;	/* no window of the pager's: the holder maps the file */
	struct direct_map *map; /* direct: promised; NULL until it is */
	uint64_t map_version;	/* counts its changes */
	struct quota_charge bytes, export_bytes;
};

/* A message about a seal whose GRANTED has not been sent. */
struct deferred {
	struct list link;
	struct proto_message message;
};

/* What a seal waits for strangers with. */
enum settling { SETTLING_NOTHING, SETTLING_GRANT, SETTLING_REGRANT };

struct seal {
	struct idmap_node node;
	struct list link; /* of the window's */
	struct window *window;
	struct quota_charge charge, export_charge;
	struct list deferred;
	bool announced; /* GRANTED was sent */
	bool returning; /* by its holder: serial waits for an answer */
	bool recalled;	/* it was asked to */
	bool late;	/* the answer comes when its pages are gone, not by the core's word */
	bool undoing;	/* the window could not be opened */
	/* guards: */
	enum settling settling;
	bool guarded;	    /* the guard has been told of it, and not to forget it */
	bool weak;	    /* the guard can't answer for it */
	struct list naming; /* of the object's */
	/* direct: */
	uint64_t preparing;    /* tag of what makes its map, 0: nothing */
	uint64_t fencing;      /* tag of what its fence waits for */
	uint64_t fence_after;  /* the core's fence that waits for that; 0: none */
	uint64_t broken_bytes; /* not where they were promised to be, as last seen */
	uint32_t return_serial;
};

struct stranger {
	struct idmap_node node;	  /* by the core's request id */
	struct idmap_node ticket; /* by the guard's */
	struct object *object; /* a reference */
	uint64_t start, end, since;
	const char *operation;
	pid_t pid; /* 0: nobody knows */
	uid_t uid;
	char comm[16];
	bool held; /* else it goes on meanwhile */
};

enum pressure { PRESSURE_NONE, PRESSURE_QUOTA, PRESSURE_MEMORY };

struct job {
	struct idmap_node node;
	enum pager_job_type type;
	uint64_t core_job; /* 0: not the core's */
	enum core_cause cause;
	uint64_t holder, window, seal;
	uint64_t start, end;
	uint32_t serial; /* of the request that waits for it */
	uint32_t seq;	 /* of the seal, for its answer */
	bool alive;	 /* asked for the watchdog's sake */
	enum pressure pressure; /* because something is short: so many bytes, of this uid */
	uid_t uid;
	uint64_t wanted;
};

/* Bytes that could not be written. */
struct kept {
	struct idmap_node node;
	struct list link;
	int fd;
	uint64_t seal, start, end, bytes, since;
	int number; /* positive errno */
	uid_t uid;
	pid_t pid;
	char comm[64];
	char *object;
	struct quota_charge charge;
};

/* Why something is refused, collected where it is found out and sent by whoever knows to whom. */
struct refusal {
	enum proto_error code;
	int number; /* errno; 0: the code's own */
	char text[512];
};
