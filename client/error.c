/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The last error of a thread.
 *
 * An errno says too little to a person who wants a seal and does not get it: who is in the way, for
 * how long, what would help. The supervisor says so in words, and they are kept here verbatim.
 * Every failing path of the library ends in one of these functions, which return the negative
 * errno, so that a path cannot fail without an explanation. Nothing here allocates or fails.
 */

#include "client/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __thread struct mapseal_error last = { .code = "" };

const struct mapseal_error *mapseal_last_error(void)
{
	return &last;
}

static void reset(int error, const char *code)
{
	memset(&last, 0, sizeof(last));
	last.error = error;
	last.code = code;
}

static void copy(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

int error_set(int error, const char *format, ...)
{
	va_list args;

	reset(error, "");
	va_start(args, format);
	vsnprintf(last.text, sizeof(last.text), format, args);
	va_end(args);
	return -error;
}

int error_plain(int error, const char *text)
{
	reset(error, "");
	copy(last.text, sizeof(last.text), text);
	return -error;
}

int error_errno(int error, const char *what)
{
	errno = error;
	return error_set(error, "%s: %m", what);
}

void error_restore(const struct mapseal_error *error)
{
	last = *error;
}

int error_code(enum proto_error code, const char *text)
{
	const char *name = proto_error_name(code);

	reset(proto_error_errno(code), name ? name : "");
	copy(last.text, sizeof(last.text), text);
	return -last.error;
}

int error_refused(const struct proto_refused *refused)
{
	error_code(refused->code, refused->text);
	/* The table's errno is of the code in general; the reply's may say it better: ENOSPC for
	 * IO. */
	if (refused->number > 0 && refused->number < 4096)
		last.error = refused->number;
	error_holder(refused->seal, refused->pid, refused->uid, refused->comm,
		     refused->deadline_ms);
	return -last.error;
}

void error_holder(uint64_t seal, pid_t pid, uid_t uid, const char *comm, uint32_t deadline_ms)
{
	last.seal = seal;
	last.pid = pid;
	last.uid = uid;
	copy(last.comm, sizeof(last.comm), comm);
	last.deadline_ms = deadline_ms;
}
