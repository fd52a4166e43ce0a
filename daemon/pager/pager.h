/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The pager: fills windows with the bytes of objects, writes them back, and takes windows away.
 *
 * It is a thread of its own with its own io_uring, so that a slow disk or a stuck address space
 * never delays the control thread. Jobs go in with pager_submit(), what became of them comes out of
 * pager_next() on the control thread, when pager_get_fd() polls readable. It decides nothing: which
 * window is to be fenced, and when, it is told.
 *
 *	space	 an address space, known by its userfaultfd
 *	object	 what is read and written, known by a descriptor of our own
 *	view	 a memfd holding a range of an object; a WRITE view has one window, a READ view may be
 *		 shared by windows of the same range and right (internal, see view.h)
 *	window	 a view in a space
 *
 * Descriptors in a job belong to the pager once pager_submit() returned 0; those in an event belong
 * to the caller. Ranges are bytes of the object, [start, end). Times are nanoseconds of
 * CLOCK_MONOTONIC.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pager;

struct pager_config {
	uid_t memory_owner;	   /* owns every memfd; a uid that no client has */
	uint32_t readahead_pages;  /* brought in by a random fault; power of two, 1..512 */
	uint32_t sequential_pages; /* ... by a sequential one */
	uint32_t granule_pages;	   /* one first-write fault marks this much dirty; power of two */
	uint32_t max_mappers;	   /* windows that share a READ view */
	uint32_t spin_us;	   /* looks for more faults before it sleeps */
	bool without_poison;	   /* behave as on a kernel before 6.6 / 6.4: for tests */
	bool without_wp_continue;
};

enum pager_job_type {
	PAGER_SPACE_ATTACH, /* space, fd (userfaultfd), pid, uid, address (probe) -> value: features */
	PAGER_SPACE_CLOSE,  /* space: its windows are closed; nothing is served there any more */
	PAGER_OBJECT_OPEN,  /* object, fd, end (size), writable, anonymous */
	PAGER_OBJECT_RESIZED, /* object, end (new size) */
	PAGER_OBJECT_CLOSE, /* object: after its last window */
	PAGER_WINDOW_OPEN,  /* window, space, object, start, end, write, pinnable, right -> fd: memory */
	PAGER_WINDOW_MAP,   /* window, address, start..end is the length mapped */
	PAGER_POPULATE,	    /* window, start, end, write */
	PAGER_FLUSH,	    /* window, start, end: written pages to the object */
	PAGER_COMMIT,	    /* window, start, end: ... and fdatasync -> value: bytes written */
	PAGER_FENCE,	    /* window, start, end, how, discard, limit -> error, fence, quarantine */
	PAGER_REGRANT,	    /* window, start, end: what was parked of it is in force again */
	PAGER_WINDOW_CLOSE, /* window: whoever touches what is left of it gets SIGBUS */
	PAGER_DROP_CLEAN,   /* value: bytes wanted; clean pages of READ views go first */
};

enum pager_how {
	PAGER_HOW_RETURN, /* flush; if that fails nothing is taken. Afterwards SIGBUS */
	PAGER_HOW_REVOKE, /* flush, else quarantine. Afterwards SIGBUS */
	PAGER_HOW_PARK,	  /* flush, else quarantine. Afterwards threads park until REGRANT */
	PAGER_HOW_DEATH,  /* as REVOKE; the space may be gone already */
};

enum pager_fence { /* the values of core_fence, asserted in the wiring */
	PAGER_FENCE_NONE,
	PAGER_FENCE_FENCED,
	PAGER_FENCE_UNFENCED,
	PAGER_FENCE_TORN_POSSIBLE,
};

struct pager_job {
	enum pager_job_type type;
	uint64_t tag; /* comes back in the event; unique among jobs under way */
	uint64_t space, object, window;
	uint64_t start, end;
	uint64_t address;
	uint64_t value;
	uint64_t right; /* READ views are shared only among windows of the same right */
	uint64_t limit; /* FENCE: when an orderly one must be over; then it is torn rather than late;
			   0: it may take as long as it does */
	int fd;
	pid_t pid;
	uid_t uid; /* SPACE_ATTACH: whose processes it counts among */
	enum pager_how how;
	bool write, pinnable, writable, anonymous, discard, kernel_faults;
	bool patient; /* FENCE: the limit is for the holder, not for the disk: writes are waited for,
			 and only pager_force() ends it */
};

enum pager_event_type {
	PAGER_EVENT_DONE,	/* a job, by its tag */
	PAGER_EVENT_SPACE_LOST, /* space: the address space ended (exit, exec) */
	PAGER_EVENT_COMMITTED,	/* never for others than COMMIT: before DONE, for the log */
};

struct pager_event {
	enum pager_event_type type;
	enum pager_job_type job;
	uint64_t tag, space, window;
	int error;	/* 0, or -errno: EBADF no userfaultfd, EBUSY already configured, EPERM of another
			   process, ETIMEDOUT it can't be looked into, EUSERS, EAGAIN too many of that uid, of
			   all, can't be; EFAULT address is no mapping of the memory, EINVAL, ENOSPC, EIO, ... */
	uint64_t value;
	int fd;		/* WINDOW_OPEN: the memory, ready to be passed; else -1 */
	enum pager_fence fence;
	uint64_t quarantined;  /* bytes that could not be written */
	int quarantine_errno;  /* positive */
	int quarantine_fd;     /* read-only memory, byte n is the object's quarantine_start + n, what
				  was not written there is a hole; else -1 */
	uint64_t quarantine_start, quarantine_end;
};

struct pager_stats { /* since the start; dirty and window_bytes are of now */
	uint64_t faults, write_faults, pages_filled, pages_mapped, pages_written, pages_punched;
	uint64_t fences, torn, quarantines, reads_cached, reads_queued, window_bytes;
};

enum { PAGER_E_OWNER = 1 }; /* memory can't be given to the configured owner */

/* Starts the thread. -ENOSYS, -EPERM: no io_uring here. PAGER_E_OWNER: no such uid in this user namespace,
 * or no CAP_CHOWN. */
int pager_new(const struct pager_config *config, struct pager **ret);

struct pager_left {
	unsigned int jobs, reads; /* under way */
	uint64_t bytes;		  /* written in windows and not known to have reached their objects */
	bool stuck;		  /* in somebody's address space; then the rest is not known */
};

/* Ends the thread after what was submitted; windows are left parked, not zeroed. -ETIMEDOUT: it can't end
 * by @until, since disks have what it works with, and is left behind with its memory: *ret says what. */
int pager_end(struct pager *pager, uint64_t until, struct pager_left *ret);

/* The same, unless it was ended before, with a bound of its own. NULL is allowed. */
struct pager *pager_free(struct pager *pager);

int pager_get_fd(const struct pager *pager);

/* Never blocks. -ENOMEM; the descriptor in @job is then still the caller's. The thread hears of it with
 * the next pager_kick(), so that many jobs wake it once. */
int pager_submit(struct pager *pager, const struct pager_job *job);
void pager_kick(struct pager *pager);

/* Ends a FENCE now, from whatever state: dirty pages are copied as they are, memory is emptied. Works
 * though the pager's own thread may be stuck in the holder's address space. */
void pager_force(struct pager *pager, uint64_t tag);

bool pager_next(struct pager *pager, struct pager_event *ret);

void pager_stats(const struct pager *pager, struct pager_stats *ret);

/* Bytes of @window that are written and not clean; any thread. In whole pages; of a range of it. */
uint64_t pager_dirty(const struct pager *pager, uint64_t window);
uint64_t pager_dirty_in(const struct pager *pager, uint64_t window, uint64_t start, uint64_t end);

/* What this kernel's userfaultfd offers, found out once by trying. */
struct pager_kernel {
	uint64_t features; /* UFFD_FEATURE_* */
	bool poison, wp_continue, procmap_query;
};
int pager_probe(struct pager_kernel *ret);
