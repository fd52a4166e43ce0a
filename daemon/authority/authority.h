/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a client may do with which file: shown by a descriptor (proof.h), or said by the
 * administrator (export.h).
 *
 * Functions here return 0, a positive enum authority_error with a sentence for people in @why (what
 * was refused, for what reason, what would do), or -ENOMEM, -EMFILE, -ENFILE.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"

enum authority_error {
	AUTHORITY_E_BAD_DESCRIPTOR = 1, /* proves nothing, whatever is asked: EBADF */
	AUTHORITY_E_DENIED,		/* the right does not go that far: EACCES */
	AUTHORITY_E_UNSUPPORTED,	/* not on this file system: EOPNOTSUPP */
	AUTHORITY_E_UNKNOWN,		/* no such export, no such file in it: ENOENT */
	AUTHORITY_E_BUSY,		/* a lease, or being executed: EAGAIN */
	AUTHORITY_E_IO,			/* the file system failed: EIO */
};

#define AUTHORITY_WHY_MAX 512

/* An open file description that nobody else has: O_RDWR where the file allows it, else O_RDONLY;
 * without O_APPEND, O_DIRECT, O_NONBLOCK. */
struct authority_file {
	int fd; /* the caller's to close */
	bool writable;
	dev_t dev;
	ino_t ino;
	uint64_t size;
};

/* A file, without opening it. */
struct authority_same {
	dev_t dev;
	ino_t ino;
	uint32_t links;
};

/* Which file system each mount is, known from the kernel's tables, never by asking itself. */
struct mounts;

/* @table: NULL for /proc/self/mountinfo. -errno. */
int mounts_new(const char *table, struct mounts **ret);
struct mounts *mounts_free(struct mounts *mounts);
DEFINE_CLEANUP(struct mounts *, mounts_free)

#define MOUNTS_TYPE_MAX 32

/* The type of the mount that @fd was opened on, "ext4"; "tmpfs" for memfds, "hugetlbfs" for huge
 * ones. A mount that is not in our table is looked for in that of @peer (0: nobody). -ENOENT: in
 * neither. */
int mounts_type(struct mounts *mounts, int fd, pid_t peer, char ret[MOUNTS_TYPE_MAX]);
