/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a stranger, or the holder itself, does to a sealed file: one table, operations.def, and a
 * small function for each kind of operation. The functions know nothing of seals.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 *	0	 64K	   96K 112K	128K	      192K     224K	256K	320K
 *	| data	 | data	    | hole | data | data	| data	 | data	 |	 |
 *		 [ the seal				)
 *			     HOLE	 INSIDE			 BEHIND	 SIZE	 PAST
 */
#define MATRIX_PAGE ((size_t)4096)
#define SEAL_START  ((size_t)64 << 10)
#define HOLE_START  ((size_t)96 << 10)
#define HOLE_END    ((size_t)112 << 10)
#define INSIDE	    ((size_t)128 << 10)
#define SEAL_END    ((size_t)192 << 10)
#define BEHIND	    ((size_t)224 << 10)
#define FILE_SIZE   ((size_t)256 << 10)
#define PAST	    ((size_t)320 << 10)

/* A script's exit status tells whether it was run as its holder had changed it. */
#define SCRIPT_TRUE  "#!/bin/true\n"
#define SCRIPT_FALSE "#!/bin/false\n"

struct seen { /* bytes of the sealed file that were read, as far as any were */
	size_t at, n;
	unsigned char bytes[4096];
};

struct doing {
	const char *directory;
	const char *path;  /* the sealed file, in it */
	const char *other; /* another one beside it, for operations that take two */
	const char *spare; /* a name that nothing has */
	int fd;		   /* on the sealed file, as the operation wants it; -1: by name */
	void *map;	   /* of all of it, made with the descriptor */
	struct seen *seen;
	uint64_t a, b; /* of the operation */
};

enum operation_flag {
	BY_NAME = 0,	       /* no descriptor */
	READS = 1u << 0,       /* one that reads */
	WRITES = 1u << 1,      /* one that reads and writes */
	APPENDS = 1u << 2,     /* ... with O_APPEND */
	UNCACHED = 1u << 3,    /* ... with O_DIRECT */
	MAPPED = 1u << 4,      /* what counts is that the mapping was there before the seal */
	AS_ROOT = 1u << 5,     /* takes privileges; else any uid will do */
	TWO_FILES = 1u << 6,   /* the other one has other bytes */
	TWINS = 1u << 7,       /* the other one has the same */
	ALL_SEALED = 1u << 8,  /* the seal is on the whole file */
	NO_HOLE = 1u << 9,     /* a file without one, with the header of a swap file */
	OVERWRITES = 1u << 10, /* may change the page that the holder had written */
	BELOW_ALL = 1u << 11,  /* below the file system: no guard can catch it */
	UNHEARD = 1u << 12,    /* what it does makes no event; that it is there is heard of later */
};

struct operation {
	const char *name;
	unsigned int flags;
	int (*fn)(const struct doing *doing); /* 0, or -errno */
	uint64_t a, b;
};

extern const struct operation operations[];
extern const size_t n_operations;

/* The descriptor that an operation is done on, and its mapping; -errno. */
int operation_open(const struct operation *operation, struct doing *doing);

static inline int negative(long result)
{
	return result < 0 ? -errno : 0;
}

/* All of @n bytes went through, or -EIO. */
static inline int whole(ssize_t result, size_t n)
{
	return result < 0 ? -errno : (size_t)result == n ? 0 : -EIO;
}

/* A page that is in no file, aligned for O_DIRECT. */
extern unsigned char strange_page[4096];

/* What the functions that copy from the file read at the other end. */
int see_other(const struct doing *doing, size_t at_there, size_t at_here);
