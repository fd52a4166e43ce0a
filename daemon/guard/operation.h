/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a held thread is about to do: from the kernel's event, the thread's system call and what is
 * known about its descriptors. Pure; see operation.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "daemon/guard/guard.h"

/* A system call, as /proc/TID/syscall shows it. */
struct operation_call {
	bool known;  /* else: not in one, or in none that a thread of a program has made */
	bool worker; /* then: it is one of io_uring's */
	long number;
	uint64_t arg[6];
	uint64_t sp, pc;
};

enum operation_text {
	OPERATION_TEXT_CALL,	/* *ret says which */
	OPERATION_TEXT_OUTSIDE, /* in no system call */
	OPERATION_TEXT_RUNNING, /* it is not asleep, look again */
	OPERATION_TEXT_BROKEN,	/* nothing that this kernel is known to write */
};

enum operation_text operation_parse(const char *text, struct operation_call *ret);
bool operation_same_call(const struct operation_call *a, const struct operation_call *b);

struct operation_event {
	bool open;   /* else: an access */
	bool ranged; /* start and count are there */
	uint64_t start, count;
	uint64_t size; /* of the file, now */
	enum guard_writable_opens opens;
	bool writers; /* a stranger may have the file open for writing */
};

/* A descriptor of the thread. */
struct operation_file {
	bool known; /* else nothing could be found out */
	bool same;  /* the file of the event, or one that can't be told from it */
	unsigned int flags;
};

struct operation {
	enum core_want want; /* CORE_WANT_NOTHING: disturbs nobody */
	uint64_t start, end;
	bool append;  /* a write that may land at the end of the file as well */
	bool opens;   /* leaves a description that can write */
	bool flight;  /* is over when the thread has left this call */
	bool lasting; /* is over when nobody has the file open */
	bool path;    /* needs no open description: a lease says nothing about its flight */
	bool single;  /* makes one event: the next one of the thread is another operation's */
	const char *name;
};

#define CORE_WANT_NOTHING _CORE_WANT_N

#define OPERATION_FILES 2

/* Which descriptors operation_decode() wants to know about: how many, and their numbers. */
int operation_needs(const struct operation_event *event, const struct operation_call *call,
		    int ret_fd[OPERATION_FILES]);

void operation_decode(const struct operation_event *event, const struct operation_call *call,
		      const struct operation_file files[OPERATION_FILES], struct operation *ret);
