/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The mechanism behind DIRECT seals: makes block maps that can be promised, looks whether they
 * were kept, and runs the administrator's fence helper.
 *
 * All of that waits for disks and for other programs, so it is done by threads of its own. Jobs go
 * in with direct_submit(), what became of them comes out of direct_next() on the control thread,
 * when direct_get_fd() polls readable. Files on one device never wait for those on another: a disk
 * that is stuck keeps the few threads that wait for it. It decides nothing.
 *
 * Descriptors and references in a job belong to the mechanism once direct_submit() returned 0;
 * those in an event belong to the caller, see direct_event_deinit(). Ranges are bytes of the file,
 * [start, end).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/direct/extents.h"

struct direct;

#define DIRECT_WHY_MAX 320
#define DIRECT_DIFFERENCES_MAX 64 /* told one by one; all are counted */

/* A map that somebody was promised. It is never changed. */
struct direct_map {
	_Atomic unsigned int refs;
	struct extents extents;
};

struct direct_map *direct_map_ref(struct direct_map *map);
struct direct_map *direct_map_unref(struct direct_map *map); /* NULL is allowed; returns NULL */

/* Why a range can't be promised: answers, with words for people beside them. */
enum direct_error {
	DIRECT_E_FILE_SYSTEM = 1, /* moves blocks, or its maps say nothing */
	DIRECT_E_LAYOUT,	  /* shared, inline, encoded extents */
	DIRECT_E_SHRUNK,	  /* the file ends before the range does */
	DIRECT_E_BUSY,		  /* it is changed all the time */
};

enum direct_job_type {
	DIRECT_PREPARE, /* fd (writable), start, end, unshare -> map; also fd, if hand_out */
	DIRECT_VERIFY,	/* fd, start, end, map (promised) -> differences */
	DIRECT_HELPER,	/* helper, facts, start, end, map -> fenced */
};

struct direct_job {
	enum direct_job_type type;
	uint64_t tag;	 /* comes back in the event; unique among jobs under way */
	uint64_t device; /* the file's */
	uint64_t start, end;
	int fd;
	struct direct_map *map; /* PREPARE: NULL, or what is kept outside of the range */
	bool unshare;
	bool asked; /* VERIFY: somebody wants to know; no seal waits for it, nor does it keep one waiting */
	bool hand_out, write; /* a description of its own for the holder: O_RDWR or O_RDONLY */
	char *helper;	      /* a program; malloc */
	char *facts;	      /* NAME=VALUE, each with its NUL, then an empty one; malloc */
};

struct direct_event {
	enum direct_job_type type;
	uint64_t tag;
	int error; /* 0, enum direct_error, or -errno; -ECANCELED: direct_cancel() */
	char why[DIRECT_WHY_MAX]; /* error: for people */
	int fd;			  /* PREPARE, hand_out */
	struct direct_map *map;	  /* PREPARE */
	/* VERIFY */
	uint64_t extents, n_differences, bytes;
	struct extents_difference *differences; /* the first of them */
	/* HELPER: it ended with status 0 */
	bool fenced;
};

/* Closes and frees what nobody has taken. */
void direct_event_deinit(struct direct_event *event);

int direct_new(struct direct **ret);

/* Cancels what is under way and waits a little for it; a thread that a disk keeps is left behind. NULL
 * is allowed; returns NULL. */
struct direct *direct_free(struct direct *direct);

int direct_get_fd(const struct direct *direct);

/* Never waits. -ENOMEM, -EAGAIN (no thread to be had): what is in @job is still the caller's. */
int direct_submit(struct direct *direct, const struct direct_job *job);

/* Nobody waits for it any more: it ends as soon as it can, its event comes all the same. A helper is
 * killed. */
void direct_cancel(struct direct *direct, uint64_t tag);

bool direct_next(struct direct *direct, struct direct_event *ret);
