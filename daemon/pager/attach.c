/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Attaching an address space: is this descriptor what the client says, and is it the client's own?
 *
 * A descriptor may have travelled, and a process may lie about everything but what the kernel
 * writes into its memory. So a random number is put, through the userfaultfd, into a page that
 * the client named, and read back from the process that the socket's peer is. Only if both are one
 * address space is it found there.
 *
 * Reading a page of another process can wait for as long as that process likes, if it puts something
 * else there in time. So a thread of its own does it, which is given a second, and is left behind if it
 * does not come back. A uid has places for a few of these threads (place.c): more of its processes at
 * once wait in line for one, and when it has lost them all it attaches no more until those processes end.
 *
 * Configuring is ours to do: a userfaultfd that was configured already has features that the client
 * chose, without events perhaps, and is refused.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/core/deadline.h"
#include "daemon/pager/place.h"
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

/* ---- the thread that looks --------------------------------------------------------------- */

enum { LOOKING, LOOKED, ABANDONED };

struct proof {
	struct op op; /* the pager's: for when it takes too long */
	struct job *job;
	struct list link;    /* in pager->attach_line, then in pager->proofs */
	struct list pending; /* in pager->attaching */
	_Atomic int state;
	int uffd, maps; /* copies */
	pid_t pid;
	uint64_t address;
	unsigned int place;
	int result;
	bool unwanted; /* closed before it was open; the pager's */
	struct queue *answers;
};

static void proof_free(struct proof *proof)
{
	fd_close(proof->uffd);
	fd_close(proof->maps);
	free(proof);
}

static void *look(void *data)
{
	struct proof *proof = data;
	unsigned int place = proof->place;
	int expected = LOOKING;

	proof->result = prove(proof->uffd, proof->pid, proof->maps, proof->address);
	if (atomic_compare_exchange_strong(&proof->state, &expected, LOOKED)) {
		/* the pager's thread does not end before it has this */
		queue_push(proof->answers, &proof->link);
		return NULL;
	}
	proof_free(proof);
	place_give(place);
	return NULL;
}

static void move_up(struct pager *pager, bool all);

static void took_too_long(struct op *op)
{
	struct proof *proof = container_of(op, struct proof, op);
	struct pager *pager = op->pager;
	struct job *job = proof->job;
	int expected = LOOKING;

	list_unlink(&proof->pending);
	place_leave_behind(proof->place, true);
	if (!atomic_compare_exchange_strong(&proof->state, &expected, ABANDONED)) {
		place_leave_behind(proof->place, false);
		list_append(&pager->attaching, &proof->pending);
		return; /* the answer is on its way */
	}
	/* the other thread frees it, if ever it can */
	pager->n_ops--;
	job_done(pager, job, -ETIMEDOUT, 0);
	move_up(pager, true);
}

static int start_thread(struct proof *proof)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = -pthread_create(&thread, &attr, look, proof);
	pthread_attr_destroy(&attr);
	return r;
}

/* 0, PLACE_BUSY, -errno. */
static int start_looking(struct proof *proof)
{
	int r = proof->unwanted ? -ECANCELED : place_take(proof->job->job.uid, &proof->place);

	if (r == PLACE_USED_UP)
		return -EUSERS;
	if (r == PLACE_ALL_USED_UP)
		return -EAGAIN;
	if (r != 0)
		return r;
	list_unlink(&proof->link);
	op_sleep(&proof->op, loop_now() + DEADLINE_PROOF_NS);
	r = start_thread(proof);
	if (r < 0) {
		op_stop(&proof->op);
		place_give(proof->place);
	}
	return r;
}

static void give_up(struct pager *pager, struct proof *proof, int error)
{
	struct job *job = proof->job;

	list_unlink(&proof->link);
	list_unlink(&proof->pending);
	pager->n_ops--;
	proof_free(proof);
	job_done(pager, job, error, 0);
}

/* Those in line, when a place has become free or was lost. One place is for one of them. */
static void move_up(struct pager *pager, bool all)
{
	list_for_each (pos, &pager->attach_line) {
		struct proof *proof = list_entry(pos, struct proof, link);
		int r = start_looking(proof);

		if (r < 0)
			give_up(pager, proof, r);
		else if (r == 0 && !all)
			return;
	}
}

static int proof_new(struct pager *pager, struct job *job, int maps, struct proof **ret)
{
	struct proof *proof = calloc(1, sizeof(*proof));

	if (!proof)
		return -ENOMEM;
	proof->job = job;
	proof->pid = job->job.pid;
	proof->address = job->job.address;
	proof->answers = &pager->proofs;
	list_init(&proof->link);
	list_init(&proof->pending);
	op_init(&proof->op, pager, took_too_long);
	proof->uffd = fcntl(job->job.fd, F_DUPFD_CLOEXEC, 0);
	proof->maps = fcntl(maps, F_DUPFD_CLOEXEC, 0);
	if (proof->uffd < 0 || proof->maps < 0) {
		int r = -errno;

		proof_free(proof);
		return r;
	}
	*ret = proof;
	return 0;
}

/* ---- attaching --------------------------------------------------------------------------- */

static int admit(struct pager *pager, struct job *job, int *maps)
{
	struct space *space;
	int r;

	if (space_get(pager, job->job.space))
		return -EEXIST;
	r = space_new(pager, job->job.space, job->job.fd, *maps, &space);
	if (r < 0)
		return r;
	take_fd(&job->job.fd);
	take_fd(maps);
	space_watch(space, job->job.pid);
	return 0;
}

void space_proved(struct pager *pager, struct list *link)
{
	struct proof *proof = list_entry(link, struct proof, link);
	struct job *job = proof->job;
	int r = proof->result;

	op_stop(&proof->op);
	list_unlink(&proof->pending);
	place_give(proof->place);
	pager->n_ops--;
	if (r == 0 && proof->unwanted)
		r = -ECANCELED;
	if (r == 0)
		r = admit(pager, job, &proof->maps);
	proof_free(proof);
	job_done(pager, job, r, pager->features);
	move_up(pager, false);
}

bool space_unwanted(struct pager *pager, uint64_t id)
{
	list_for_each (pos, &pager->attaching) {
		struct proof *proof = list_entry(pos, struct proof, pending);

		if (proof->job->job.space == id) {
			proof->unwanted = true;
			return true;
		}
	}
	return false;
}

static int begin(struct pager *pager, struct job *job)
{
	_cleanup_fd_ int maps = -1;
	struct proof *proof = NULL;
	uint64_t features;
	int flags, r;

	if (job->job.space == 0 || space_get(pager, job->job.space))
		return -EEXIST;
	if (!is_userfaultfd(job->job.fd))
		return -EBADF;
	flags = fcntl(job->job.fd, F_GETFL);
	if (flags < 0 || fcntl(job->job.fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r = uffd_configure(job->job.fd, pager->features, &features);
	if (r < 0)
		return r;
	maps = procmap_open(job->job.pid);
	if (maps < 0)
		return maps == -ENOENT ? -ESRCH : maps;
	r = proof_new(pager, job, maps, &proof);
	if (r < 0)
		return r;
	r = start_looking(proof);
	if (r < 0) {
		proof_free(proof);
		return r;
	}
	if (r == PLACE_BUSY)
		list_append(&pager->attach_line, &proof->link);
	list_append(&pager->attaching, &proof->pending);
	pager->n_ops++;
	return 0;
}

void space_attach(struct pager *pager, struct job *job)
{
	int r = begin(pager, job);

	if (r < 0)
		job_done(pager, job, r, 0);
}
