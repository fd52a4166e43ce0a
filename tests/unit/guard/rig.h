/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A guard, file systems and strangers for tests: everything is real but the supervisor.
 *
 * The file systems are on loop devices in a mount name space of the test's own, made anew; or, those that have DAX and no
 * others, on the persistent memory that $MAPSEAL_TEST_DAX names.
 * Strangers are processes of another uid, forked by a process that was forked before the guard had
 * threads. What the machine or the user lacks ends a test with 77, what should not be so with a
 * message.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "daemon/guard/guard.h"

#define PAGE	 4096ul
#define STRANGER 65534

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			rig_fail(__FILE__, __LINE__, #condition);                                  \
	} while (0)

#define check_is(a, b) rig_equal(__FILE__, __LINE__, #a, (long long)(a), (long long)(b))

void rig_fail(const char *file, int line, const char *what) __attribute__((noreturn));
void rig_equal(const char *file, int line, const char *what, long long a, long long b);
void rig_skip(const char *why) __attribute__((noreturn));

struct rig {
	const char *fs; /* "ext4", ... */
	char dir[64], path[96];
	struct guard *guard;
	enum guard_level level; /* that the file got */
	int fd;			/* the supervisor's description of the file */
	uint64_t object, next_seal;
	uid_t uid; /* of the next strangers; 0: STRANGER */
};

/* Runs @test on each of @n file systems with a guard and a file of @size bytes of 'a', which is not
 * armed yet. To be called first. */
void rig_run(const char *const *fs, size_t n, enum guard_level strongest, size_t size,
	     void (*test)(struct rig *rig));

extern const char *const rig_disks[3]; /* ext4, xfs, btrfs */

/* Arms the file: with @level, or it is a failure. */
void rig_arm(struct rig *rig, enum guard_writable_opens opens, enum guard_level level);

uint64_t rig_seal(struct rig *rig, uint64_t start, uint64_t end, enum core_mode mode,
		  enum core_kind kind, int expected);

/* A READ window over [start, end), in force once nothing is left that disturbs it. */
uint64_t rig_window(struct rig *rig, uint64_t start, uint64_t end);

/* The next event, which is of @type. */
struct guard_event rig_event(struct rig *rig, enum guard_event_type type);
bool rig_quiet(struct rig *rig); /* there is none */

/* What a stranger does; returns a result, or -errno. The socket is its end of what rig_go() and
 * rig_said() are the other of. */
struct doing {
	char path[96];
	uint64_t a, b;
	int socket;
	void *shared; /* memory that test and strangers share */
};
typedef int64_t (*deed_fn)(const struct doing *doing);

struct stranger {
	int socket, pidfd;
	pid_t pid;
};

extern void *rig_shared; /* PAGE bytes */

struct stranger rig_stranger(struct rig *rig, deed_fn deed, uint64_t a, uint64_t b);
int64_t stranger_end(struct stranger *stranger); /* its result, and it is gone */
bool stranger_ended(const struct stranger *stranger);
void stranger_kill(struct stranger *stranger); /* and it is gone */

/* In a stranger: tells, and waits to be told. */
void say(const struct doing *doing);
void wait_for_go(const struct doing *doing);
void rig_heard(struct stranger *stranger);
void rig_go(struct stranger *stranger);
