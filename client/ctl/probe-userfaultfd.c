/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What userfaultfd(2) can do here, tried with one for user-mode faults, which needs no privilege.
 *
 * Features are asked of the kernel, never derived from its release; CONTINUE with write-protection
 * has no feature bit, so a page of a memfd is really resolved that way. The numbers below are the
 * kernel's ABI, some of them newer than the headers that this may be built with.
 */

#include "client/ctl/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define FEATURE_EVENTS                                                                             \
	(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |          \
	 UFFD_FEATURE_EVENT_UNMAP)
#define FEATURE_WP_SHMEM (UINT64_C(1) << 12)
#define FEATURE_POISON (UINT64_C(1) << 14)
#define CONTINUE_MODE_WP (UINT64_C(1) << 1)

static int open_user_mode(void)
{
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
}

/* Resolves one page of a memfd, present in it and absent from the mapping, write-protected. */
static int try_continue_wp(int uffd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MINOR |
					       UFFDIO_REGISTER_MODE_WP };
	struct uffdio_continue resolve = { .mode = CONTINUE_MODE_WP };
	_cleanup_fd_ int memory = memfd_create("mapsealctl-doctor", MFD_CLOEXEC);
	void *window;
	int r = 0;

	if (memory < 0 || ftruncate(memory, (off_t)page) < 0 || pwrite(memory, "x", 1, 0) != 1)
		return -errno;
	window = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (window == MAP_FAILED)
		return -errno;
	reg.range.start = resolve.range.start = (uintptr_t)window;
	reg.range.len = resolve.range.len = page;
	if (ioctl(uffd, UFFDIO_REGISTER, &reg) < 0 || ioctl(uffd, UFFDIO_CONTINUE, &resolve) < 0)
		r = -errno;
	munmap(window, page);
	return r;
}

static void add_feature(struct findings *f, const char *name, uint64_t have, uint64_t need,
			bool required, const char *const consequence[3], const char *what)
{
	findings_add(f, name, (have & need) == need ? PROBE_YES : PROBE_NO, required, consequence,
		     "%s", what);
}

static void probe_features(struct findings *f, int uffd)
{
	static const char *const minor[3] = {
		"windows cannot be filled: mapseal does not work here",
		"windows on memfds can be filled page by page",
	};
	static const char *const wp[3] = {
		"writes cannot be seen or stopped: there are no WRITE windows",
		"the first write to a page of a window is seen, and writers can be stopped",
	};
	static const char *const poison[3] = {
		"after a revocation a touch parks the thread, though SIGBUS was asked for",
		"after a revocation, and past the end of a truncated file, a touch is SIGBUS",
	};
	static const char *const events[3] = {
		"the supervisor cannot follow fork, mremap and munmap of holders",
		"the supervisor follows fork, mremap, munmap and madvise of holders",
	};
	static const char *const wp_continue[3] = {
		"pages of a WRITE window are copied in; populated or mapped again, they count as written",
		"pages of a WRITE window that are only read stay clean",
	};
	struct uffdio_api api = { .api = UFFD_API };
	int r;

	if (ioctl(uffd, UFFDIO_API, &api) < 0) {
		findings_add(f, "minor-faults", PROBE_UNKNOWN, true,
			     (const char *const[3]){ NULL, NULL, "nothing can be said" },
			     "UFFDIO_API: %s", strerror(errno));
		return;
	}
	add_feature(f, "minor-faults", api.features,
		    UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_MISSING_SHMEM, true, minor,
		    "userfaultfd on shared memory");
	add_feature(f, "write-protect", api.features,
		    FEATURE_WP_SHMEM | UFFD_FEATURE_PAGEFAULT_FLAG_WP, true, wp,
		    "write-protection of shared memory");
	add_feature(f, "events", api.features, FEATURE_EVENTS, true, events,
		    "fork, remap, remove and unmap");
	add_feature(f, "poison", api.features, FEATURE_POISON, false, poison,
		    "UFFDIO_POISON, Linux 6.6");
	r = try_continue_wp(uffd);
	findings_add(f, "continue-write-protected", r == 0 ? PROBE_YES : PROBE_NO, false,
		     wp_continue, "UFFDIO_CONTINUE_MODE_WP, Linux 6.4%s%s", r ? ": " : "",
		     r ? strerror(-r) : "");
}

static void probe_device(struct findings *f)
{
	static const char *const device[3] = {
		"no export can offer kernel-faults: mapseal_populate() comes before system calls",
		"exports can offer kernel-faults to users that the administrator names",
	};
	static const char *const access_[3] = {
		"you get kernel-mode faults only from an export with kernel-faults",
		"you could serve kernel-mode faults yourself",
	};
	static const char *const path = "/dev/userfaultfd";
	static const char *const sysctl = "/proc/sys/vm/unprivileged_userfaultfd";
	static const char *const any[3] = {
		"users can serve user-mode faults alone, which is all that mapseal asks of them",
		"every user may serve kernel-mode faults, which mapseal does not need; 0 is safer",
		"nothing can be said",
	};
	bool there = access(path, F_OK) == 0;
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CLOEXEC);
	char value[16];

	findings_add(f, "userfaultfd-device", there ? PROBE_YES : PROBE_NO, false, device, "%s %s",
		     path, there ? "exists" : "is missing");
	findings_add(f, "userfaultfd-device-access", fd >= 0 ? PROBE_YES : PROBE_NO, false, access_,
		     "opening it %s", fd >= 0 ? "is allowed to you" : "is refused to you");
	if (probe_file(sysctl, value, sizeof(value)))
		findings_add(f, "unprivileged-userfaultfd",
			     strcmp(value, "0") == 0 ? PROBE_NO : PROBE_YES, false, any,
			     "vm.unprivileged_userfaultfd = %s", value);
	else
		findings_add(f, "unprivileged-userfaultfd", PROBE_UNKNOWN, false, any,
			     "vm.unprivileged_userfaultfd cannot be read");
}

void probe_userfaultfd(struct findings *f)
{
	static const char *const user_mode[3] = {
		"windows are impossible: mapseal does not work here",
		"windows work without privilege",
	};
	_cleanup_fd_ int uffd = open_user_mode();
	int error = errno;

	findings_add(f, "userfaultfd", uffd >= 0 ? PROBE_YES : PROBE_NO, true, user_mode,
		     "for user-mode faults%s%s", uffd < 0 ? ": " : "",
		     uffd < 0 ? strerror(error) : "");
	probe_device(f);
	if (uffd >= 0)
		probe_features(f, uffd);
}
