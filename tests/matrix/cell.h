/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A cell of the matrix: one operation against one seal, done for real, and what became of both.
 *
 * The verdict is measured. What is compared is what the promise is about: of a window, the bytes
 * that its holder sees, those that a reader of the file sees, and those that the operation itself
 * read; of a DIRECT seal, where the blocks are. That somebody was asked for the seal is what the
 * holder's own handler says, and it looks whether the promise still held when it was asked.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mapseal.h"
#include "tests/matrix/operations.h"

enum seal { SEAL_READ, SEAL_WRITE, SEAL_DIRECT, SEALS };

/* Who does it, by a descriptor from when. */
enum view {
	STRANGER_AFTER, /* opened while the seal was held, or by name */
	STRANGER_BEFORE,
	HOLDER_AFTER,
	HOLDER_BEFORE,
	HOLDER_GIVEN, /* the one that came with its DIRECT seal */
	VIEWS,
};

enum verdict {
	VERDICT_NONE = '.',	   /* there is no such cell */
	VERDICT_UNSUPPORTED = '-', /* the operation fails without any seal */
	VERDICT_HELD = 'h',	   /* until the holder had given the seal back; then it went on */
	VERDICT_TAKEN = 't',	   /* until the seal was taken, for its holder is who is held */
	VERDICT_DENIED = 'd',
	VERDICT_FLUSHED = 'f',	/* until what the holder had written was in the file */
	VERDICT_PASSED = 'p',	/* and what was promised is still so */
	VERDICT_REFUSED = 'r',	/* the seal, for what had been there before it */
	VERDICT_DETECTED = 'D', /* afterwards, and it is said so */
	VERDICT_WEAK = 'w',	/* not caught; the grant had said that it might be so */
	VERDICT_MISSED = 'X',	/* not caught */
	VERDICT_STRANGE = '?',	/* nothing of all that: a failure */
};

#define LIMIT_MS 30000 /* what takes longer hangs */
#define PAGES	 (FILE_SIZE / MATRIX_PAGE)
#define NOWHERE	 UINT64_MAX

/* What the processes of one cell share. */
struct stage {
	const struct operation *operation;
	enum seal seal;
	enum view view;
	char directory[96], path[128], other[128], spare[128], object[64];
	size_t start, end; /* of the seal */

	unsigned char expected[FILE_SIZE]; /* what the file is to the holder */

	/* the operation */
	struct seen seen;
	int result;
	atomic_bool asked; /* the holder was, so far */
	bool held_back;	   /* ... before the operation began */

	/* the holder, when it got the seal or not */
	int acquired; /* 0 or -errno */
	char words[256];
	bool weak;
	enum mapseal_guard guard;
	uint64_t promised[PAGES]; /* where the blocks of a DIRECT seal are */

	/* ... after the operation */
	bool recalled; /* it was asked for it */
	bool late;     /* ... when the promise was broken already */
	bool held;
	bool kept;     /* ... and the window shows what it did */
	bool reported; /* it was told that the promise was broken */
};

struct cell_result {
	enum verdict verdict;
	char why[160];
};

/* In a process of its own kind each: see holder.c, cell.c. */
int holder_main(int channel, void *stage);

bool is_by_holder(enum view view);

/* What the operation is done with. */
struct doing stage_doing(struct stage *stage);

/* Where the pages of an open file are, or NOWHERE; what is shared, delayed or unwritten is
 * nowhere. */
int places(int fd, uint64_t ret[PAGES]);

struct cell_place {
	const char *directory; /* on the file system, below the export */
	const char *export;
	const char *name;	  /* that no other process uses meanwhile */
	enum mapseal_guard guard; /* that the supervisor may use */
};

/* What the operation does where there is no seal: 0, or -errno. */
int cell_without(const struct cell_place *place, const struct operation *operation,
		 struct stage *stage, char why[160]);

void cell_perform(const struct cell_place *place, const struct operation *operation, enum seal seal,
		  enum view view, struct stage *stage, struct cell_result *ret);
