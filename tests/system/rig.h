/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The rig of the system tests: a real supervisor as root, real processes under another uid.
 *
 * A test is one behaviour: it makes a rig, lets actors (forked children that gave up root) use the
 * public library, and looks. Processes agree on order by cues, short words over a socket, never by time.
 * Whatever hangs is ended by an alarm and is then a failure. expect() says what was expected and where.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "mapseal.h"

#define RIG_UID 65534 /* actors' uid and gid, unless told otherwise */

#define KiB ((uint64_t)1 << 10)
#define MiB ((uint64_t)1 << 20)
#define GiB ((uint64_t)1 << 30)

/* ---- expectations ------------------------------------------------------------------------ */

/* Called before a failed test ends; for what must not outlive it. */
extern void (*expect_last_words)(void);

void expect_failed(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			expect_failed(__FILE__, __LINE__, "%s", #condition);                       \
	} while (0)

#define expect_eq(a, b)                                                                            \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (a_ != b_)                                                                      \
			expect_failed(__FILE__, __LINE__, "%s is %lld, expected %s = %lld", #a,    \
				      a_, #b, b_);                                                 \
	} while (0)

#define expect_str(a, b)                                                                           \
	do {                                                                                       \
		const char *a_ = (a), *b_ = (b);                                                   \
		if (!a_ || strcmp(a_, b_) != 0)                                                    \
			expect_failed(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #a,     \
				      a_ ? a_ : "(null)", b_);                                     \
	} while (0)

/* A library call that must succeed; says what the library says if it does not. */
#define must(call)                                                                                 \
	do {                                                                                       \
		int r_ = (call);                                                                   \
		if (r_ < 0)                                                                        \
			expect_failed(__FILE__, __LINE__, "%s: %d (%s %s)", #call, r_,             \
				      mapseal_last_error()->code, mapseal_last_error()->text);     \
	} while (0)

/* A library call that must be refused with this errno. */
#define must_refuse(call, errno_)                                                                  \
	do {                                                                                       \
		int r_ = (call);                                                                   \
		if (r_ != -(errno_))                                                               \
			expect_failed(__FILE__, __LINE__, "%s: %d, expected %s = %d (%s %s)",      \
				      #call, r_, "-" #errno_, -(errno_),                           \
				      r_ < 0 ? mapseal_last_error()->code : "",                    \
				      r_ < 0 ? mapseal_last_error()->text : "");                   \
	} while (0)

/* ---- the supervisor ---------------------------------------------------------------------- */

struct rig {
	char dir[64];	 /* root-only is what the test puts there; the directory itself is 0755 */
	char socket[96];
	char config[96];
	pid_t supervisor;
	int activated; /* > 0: a socket that is passed to the supervisor, as systemd does */
	int notified;  /* where the supervisor's notifications come in */
	bool keeps_log;
};

/* Leaves with 77 and a reason when not run as root. */
void rig_requires_root(void);

/* Leaves with 77 in instrumented builds, where @reason holds. */
void rig_skip_sanitized(const char *reason);

/* Starts the supervisor with this configuration (NULL: none) and waits until it says that it is ready. @format
 * may name files of the rig by %s with rig_path(). Sets $MAPSEAL_SOCKET. */
struct rig *rig_new(void);
void rig_start(struct rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with one export, "file", which everybody may read and write. @format (NULL: nothing) is
 * what else its section says. */
void rig_start_file(struct rig *rig, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The configuration of a test that plays the stranger itself, whom no guard is to keep from it. */
#define RIG_UNGUARDED "[daemon]\nguard = cooperative\n"

/* In a child: becomes the supervisor, with the configuration there is. */
void rig_exec(struct rig *rig) __attribute__((noreturn));

/* Waits until the supervisor has said @word by sd_notify(3); its end before that is a failure. */
void rig_wait_notified(struct rig *rig, const char *word);

/* Before the start: what the supervisor logs is kept, and shown when it is stopped. How many lines of it have @text. */
void rig_keep_log(struct rig *rig);
unsigned int rig_logged(struct rig *rig, const char *text);

/* Ends the supervisor, which must leave in good order. */
void rig_stop(struct rig *rig);

/* ... and removes the directory. */
struct rig *rig_free(struct rig *rig);

const char *rig_path(struct rig *rig, const char *name); /* static buffers, 32 at a time */

/* A file of @size bytes only root can open, byte n being rig_byte(seed, n). */
const char *rig_file(struct rig *rig, const char *name, uint64_t size, unsigned int seed);
unsigned char rig_byte(unsigned int seed, uint64_t n);
void rig_fill(unsigned char *bytes, uint64_t offset, size_t size, unsigned int seed);
bool rig_same(const volatile unsigned char *bytes, uint64_t offset, size_t size, unsigned int seed);

/* Mounts an ext4, XFS or tmpfs of @size bytes in the rig; unmounted by rig_free(). Where $MAPSEAL_TEST_DAX names a block
 * device of persistent memory, a disk's file system is made there, with DAX. */
const char *rig_mount(struct rig *rig, const char *name, const char *type, uint64_t size);

/* The file is as rig_file() made it, but for [at, at + n), which is all @byte. */
void rig_file_is(const char *path, size_t size, unsigned int seed, size_t at, size_t n,
		 unsigned char byte);

/* A loop device of an open file, for whoever may make one: its descriptor, with whose last copy it is
 * gone; -errno. */
int rig_attach(int file);

/* Freezes it: whatever is written there hangs until rig_thaw(), which the end of the test does too,
 * whichever way it ends. One at a time. */
void rig_freeze(const char *mount);
void rig_thaw(void);

/* ---- actors ------------------------------------------------------------------------------ */

struct actor {
	pid_t pid;
	int channel; /* to it */
};

/* Runs @fn(channel, data) in a child under RIG_UID; it ends with what @fn returns. */
struct actor actor_start(int (*fn)(int channel, void *data), void *data);
struct actor actor_start_as(uid_t uid, gid_t gid, int (*fn)(int channel, void *data), void *data);

/* Waits for its end, which must be an exit with 0. */
void actor_join(struct actor *actor);

/* All of a test that is one actor, with one file of @size bytes to seal ("file"). What main() returns. */
int actor_alone(uint64_t size, int (*fn)(int channel, void *data));
void actor_kill(struct actor *actor, int signal); /* and waits */

/* Cues. cue_wait() fails if another word comes, or nobody is there any more. */
void cue(int channel, const char *word);
void cue_wait(int channel, const char *word);
void cue_number(int channel, uint64_t number);
uint64_t cue_wait_number(int channel);

/* ---- the library, shorter ---------------------------------------------------------------- */

struct mapseal *client(unsigned int flags); /* connected, or the test fails */

/* The whole of an export; length 0: to the end. */
struct mapseal_seal *hold(struct mapseal *m, const char *object, uint64_t offset, uint64_t length,
			  enum mapseal_mode mode, unsigned int flags);
struct mapseal_seal *hold_with(struct mapseal *m, const char *object, uint64_t offset,
			       uint64_t length, enum mapseal_mode mode, unsigned int flags,
			       mapseal_recall_fn on_recall, void *data);

/* Waits until the holder has heard what the breaker knows already: they are told at the same time, by two sockets. */
void await_state(const struct mapseal_seal *seal, enum mapseal_state state);

/* Watches through @m, which has no thread, and waits until some seal undergoes @change ("recalled", ...). Threads
 * of the library and forks do not go together under every sanitizer, so who forks has none. */
void change_watch(struct mapseal *m);
void change_wait(struct mapseal *m, const char *change);

/* A break that must come about; the account's lines are checked by the caller. */
struct mapseal_break *break_range(struct mapseal *m, const char *object, uint64_t offset,
				  uint64_t length, unsigned int flags);

/* The same from @offset on, with one seal in the way, whose holder has to be revoked: that is the account. Ended again. */
void break_revokes(struct mapseal *m, const char *object, uint64_t offset);

/* Touches a byte; true if that was SIGBUS, or before Linux 6.6 if it waits for good. Installs a handler for the time
 * being; one thread at a time. */
bool touch_is_sigbus(const volatile void *address);
bool store_is_sigbus(volatile void *address, unsigned char value);
