/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The address space and its userfaultfd.
 *
 * One userfaultfd serves all windows of a connection. It is made here and goes up unconfigured: the
 * supervisor does UFFDIO_API and registers windows, with its privileges, in this address space.
 * What kind it is decides what the windows can do for as long as the connection lives:
 *
 *	of userfaultfd(2), USER_MODE_ONLY   needs no privilege; system calls on absent pages get
 *	EFAULT of the device the supervisor lends  serves system calls too; only for exports that
 *	say so
 *
 * The first acquire decides. It asks for the device where the supervisor lends it at all and an
 * export is named, since nothing else can make a transparent seal possible later.
 *
 * Our copy of the descriptor stays open until the connection is closed: with the last copy the
 * kernel would unregister the windows, and threads would read zeros where they have to wait.
 */

#include "client/space.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "client/connection.h"
#include "client/error.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static int make_plain(int *ret_uffd)
{
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (uffd < 0)
		return error_set(errno, "No userfaultfd for user-mode faults: %m");
	*ret_uffd = uffd;
	return 0;
}

static int make_lent(struct mapseal *m, const char *object, int *ret_uffd)
{
	_cleanup_(wire_frame_freep) struct wire_frame *reply = NULL;
	struct proto_message request = {
		.type = PROTO_DEVICE_GET,
		.device_get.object = object,
	};
	_cleanup_fd_ int device = -1;
	int uffd, r;

	wire_lock(&m->wire);
	r = wire_call(&m->wire, &request, NULL, 0, NULL, NULL, PROTO_DEVICE, &reply);
	wire_unlock(&m->wire);
	if (r < 0)
		return r;
	device = fdlist_take(&reply->fds, 0);
	uffd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0)
		return error_set(errno, "The lent userfaultfd device makes none: %m");
	*ret_uffd = uffd;
	return 0;
}

/* A page nobody has touched, not even mlockall(2). */
static int make_probe(struct window *probe)
{
	size_t length = connection_page();
	void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);

	if (address == MAP_FAILED)
		return error_set(errno, "No memory for a page: %m");
	munlock(address, length);
	if (madvise(address, length, MADV_DONTNEED) < 0 ||
	    madvise(address, length, MADV_DONTFORK) < 0) {
		munmap(address, length);
		return error_set(errno, "A fresh page cannot be advised on: %m");
	}
	probe->address = address;
	probe->length = length;
	return 0;
}

static int attach(struct mapseal *m, int uffd, bool kernel_faults)
{
	struct proto_message request = {
		.type = PROTO_ATTACH,
		.attach.flags = kernel_faults ? PROTO_ATTACH_KERNEL_FAULTS : 0,
	};
	struct window probe = { .address = NULL };
	int r;

	r = make_probe(&probe);
	if (r < 0)
		return r;
	request.attach.probe = (uintptr_t)probe.address;
	wire_lock(&m->wire);
	r = wire_call(&m->wire, &request, &uffd, 1, NULL, NULL, PROTO_ATTACHED, NULL);
	wire_unlock(&m->wire);
	window_drop(&probe, uffd);
	return r;
}

static int make_and_attach(struct mapseal *m, const char *object, bool transparent, int *ret_uffd,
			   bool *ret_kernel_faults)
{
	bool lent = object && (m->welcome.features & PROTO_FEATURE_KERNEL_FAULTS);
	_cleanup_fd_ int uffd = -1;
	int r = 0;

	if (lent) {
		r = make_lent(m, object, &uffd);
		if (r < 0 && (transparent || r == -ECONNRESET))
			return r;
		lent = r == 0;
	}
	if (!lent)
		r = make_plain(&uffd);
	if (r == 0)
		r = attach(m, uffd, lent);
	if (r < 0)
		return r;
	*ret_uffd = take_fd(&uffd);
	*ret_kernel_faults = lent;
	return 0;
}

int space_attach(struct mapseal *m, const char *object, bool transparent)
{
	struct space *space = &m->space;
	bool kernel_faults = false;
	int uffd = -1, r = 0;

	wire_lock(&m->wire);
	while (space->state == SPACE_ATTACHING && !m->wire.lost)
		wire_wait(&m->wire);
	if (m->wire.lost)
		r = wire_error_lost(&m->wire);
	else if (space->state == SPACE_NONE)
		space->state = SPACE_ATTACHING;
	else
		r = 1;
	wire_unlock(&m->wire);
	if (r)
		return r < 0 ? r : 0;

	r = make_and_attach(m, object, transparent, &uffd, &kernel_faults);

	wire_lock(&m->wire);
	space->state = r < 0 ? SPACE_NONE : SPACE_ATTACHED;
	space->uffd = uffd;
	space->kernel_faults = kernel_faults;
	wire_wake(&m->wire);
	wire_unlock(&m->wire);
	return r;
}
