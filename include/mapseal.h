/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * libmapseal - borrow a file's memory from mapseald, and give it back when asked.
 *
 * A *seal* is a promise about a byte range of an object (a file, or anonymous memory of the
 * supervisor): READ, the bytes do not change while it is held; WRITE, nobody else reads stale bytes
 * or writes. The holder sees the bytes in a *window*, memory that the supervisor fills on demand.
 * When somebody needs the range, the seal is *recalled*: the library waits until no thread is
 * between mapseal_enter() and mapseal_exit(), calls the holder's handler (to drain I/O, deregister
 * memory), and returns the seal. Whoever does not return it by the deadline loses it (*revoked*):
 * its memory is fenced, and touching it is SIGBUS, or parks the thread until the seal is granted
 * again.
 *
 * Conventions
 *	Offsets, lengths and sizes are bytes; times are milliseconds (_ms), 0 means "as long as it
 *	takes". Functions return 0 or a negative errno; what was refused, why, and what to do about
 *	it, in words and numbers, is in mapseal_last_error() of the calling thread. Outputs are not
 *	touched on failure. Nothing prints, exits, or installs signal handlers.
 *
 * Threads
 *	Every function may be called from any thread, with the same connection or different ones,
 *	except that mapseal_close() and mapseal_seal_free() must be the last call on their object,
 *	and mapseal_dispatch() is for one thread at a time. No function is async-signal-safe but
 *	mapseal_enter(), mapseal_exit() and mapseal_address().
 *
 * fork
 *	Seals belong to the process that acquired them. Windows are not inherited (MADV_DONTFORK: a
 *	child that touches one gets SIGSEGV); in a child every call on an inherited object fails
 *	with -ECHILD, except mapseal_close() and mapseal_seal_free(), which release the child's copy
 *	and leave the parent's alone.
 *
 * Semantics of recall, seq and answers follow RFC 8881 (12.5.5, 18.43, 18.44, 20.3, 20.6, 20.7);
 * userfaultfd behaviour is that of Linux 6.1 and later, see userfaultfd(2). mapseal(7) is the
 * introduction. This is one file, however long, because it is the manual too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MAPSEAL_DEFAULT_SOCKET "/run/mapseal/mapseal.sock"

struct mapseal;	      /* a connection to the supervisor */
struct mapseal_seal;  /* a seal held through it, and its window */
struct mapseal_break; /* a range held free by mapseal_break_begin() */
struct mapseal_event; /* what happened that no call asked for */

enum mapseal_mode { MAPSEAL_READ = 1, MAPSEAL_WRITE = 2 };
enum mapseal_kind { MAPSEAL_WINDOW = 1, MAPSEAL_DIRECT = 2 };

/* What a breaker wants to do; values of the protocol's WANT. */
enum mapseal_want {
	MAPSEAL_WANT_READ = 4,	    /* read(2): writers flush, nobody is recalled */
	MAPSEAL_WANT_MAP = 5,	    /* map or execute, never writable */
	MAPSEAL_WANT_MAP_WRITE = 6, /* map writable, shared: recalls the whole file */
	MAPSEAL_WANT_WRITE = 7,	    /* overwrite allocated blocks */
	MAPSEAL_WANT_EXTEND = 8,    /* write into a hole or past the end */
	MAPSEAL_WANT_LAYOUT = 9,    /* truncate, fallocate, reflink, defragment */
};

/* ---- errors ------------------------------------------------------------------------------ */

/*
 * The last failure of the calling thread; valid until the thread's next failing call. Never NULL.
 * `code` is the protocol's name for it ("TRY_LATER", "DENIED", ...), or "" when the library itself
 * or the kernel refused. Holder fields are set when a seal is in the way and may be shown to the
 * caller.
 */
struct mapseal_error {
	int error;	      /* positive errno */
	const char *code;     /* stable, see mapseal-protocol(7) */
	char text[512];	      /* one sentence for people */
	uint64_t seal;	      /* in the way; 0: none */
	pid_t pid;	      /* its holder; 0: unknown */
	uid_t uid;
	char comm[64];
	uint32_t deadline_ms; /* until it is taken; 0: nothing runs */
};

const struct mapseal_error *mapseal_last_error(void);

/* ---- connection -------------------------------------------------------------------------- */

enum {
	/* The library runs a thread that answers recalls; otherwise the caller does, through
	 * mapseal_get_fd() and mapseal_dispatch(). */
	MAPSEAL_THREAD = 1u << 0,
};

struct mapseal_options {
	size_t size;	    /* sizeof(struct mapseal_options): later fields are then known absent */
	const char *socket; /* NULL: $MAPSEAL_SOCKET (not if set-user-id), or the default */
	unsigned int flags; /* MAPSEAL_THREAD; unknown bits are refused (EINVAL) */
	/* Longest I/O that may be outstanding on a seal: a recall waits at least this long; more
	 * than an object's hard limit is refused at acquire. */
	uint32_t max_io_ms;
	/* Told what happened that no call asked for; may be NULL. Called from the agent (the
	 * library's thread, or mapseal_dispatch()); it may call any function but mapseal_close()
	 * and mapseal_dispatch(). */
	void (*on_event)(struct mapseal *m, const struct mapseal_event *event, void *data);
	void *data;
};

/*
 * Connects and says HELLO. @options may be NULL. -ENOENT, -ECONNREFUSED: no supervisor there.
 * -EPROTONOSUPPORT: no version in common. -EDQUOT: too many sessions. -EINVAL: unknown flag or
 * size. -ENOMEM, -EMFILE. Free with mapseal_close().
 */
int mapseal_connect(const struct mapseal_options *options, struct mapseal **ret);

/* Returns every seal (flushing what was written, as munmap of a shared mapping would), ends break
 * holds, stops the thread, unmaps the windows, and frees handles that are left. NULL is allowed;
 * returns NULL. Not from a handler. */
struct mapseal *mapseal_close(struct mapseal *m);

/* A descriptor that polls readable when mapseal_dispatch() has work. Owned by the connection.
 * -EBUSY with MAPSEAL_THREAD. */
int mapseal_get_fd(struct mapseal *m);

/*
 * Does what is due: takes in messages, begins recalls, calls handlers, returns seals whose last
 * thread has left. Never blocks on others' threads. 0, or -ECONNRESET when the supervisor is gone
 * (its seals are then parked: see mapseal_seal_state()), -EBUSY with MAPSEAL_THREAD.
 */
int mapseal_dispatch(struct mapseal *m);

/* ---- seals ------------------------------------------------------------------------------- */

enum {
	MAPSEAL_NO_WAIT = 1u << 0,     /* -EAGAIN (TRY_LATER) rather than wait for others */
	MAPSEAL_WANT_AVAIL = 1u << 1,  /* with NO_WAIT: EVENT_AVAIL when it would be granted */
	MAPSEAL_PINNABLE = 1u << 2,    /* WRITE: pages may be pinned (RDMA, io_uring buffers); every
					* page counts as dirty */
	MAPSEAL_TRANSPARENT = 1u << 3, /* nobody to ask: fenced at once, parked, granted again;
					* needs an export with kernel-faults */
	MAPSEAL_REVOKE_PARK = 1u << 4, /* after a revocation: park and grant again, no SIGBUS */
	MAPSEAL_WEAK_OK = 1u << 6,     /* take it as weak where the guard can't answer for it: without
					* this its guard is told as cooperative; never on an export
					* that is strict */
	MAPSEAL_UNSHARE = 1u << 7,     /* DIRECT: unshare extents that reflinks share, rather than
					* refuse (XFS) */
	MAPSEAL_HARD = 1u << 8,	       /* others get ETXTBSY, rather than this seal recalled; for who
					* has CAP_LINUX_IMMUTABLE, as chattr +i is, else -EACCES; an
					* export with on-conflict = deny gives it to everybody */
};

enum mapseal_verdict {
	MAPSEAL_RETURN = 0, /* I/O is drained: return it now */
	MAPSEAL_DELAY = 1,  /* not yet: ask for *delay_ms more; the handler is called again then */
	MAPSEAL_LATER = 2,  /* the handler's owner calls mapseal_return(), before the deadline */
};

struct mapseal_recall {
	struct mapseal_seal *seal;
	uint64_t offset, length;  /* what is asked for, within the seal; returning more is fine */
	bool map_will_change;	  /* do not write through the window any more (RFC 8881 20.3) */
	uint32_t deadline_ms;	  /* from now, to return it */
	uint32_t hard_ms;	  /* from now, whatever is answered */
	uint32_t delay_ms;	  /* out: for MAPSEAL_DELAY */
	bool whole;		  /* out: return the whole seal rather than what is asked for */
};

/* Called by the agent when no thread is inside mapseal_enter() of the seal; new mapseal_enter()
 * calls already fail. May call mapseal_commit(), mapseal_flush(), mapseal_return() on the seal. */
typedef enum mapseal_verdict (*mapseal_recall_fn)(struct mapseal_recall *recall, void *data);

struct mapseal_request {
	size_t size;	    /* sizeof(struct mapseal_request) */
	const char *object; /* export, export/path, or the name from mapseal_create(); NULL: @fd */
	int fd;		    /* when @object is NULL: an open descriptor of the file, whose mode is
			     * the proof of right: O_RDONLY or O_RDWR for READ, O_RDWR for WRITE.
			     * Not kept. */
	uint64_t offset;    /* page-aligned */
	uint64_t length;    /* bytes; may end unaligned only at the object's end; 0 with offset 0:
			     * the whole object */
	enum mapseal_mode mode;
	enum mapseal_kind kind; /* 0: MAPSEAL_WINDOW */
	unsigned int flags;	/* MAPSEAL_NO_WAIT ... */
	uint64_t token; /* of a break hold that this is part of; 0: $MAPSEAL_TOKEN, if set */
	uint32_t wait_ms;	/* give up after (-ETIMEDOUT); 0: as long as it takes */
	mapseal_recall_fn on_recall; /* NULL: just return it. Ignored with TRANSPARENT */
	void *data;
	int map_flags; /* DIRECT: 0, or flags of mmap(2) that are insisted on: MAP_SHARED, MAP_SYNC
			* (-EOPNOTSUPP without DAX). MAP_PRIVATE is refused (-EINVAL) */
};

/*
 * Acquires a seal and maps its window. The first acquire of a connection attaches the address
 * space.
 *
 * Blocks until granted unless NO_WAIT; without MAPSEAL_THREAD, recalls that arrive meanwhile close
 * their gates and are answered OK at once, but handlers and returns wait for the next
 * mapseal_dispatch(), so event loops use NO_WAIT | WANT_AVAIL.
 *
 * -EINVAL: unknown flag, empty, overflowing or unaligned range, range past the end, bad size;
 * max_io_ms over the object's hard limit (UNBOUNDED). -ENOENT: no such export or path. -EACCES:
 * neither the export nor the descriptor's mode gives the right; HARD without the capability.
 * -EBADF: the descriptor proves nothing (O_PATH, access mode 3) or is no regular file.
 * -EOPNOTSUPP: file system, kind or kernel; a strict export where strangers can't be heard of.
 * -EAGAIN: TRY_LATER. -EBUSY: this connection itself is being asked for the range; or the export is
 * strict, and somebody has the file open since before it could be guarded, or may still be at work
 * there (OUTSIDERS: mapseal_last_error() names their pids, as far as /proc tells them). -EDEADLK:
 * this connection already holds a seal there that would be incoherent with it. -ETXTBSY: a hard
 * seal is in the way. -ETIMEDOUT. -EDQUOT: over the uid's quota. -EPERM: TRANSPARENT on an export
 * without kernel-faults. -ENOMEM, -ECONNRESET, -ECHILD.
 */
int mapseal_acquire(struct mapseal *m, const struct mapseal_request *request,
		    struct mapseal_seal **ret);

/*
 * DIRECT seals: the holder maps the file itself, and the supervisor promises where its blocks are.
 * Only on ext4 and XFS, and only with the right to write the file, for READ too (-EACCES): who may
 * only read must not keep others from writing. The range is allocated and written (zeros) where it
 * was not, and synced, before it is granted: -ENOSPC, -EDQUOT, -EIO if that fails. -EOPNOTSUPP:
 * extents are shared (see UNSHARE), inline or encoded, or the file system moves blocks that are
 * overwritten.
 *
 * The mapping is MAP_SHARED; MAP_SYNC where the file system has DAX. When a range is returned the
 * library puts a fence in its place before the supervisor hears of it: a thread that comes late
 * parks there, and the range is asked for again, like any acquire; when it is granted mapseal_id()
 * is another, the event is MAPSEAL_EVENT_REGRANTED, and the thread goes on. The agent does that:
 * who runs it by mapseal_dispatch() must not touch what was returned. A system call on a fence
 * gets EFAULT.
 *
 * After a revocation the library does the same with REVOKE_PARK, and else makes the range SIGBUS,
 * as soon as its agent hears of it. Nobody else can: what a holder that is stuck, or whoever it
 * gave the extents to, still does to those blocks is not known, and reported as "unfenced".
 *
 * mapseal_fd() is the file, opened for reading (READ) or for reading and writing (WRITE), and
 * stays the seal's. Changing the block map through it is -ETXTBSY where strangers are held, and the
 * end of what was promised where they are not.
 */
int mapseal_fd(const struct mapseal_seal *seal); /* -EINVAL: a WINDOW seal */
bool mapseal_is_pmem(const struct mapseal_seal *seal); /* MAP_SYNC holds */

/*
 * Makes what was stored in [address, address + length) durable: once it returned 0 it survives a
 * crash. With MAP_SYNC that is a flush of the processor's caches in user space (libpmem), without
 * a system call; elsewhere msync(2). On a WINDOW it is mapseal_commit(). Call it inside
 * mapseal_enter(), or from the recall handler. -EINVAL: not within the seal. -EACCES: READ seal.
 * -ESTALE: not held. -EIO, -ENOSPC.
 */
int mapseal_persist(struct mapseal_seal *seal, const void *address, size_t length);

enum { /* besides the place of an extent */
	MAPSEAL_EXTENT_UNWRITTEN = 1u << 0,
	MAPSEAL_EXTENT_SHARED = 1u << 1,
	MAPSEAL_EXTENT_INLINE = 1u << 2,
	MAPSEAL_EXTENT_ENCODED = 1u << 3,
	MAPSEAL_EXTENT_DELAYED = 1u << 4,
};

struct mapseal_extent {
	uint64_t offset;   /* bytes, in the object */
	uint64_t physical; /* bytes, on the device of its file system */
	uint64_t length;
	uint32_t flags; /* none of a map that was promised */
};

#define MAPSEAL_NOWHERE UINT64_MAX

struct mapseal_difference {
	uint64_t offset, length;
	uint64_t promised, now; /* bytes, on the device; MAPSEAL_NOWHERE: a hole */
	uint32_t flags;		/* as it is now */
};

struct mapseal_verified {
	uint64_t extents;     /* that the range has now */
	uint64_t differences; /* all of them; the callback sees the first */
	uint64_t bytes;	      /* that are not where they were promised to be */
};

/*
 * The extents that were promised under DIRECT seal @seal, in order; and whether they are still so.
 * The seal may be another session's, if this one may see it. Neighbours are told as one. The
 * callback returns non-zero to stop (which is then returned), and may call nothing of this
 * library; @fn and @ret of mapseal_verify() may be NULL. A difference is a broken promise, see
 * MAPSEAL_EVENT_BROKEN. -ESTALE: no such seal, or given back meanwhile. -EOPNOTSUPP: a WINDOW
 * seal. -EIO.
 */
int mapseal_extents(struct mapseal *m, uint64_t seal,
		    int (*fn)(const struct mapseal_extent *extent, void *data), void *data);
int mapseal_verify(struct mapseal *m, uint64_t seal,
		   int (*fn)(const struct mapseal_difference *difference, void *data), void *data,
		   struct mapseal_verified *ret);

/* Returns the seal if it is still held (written pages are flushed), unmaps the window, frees. NULL
 * is allowed; returns NULL. A failure to flush at this point leaves the bytes to the supervisor,
 * which writes or quarantines them: call mapseal_return() first to know. */
struct mapseal_seal *mapseal_seal_free(struct mapseal_seal *seal);

/* Where offset mapseal_offset() of the object is. The address is constant for the seal's life; what
 * is returned or revoked of it is SIGBUS (or parks) from then on. A READ window is read-only; what
 * other readers hold too may stay readable after its return until they have given it back, and never
 * shows other bytes than before. */
void *mapseal_address(const struct mapseal_seal *seal);
uint64_t mapseal_offset(const struct mapseal_seal *seal);
uint64_t mapseal_length(const struct mapseal_seal *seal);
uint64_t mapseal_id(const struct mapseal_seal *seal);
/* At the grant, or the last re-grant. */
uint64_t mapseal_object_size(const struct mapseal_seal *seal);
uint32_t mapseal_seq(const struct mapseal_seal *seal);

enum mapseal_state {
	MAPSEAL_HELD,
	MAPSEAL_RECALLED, /* held, asked for */
	MAPSEAL_PARKED,	  /* fenced, to be granted again: threads that touch it wait */
	MAPSEAL_RETURNED, /* given back, all of it */
	MAPSEAL_REVOKED,  /* taken: touching it is SIGBUS */
};
enum mapseal_state mapseal_seal_state(const struct mapseal_seal *seal);
/*
 * How strangers, who never heard of mapseal, are kept from what the seal forbids: mapseal(7),
 * GUARDS. As it was granted; what each guard catches is a table, mapseal-matrix(7).
 *
 * FANOTIFY: each operation is held by itself until the seal is back, or denied. LEASE: who opens
 * the file, or truncates it by name, is held; what is open already is not. COOPERATIVE: nobody is
 * heard of, or somebody may be who is not (and WEAK_OK was not given): the seal is a promise among
 * those who ask.
 */
enum mapseal_guard { MAPSEAL_GUARD_COOPERATIVE, MAPSEAL_GUARD_LEASE, MAPSEAL_GUARD_FANOTIFY };
enum mapseal_guard mapseal_seal_guard(const struct mapseal_seal *seal);
/* The guard can't answer for it: only with MAPSEAL_WEAK_OK, and as it was granted. How it is now,
 * mapseal_list_seals() says. */
bool mapseal_seal_is_weak(const struct mapseal_seal *seal);

/* Brings pages in (mode READ), or in and writable (mode WRITE: they count as dirty until return),
 * so that system calls may use them: without kernel-faults a system call on an absent or
 * write-protected page gets EFAULT, see userfaultfd(2) UFFD_USER_MODE_ONLY. Call it inside
 * mapseal_enter(). Where memory is reclaimed they stay as far as RLIMIT_MEMLOCK lets them be locked,
 * see mlock(2). Bytes of the object; rounded to pages. -EINVAL, -ESTALE (not held), -EIO,
 * -ENOMEM. */
int mapseal_populate(struct mapseal_seal *seal, uint64_t offset, uint64_t length,
		     enum mapseal_mode mode);

/* Makes written pages visible to others, or durable (fdatasync; once it returned 0 the bytes
 * survive a crash). For commit no I/O into the range may be outstanding, and threads may go on
 * writing: what is written meanwhile belongs to the next commit. The object is never extended.
 * Ranges are rounded to pages. -ENOSPC, -EDQUOT, -EIO: nothing is lost, the pages stay dirty, try
 * again. -EACCES: READ seal. -ESTALE: not held. */
int mapseal_flush(struct mapseal_seal *seal, uint64_t offset, uint64_t length);
int mapseal_commit(struct mapseal_seal *seal, uint64_t offset, uint64_t length);

enum { MAPSEAL_DISCARD = 1u << 0 /* forget what was written and not committed */ };

/*
 * Returns a page-aligned part of the seal, or all of it (offset and length of the seal). Waits for
 * threads inside mapseal_enter() unless called from the recall handler or from inside (-EDEADLK
 * then: leave first). What was written is flushed, for as long as the disk takes, and if that fails
 * (-ENOSPC, -EIO) nothing is given back. If others wait for the range meanwhile they do so for no
 * longer than for a recall; then it is revoked, and this is -EIDRM. After a part was returned the rest stays held; a part in the middle leaves two halves,
 * which this object goes on holding as one. -EINVAL: range. -ESTALE: not held.
 */
int mapseal_return(struct mapseal_seal *seal, uint64_t offset, uint64_t length, unsigned int flags);

/* ---- the fast path ----------------------------------------------------------------------- */

/*
 * mapseal_enter() announces that the calling thread uses the window; until mapseal_exit() a recall
 * waits for it (at most to the deadline). 0, or -ESTALE when the seal is recalled, returned or
 * revoked: do not touch the window, acquire again. Calls nest, exits in reverse order of enters, at
 * most MAPSEAL_NEST deep (-EOVERFLOW). A thread that is inside when a recall begins finds all its
 * faults served.
 *
 * The cost is a store, a load and a branch (the recalling side pays with membarrier(2)). The
 * functions below are inline; the ABI they rely on is the first fields of struct mapseal_gate and
 * struct mapseal_self.
 */
#define MAPSEAL_NEST 8

struct mapseal_gate { /* begins every struct mapseal_seal */
	uint32_t closed;
};

struct mapseal_self { /* one a thread */
	uint32_t depth;
	uint32_t ready; /* registered with the library */
	const struct mapseal_gate *inside[MAPSEAL_NEST];
};

extern __thread struct mapseal_self mapseal_self __attribute__((__tls_model__("initial-exec")));

int mapseal_enter_slow(struct mapseal_seal *seal); /* a thread's first, nesting, closed gate */
void mapseal_exit_slow(struct mapseal_seal *seal); /* somebody waits for this thread to leave */

static inline int mapseal_enter(struct mapseal_seal *seal)
{
	struct mapseal_self *self = &mapseal_self;
	struct mapseal_gate *gate = (struct mapseal_gate *)(void *)seal;
	uint32_t depth = self->depth;

	if (__builtin_expect(!self->ready || depth != 0, 0))
		return mapseal_enter_slow(seal);
	self->depth = 1; /* before the rest: a signal handler that enters finds the place taken */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&self->inside[0], gate, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* when it matters membarrier(2) does the rest */
	if (__builtin_expect(__atomic_load_n(&gate->closed, __ATOMIC_ACQUIRE) != 0, 0)) {
		__atomic_store_n(&self->inside[0], (struct mapseal_gate *)0, __ATOMIC_RELEASE);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		self->depth = 0;
		return mapseal_enter_slow(seal);
	}
	return 0;
}

static inline void mapseal_exit(struct mapseal_seal *seal)
{
	struct mapseal_self *self = &mapseal_self;
	struct mapseal_gate *gate = (struct mapseal_gate *)(void *)seal;
	uint32_t depth = --self->depth;

	__atomic_store_n(&self->inside[depth], (struct mapseal_gate *)0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(__atomic_load_n(&gate->closed, __ATOMIC_RELAXED) != 0, 0))
		mapseal_exit_slow(seal);
}

/* ---- events ------------------------------------------------------------------------------ */

enum mapseal_event_type {
	MAPSEAL_EVENT_REVOKED,	 /* seal, fence, quarantined: it was taken */
	MAPSEAL_EVENT_PARKED,	 /* seal, fence: fenced, to be granted again */
	MAPSEAL_EVENT_REGRANTED, /* seal: in force again; object size may have changed */
	MAPSEAL_EVENT_RETURNED,	 /* seal, offset, length: the agent returned what was recalled */
	MAPSEAL_EVENT_RECALL_ANY, /* keep: return seals of your choice until this many are left;
				   * else the oldest are recalled, after deadline_ms */
	MAPSEAL_EVENT_AVAIL,	 /* object id, offset, length: ask again now */
	MAPSEAL_EVENT_BREAK_EXPIRED, /* brk: the longest hold was reached, nothing is held */
	/* The supervisor is gone. Threads that touch a window wait until the application has its
	 * seal freed, or closes: they then get SIGSEGV, and never zeros. */
	MAPSEAL_EVENT_DISCONNECTED,
	/* seal, offset, length: the blocks under a DIRECT seal were moved, freed or shared by
	 * somebody whom no guard kept from it. Its extents must not be used any more. */
	MAPSEAL_EVENT_BROKEN,
};

struct mapseal_event {
	enum mapseal_event_type type;
	struct mapseal_seal *seal;
	struct mapseal_break *brk;
	const char *fence; /* "none", "fenced", "unfenced", "torn-possible" */
	uint64_t quarantined;
	uint32_t keep;
	uint64_t object, offset, length;
};

/* ---- breaks ------------------------------------------------------------------------------ */

enum {
	MAPSEAL_BREAK_NO_WAIT = 1u << 0,	 /* -EAGAIN rather than recall */
	MAPSEAL_BREAK_HOLD = 1u << 2,		 /* keep the range free until mapseal_break_end() */
	MAPSEAL_BREAK_MAP_WILL_CHANGE = 1u << 3, /* holders: no more writes through the window */
};

struct mapseal_break_request {
	size_t size; /* sizeof(struct mapseal_break_request) */
	const char *object;
	int fd; /* as in struct mapseal_request; needs the right to do the operation */
	uint64_t offset, length; /* page-aligned; length 0: to infinity, as truncation needs */
	enum mapseal_want want;
	unsigned int flags;
	uint64_t token;	  /* as in struct mapseal_request */
	uint32_t wait_ms; /* 0: as long as it takes, which the hard limits bound */
	uint32_t hold_ms; /* HOLD: longest wished for; 0: the longest the supervisor gives */
};

/* One holder's line in the account of a break. Strings are static: answer "none" "ok" "delay"
 * "no-matching"; result "pending" "returned" "no-matching" "revoked" "parked" "flushed" "gone";
 * fence "none" "fenced" "unfenced" "torn-possible". */
struct mapseal_account {
	uint64_t seal;
	pid_t pid;
	uid_t uid;
	char comm[64];
	const char *answer, *result, *fence;
	uint32_t ms;
	uint64_t quarantined;
	uint32_t registrations; /* revoked: with RDMA devices, that its process still has; they go on */
	uint64_t registered;	/* writing, into nothing if it was a window. Bytes of these */
};

/*
 * Recalls what is in the way of an operation and, with HOLD, keeps the range free until
 * mapseal_break_end(): a kernel would hold the inode lock there. What the holder of the range
 * starts itself carries mapseal_break_token(), so that it does not wait for itself; everybody else
 * gets -EAGAIN meanwhile. The object is returned on refusal too, with the account and outcome; *ret
 * is untouched only when the request never got that far.
 *
 * 0: the range is free. -ETXTBSY: a hard seal. -EBUSY: a cycle. -ETIMEDOUT: wait_ms. -EAGAIN:
 * NO_WAIT, or somebody's hold. -EIO: a flush failed. Others as for mapseal_acquire(). Free with
 * mapseal_break_end().
 */
int mapseal_break_begin(struct mapseal *m, const struct mapseal_break_request *request,
			struct mapseal_break **ret);
uint64_t mapseal_break_token(const struct mapseal_break *b); /* 0: nothing is held */
uint64_t mapseal_break_id(const struct mapseal_break *b);
uint32_t mapseal_break_ms(const struct mapseal_break *b);      /* how long it took */
uint32_t mapseal_break_hold_ms(const struct mapseal_break *b); /* granted */
/* "granted", "denied", "busy", "timed-out", "try-later", "failed", "withdrawn". */
const char *mapseal_break_outcome(const struct mapseal_break *b);
size_t mapseal_break_account(const struct mapseal_break *b, const struct mapseal_account **ret);

/* Ends the hold and frees. NULL is allowed. 0, or -ESTALE when it had expired before: others may
 * have been there. */
int mapseal_break_end(struct mapseal_break *b);

/* ---- anonymous objects ------------------------------------------------------------------- */

/* Makes an object of zeros with no file behind. @name (64 bytes) is what sessions of the same uid
 * acquire it by. It lives as long as this connection or any seal on it. -EINVAL: size 0.
 * -EDQUOT. */
int mapseal_create(struct mapseal *m, uint64_t size, char name[64]);

/* ---- looking ----------------------------------------------------------------------------- */

struct mapseal_seal_info {
	uint64_t id;
	const char *object; /* strings are valid during the callback */
	uint64_t offset, length;
	const char *mode, *kind, *state, *guard;
	uint32_t seq;
	bool pinnable, transparent, weak, hard;
	pid_t pid;
	uid_t uid;
	const char *comm;
	uint64_t held_ms;
	uint32_t deadline_ms; /* recalled: time left, else 0 */
	uint64_t dirty;	      /* bytes */
	bool broken;	      /* DIRECT: its block map was changed under it */
};

struct mapseal_break_info {
	uint64_t id;
	const char *object;
	uint64_t offset, length; /* length 0: to infinity */
	const char *want;
	bool held, is_break;
	pid_t pid;
	uid_t uid;
	const char *comm;
	uint64_t ms;
	const struct mapseal_account *account;
	size_t n_account;
};

struct mapseal_quarantine_info {
	uint64_t id, seal;
	const char *object;
	uint64_t offset, length, bytes;
	int error; /* positive errno of the write */
	uid_t uid;
	uint64_t age_ms;
};

struct mapseal_change {
	const char *change; /* "granted", "recalled", ... as in mapseal-protocol(7) */
	uint64_t time_ms;   /* CLOCK_REALTIME */
	uint64_t id;
	const char *object;
	uint64_t offset, length;
	pid_t pid;
	uid_t uid;
	const char *comm;
	const char *detail;
};

struct mapseal_status {
	uint64_t epoch;
	pid_t pid;
	uint64_t uptime_ms;
	uint32_t sessions, seals, objects, breaks;
	uint64_t window_bytes, quarantined;
	uint64_t grants, recalls, returns, revocations, faults, pages_filled, pages_written;
	enum mapseal_guard guard; /* the strongest there is; a seal's own may be weaker */
	uint32_t strangers;	  /* programs that a guard holds in the kernel now, */
	uint64_t strangers_held, strangers_denied; /* and since the start */
	uint64_t broken_promises; /* block maps found changed under DIRECT seals */
	char version[32];
	/* of this session */
	uint64_t max_window_bytes;
	uint32_t max_seals, deadline_ms, hard_ms, hold_ms;
	bool poison, wp_continue, kernel_faults; /* what supervisor and kernel can do */
};

/* Root sees everything; others their own seals and those on objects they have proved access to on
 * this connection. @id 0: all. The callback returns non-zero to stop (which is then returned). It
 * may call nothing of this library. */
int mapseal_list_seals(struct mapseal *m, uint64_t id,
		       int (*fn)(const struct mapseal_seal_info *info, void *data), void *data);
int mapseal_list_breaks(struct mapseal *m, uint64_t id,
			int (*fn)(const struct mapseal_break_info *info, void *data), void *data);
int mapseal_list_quarantine(struct mapseal *m, uint64_t id,
			    int (*fn)(const struct mapseal_quarantine_info *info, void *data),
			    void *data);
int mapseal_get_status(struct mapseal *m, struct mapseal_status *ret);

/* From here on the agent calls @fn for every change the session may see. Once a connection
 * (-EBUSY). */
int mapseal_watch(struct mapseal *m, void (*fn)(const struct mapseal_change *change, void *data),
		  void *data);

/* Bytes that could not be written when a break had to go on. A new read-only descriptor of memory
 * in which the byte at file offset *ret_offset + n is at n; what was not written there is a hole.
 * The caller closes it. -EACCES: not the owner. -ENOENT. */
int mapseal_quarantine_open(struct mapseal *m, uint64_t id, uint64_t *ret_offset,
			    uint64_t *ret_length);
int mapseal_quarantine_drop(struct mapseal *m, uint64_t id);

#ifdef __cplusplus
}
#endif
