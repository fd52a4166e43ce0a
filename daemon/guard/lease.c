/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Kernel leases on an open description of our own.
 *
 * The kernel grants a write lease only while nobody else has the file open, and a read lease only
 * while nobody has it open for writing; who holds an open description in whatever way counts:
 * descriptors, mappings, I/O under way, running it. Our own description counts as well: one that
 * can write never gets a read lease, so what readers are about can then only be told from no
 * readers at all.
 *
 * Whoever breaks a lease is announced by a signal. Signal and receiver are forgotten with the
 * lease, and without them it is SIGIO to the whole process, which kills; so both are set before
 * each lease, also before one that is dropped with the next call. The receiver is one thread, which
 * has the signal blocked, and SIGIO too: that is what the kernel sends when the signal can't be
 * queued.
 *
 * A writer counts as one from before it breaks the lease, and what comes in between may take long:
 * another program may hold its open, too. So that a lease can't be had against writers alone while
 * one against everybody is held says that there is one on its way in, who has been let in by
 * nobody.
 *
 * A lease that is only meant to prove something is dropped at once. A stranger that came in between
 * waits for that long, and leaves a signal that means nothing.
 */

#include "daemon/guard/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "util/cleanup.h"

static int set(int fd, int type, pid_t thread, int signal)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = thread };

	if (fcntl(fd, F_SETOWN_EX, &owner) < 0 || fcntl(fd, F_SETSIG, signal) < 0 ||
	    fcntl(fd, F_SETLEASE, type) < 0)
		return -errno;
	return 0;
}

static bool reads_only(int fd)
{
	return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

enum lease lease_take(int fd, pid_t thread, int signal)
{
	int r = set(fd, F_WRLCK, thread, signal);

	if (r == 0)
		return LEASE_NOBODY;
	if (r != -EAGAIN && r != -EBUSY)
		return LEASE_UNSUPPORTED;
	if (reads_only(fd) && set(fd, F_RDLCK, thread, signal) == 0)
		return LEASE_NO_WRITERS;
	return LEASE_NONE;
}

void lease_drop(int fd)
{
	fcntl(fd, F_SETLEASE, F_UNLCK);
}

enum lease lease_prove(int fd, pid_t thread, int signal)
{
	enum lease lease = lease_take(fd, thread, signal);

	if (lease == LEASE_NOBODY || lease == LEASE_NO_WRITERS)
		lease_drop(fd);
	return lease;
}

enum lease lease_yield(int fd, pid_t thread, int signal, bool to_readers)
{
	int r = to_readers && reads_only(fd) ? set(fd, F_RDLCK, thread, signal) : -EINVAL;

	if (r == 0)
		return LEASE_NO_WRITERS;
	if (r == -EAGAIN)
		return LEASE_NOBODY;
	lease_drop(fd);
	return LEASE_NONE;
}

/* While a break waits, the kernel tells what the lease is to become. */
enum lease_break lease_break(int fd, enum lease held)
{
	int type = fcntl(fd, F_GETLEASE);

	if (held == LEASE_NOBODY && type == F_RDLCK)
		return LEASE_BROKEN_BY_READER;
	if (held != LEASE_NONE && type == F_UNLCK)
		return LEASE_BROKEN_BY_WRITER;
	return LEASE_UNBROKEN;
}

uint32_t lease_break_ms(void)
{
	_cleanup_fd_ int fd = open("/proc/sys/fs/lease-break-time", O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	long seconds;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 45000;
	seconds = strtol(text, NULL, 10);
	return seconds <= 0 ? 0 : seconds > 3600 ? 3600000 : (uint32_t)seconds * 1000;
}
