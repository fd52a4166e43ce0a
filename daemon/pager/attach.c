/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Attaching an address space: is this descriptor what the client says, and is it the client's own?
 *
 * A descriptor may have travelled, and a process may lie about everything but what the kernel
 * writes into its memory. So a random number is put, through the userfaultfd, into a page that
 * the client named, and read back from the process that the socket's peer is. Only if both are one
 * address space is it found there.
 *
 * Configuring is ours to do: a userfaultfd that was configured already has features that the client
 * chose, without events perhaps, and is refused.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/pager/procmap.h"
#include "daemon/pager/state.h"
#include "util/cleanup.h"

static bool is_userfaultfd(int fd)
{
	char path[32], name[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return false;
	name[n] = '\0';
	return strcmp(name, "anon_inode:[userfaultfd]") == 0;
}

/* The page must be a private anonymous one, or asking for it could wait for somebody else's
 * server. */
static int check_page(int maps, uint64_t address)
{
	struct procmap map;
	int r = procmap_find(maps, address, &map);

	if (r == -ENOENT)
		return -EFAULT;
	if (r < 0)
		return r;
	return map.inode || map.shared || !map.readable ? -EFAULT : 0;
}

static int put_and_look(int uffd, pid_t pid, uint64_t address)
{
	uint64_t page[PAGE_BYTES / sizeof(uint64_t)] = { 0 }, seen = 0, done;
	struct iovec local = { &seen, sizeof(seen) };
	struct iovec remote = { (void *)(uintptr_t)address, sizeof(seen) };
	int r;

	while (page[0] == 0)
		if (getrandom(page, sizeof(*page), 0) != sizeof(*page))
			return -errno;
	r = uffd_copy(uffd, address, page, PAGE_BYTES, 0, &done);
	if (r != 0)
		return r == UFFD_LOST ? -ESRCH : -EFAULT; /* touched before, or gone */
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(seen))
		return errno == ESRCH ? -ESRCH : -EPERM;
	return seen == page[0] ? 0 : -EPERM;
}

static int prove(int uffd, pid_t pid, int maps, uint64_t address)
{
	int r;

	if (address % PAGE_BYTES || address == 0)
		return -EFAULT;
	r = check_page(maps, address);
	if (r < 0)
		return r;
	r = uffd_register(uffd, address, PAGE_BYTES, UFFDIO_REGISTER_MODE_MISSING);
	if (r < 0)
		return r == -ESRCH ? r : -EFAULT;
	r = put_and_look(uffd, pid, address);
	uffd_unregister(uffd, address, PAGE_BYTES);
	return r;
}

static int attach(struct pager *pager, struct pager_job *job)
{
	_cleanup_fd_ int maps = -1;
	struct space *space;
	uint64_t features;
	int flags, r;

	if (job->space == 0 || idtable_get(&pager->spaces_by_id, job->space))
		return -EEXIST;
	if (!is_userfaultfd(job->fd))
		return -EBADF;
	flags = fcntl(job->fd, F_GETFL);
	if (flags < 0 || fcntl(job->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r = uffd_configure(job->fd, pager->features, &features);
	if (r < 0)
		return r;
	maps = procmap_open(job->pid);
	if (maps < 0)
		return maps == -ENOENT ? -ESRCH : maps;
	r = prove(job->fd, job->pid, maps, job->address);
	if (r < 0)
		return r;
	r = space_new(pager, job->space, job->fd, maps, &space);
	if (r < 0)
		return r;
	take_fd(&job->fd);
	take_fd(&maps);
	space_watch(space, job->pid);
	return 0;
}

void space_attach(struct pager *pager, struct job *job)
{
	job_done(pager, job, attach(pager, &job->job), pager->features);
}
