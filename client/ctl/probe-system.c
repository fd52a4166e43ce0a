/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rest of the kernel that mapseal stands on. Whatever can be tried without leaving a trace is
 * tried; a release number is believed only where trying needs a privilege that the caller lacks.
 */

#include "client/ctl/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/cleanup.h"

static void probe_release(struct findings *f)
{
	static const char *const consequence[3] = {
		"older than mapseal was made for (6.1): expect refusals",
		"new enough for windows",
	};
	struct utsname name = { 0 };

	uname(&name);
	findings_add(f, "kernel", probe_release_at_least(6, 1) ? PROBE_YES : PROBE_NO, true,
		     consequence, "%s %.60s", name.sysname, name.release);
}

static void probe_memfd(struct findings *f)
{
	static const char *const consequence[3] = {
		"a holder could resize its window: mapseal does not work here",
		"windows cannot be resized by their holders",
	};
	_cleanup_fd_ int fd = memfd_create("mapsealctl-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool sealed =
		fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;

	findings_add(f, "memfd-seals", sealed ? PROBE_YES : PROBE_NO, true, consequence,
		     "F_SEAL_SHRINK, F_SEAL_GROW");
}

static void probe_membarrier(struct findings *f)
{
	static const char *const consequence[3] = {
		"the library cannot tell when threads have left mapseal_enter(), and does not work",
		"mapseal_enter() and mapseal_exit() cost no atomic operation",
	};
	long have = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	findings_add(f, "membarrier",
		     have >= 0 && have & MEMBARRIER_CMD_PRIVATE_EXPEDITED ? PROBE_YES : PROBE_NO,
		     true, consequence, "PRIVATE_EXPEDITED");
}

static void probe_io_uring(struct findings *f)
{
	static const char *const consequence[3] = {
		"the supervisor cannot run as you are here",
		"the supervisor's event loop works",
	};
	struct io_uring_params params = { 0 };
	_cleanup_fd_ int fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	int error = errno;
	char value[16];

	if (!probe_file("/proc/sys/kernel/io_uring_disabled", value, sizeof(value)))
		snprintf(value, sizeof(value), "absent");
	findings_add(f, "io-uring", fd >= 0 ? PROBE_YES : PROBE_NO, true, consequence,
		     "kernel.io_uring_disabled = %s%s%s", value, fd < 0 ? ", setup: " : "",
		     fd < 0 ? strerror(error) : "");
}

static void probe_pidfd(struct findings *f)
{
	static const char *const consequence[3] = {
		"the end of a holder is only seen by its socket",
		"the end of a holder is seen at once, whoever else has its socket",
	};
	_cleanup_fd_ int fd = pidfd_open(getpid(), 0);

	findings_add(f, "pidfd", fd >= 0 ? PROBE_YES : PROBE_NO, false, consequence,
		     "pidfd_open(2)");
}

static void probe_fanotify(struct findings *f)
{
	static const char *const consequence[3] = {
		"no operation can be held by itself: the guard is leases, or cooperation",
		"the kernel can hold each operation of a stranger while a recall runs",
		"only root can tell: ask again as root",
	};
	_cleanup_fd_ int fd = -1;

	if (!probe_release_at_least(6, 14)) {
		findings_add(f, "fanotify-pre-content", PROBE_NO, false, consequence,
			     "needs Linux 6.14");
		return;
	}
	fd = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK,
			   O_RDONLY | O_CLOEXEC);
	findings_add(f, "fanotify-pre-content",
		     fd >= 0	    ? PROBE_YES :
		     errno == EPERM ? PROBE_UNKNOWN :
				      PROBE_NO,
		     false, consequence, "%s", fd >= 0 ? "a group can be made" : strerror(errno));
}

/* What is left for a recall and a fence of the time that the kernel gives: mapseal(7). */
static double lease_limit(double seconds)
{
	return seconds - (seconds / 5 < 5 ? seconds / 5 : 5);
}

static void probe_leases(struct findings *f)
{
	static const char *const consequence[3] = {
		"there is no guard by leases",
		"opens by strangers can be held by a lease; their deadlines are cut to fit",
		"nothing can be said",
	};
	/* A file without a name, of our own: nobody else can have it open. */
	_cleanup_fd_ int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	bool granted = fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
	int error = errno;
	char value[16];

	if (granted)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	if (!probe_file("/proc/sys/fs/lease-break-time", value, sizeof(value)))
		snprintf(value, sizeof(value), "45");
	if (granted && strtod(value, NULL) > 0)
		findings_add(f, "leases", PROBE_YES, false, consequence,
			     "fs.lease-break-time = %s s: min-hold-ms, hard-ms and fence-ms take %g s "
			     "at most",
			     value, lease_limit(strtod(value, NULL)));
	else if (granted)
		findings_add(f, "leases", PROBE_YES, false, consequence,
			     "fs.lease-break-time = %s: the kernel sets no time", value);
	else
		findings_add(f, "leases", fd < 0 ? PROBE_UNKNOWN : PROBE_NO, false, consequence,
			     "fs.lease-break-time = %s s, a file in /tmp: %s", value,
			     strerror(error));
}

static void probe_huge_pages(struct findings *f)
{
	static const char *const consequence[3] = {
		"a part of a window that is taken back leaves no page behind",
		"a pinned huge page can outlive a punch, and costs its window a new memory",
		"windows are treated as if huge pages were on",
	};
	char value[96];
	const char *chosen;

	if (!probe_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", value,
			sizeof(value))) {
		findings_add(f, "shmem-huge-pages", PROBE_UNKNOWN, false, consequence,
			     "the setting cannot be read");
		return;
	}
	chosen = strchr(value, '[');
	findings_add(f, "shmem-huge-pages",
		     !chosen ? PROBE_UNKNOWN :
		     strncmp(chosen, "[always", 7) == 0 || strncmp(chosen, "[force", 6) == 0 ||
				     strncmp(chosen, "[within_size", 12) == 0 ?
			       PROBE_YES :
			       PROBE_NO,
		     false, consequence, "shmem_enabled = %s", value);
}

void probe_system(struct findings *f)
{
	probe_release(f);
	probe_memfd(f);
	probe_membarrier(f);
	probe_io_uring(f);
	probe_pidfd(f);
	probe_leases(f);
	probe_fanotify(f);
	probe_huge_pages(f);
}
