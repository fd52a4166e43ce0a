/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of guards share: strangers, who have never heard of the supervisor and do
 * something to a file, and keepers, who hold a seal on it and do what the test says.
 *
 * A stranger that is not held though it should be has said how it went before the keeper has
 * said that it was asked; that is what heard_first() looks for. Nothing here waits for time.
 */

#include "tests/system/rig.h"

#define STRANGER_UID (RIG_UID - 1)

/* For a section: who is asked does as the test says, however long that takes. */
#define PATIENT "deadline-ms = 120000\nhard-ms = 120000\n"

/* The same, with deadlines that are over soon: of who never gives back. */
#define SHORT "deadline-ms = 200\nhard-ms = 200\n"

/* rig_new(); leaves with 77 and a reason where fanotify does not hold accesses. */
struct rig *fanotify_rig(void);

/* rig_file(), which everybody may open. */
const char *common_file(struct rig *rig, const char *name, uint64_t size, unsigned int seed);

/* The file is made anew, with the same inode, by root. Nothing is sealed. */
void file_again(const char *path, uint64_t size, unsigned int seed);

/* Everything in the file is as rig_file() made it, up to @size, which is its end. */
void file_is(const char *path, uint64_t size, unsigned int seed);
unsigned char file_byte(const char *path, uint64_t offset);

/* ---- strangers --------------------------------------------------------------------------- */

struct deed {
	const char *name;
	/* What the system call returned, or -errno. */
	int64_t (*fn)(const struct deed *deed, int channel);
	uint64_t offset, length;
	const char *path;
};

int64_t deed_write(const struct deed *deed, int channel); /* 'n', @length of them */
int64_t deed_read(const struct deed *deed, int channel);  /* the byte at @offset */
int64_t deed_truncate(const struct deed *deed, int channel); /* to @offset */
int64_t deed_ftruncate(const struct deed *deed, int channel);
int64_t deed_open_truncate(const struct deed *deed, int channel);
int64_t deed_open_write(const struct deed *deed, int channel);
int64_t deed_punch(const struct deed *deed, int channel);

/* Begins @deed as STRANGER_UID, with @path. */
struct actor stranger_start(const struct deed *deed, const char *path);
bool stranger_is_held(const struct actor *stranger); /* at least it has not said how it went */
int64_t stranger_end(struct actor *stranger);	     /* how it went, and it is gone */
void stranger_goes_on(const struct deed *deed, const char *path, int64_t result);

/* ---- keepers ----------------------------------------------------------------------------- */

struct keeping {
	const char *object; /* NULL: "file" */
	uint64_t offset, length;
	enum mapseal_mode mode;
	enum mapseal_kind kind;
	unsigned int flags;
	enum mapseal_guard guard; /* that it must get */
};

/* Holds a seal until told "end", and says "recalled" when it is asked for it. */
struct actor keeper_start(const struct keeping *keeping);

/* Lets it do one of these:
 *	old	    all bytes under the seal are those of seed 1
 *	new	    the first page of it is 'n', the rest is of seed 1
 *	write	    fills the first page with 'w'
 *	undisturbed the seal is held, and it was never asked
 *	lapsed	    the seal is held, and it may have been asked
 *	revoked	    it was taken
 *	return	    gives all of it back
 */
void keeper_does(struct actor *keeper, const char *what);
void keeper_end(struct actor *keeper);

/* @word from @actor, before @other says anything. */
void heard_first(const struct actor *actor, const char *word, const struct actor *other);
