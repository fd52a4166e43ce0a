/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Only a userfaultfd that nobody configured, of the very process that asks, is attached. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "rig.h"

static void refused(struct rig *rig, int uffd, pid_t pid, void *probe, int error)
{
	check_is(rig_attach(rig, ++rig->next_id, uffd, pid, probe).error, error);
	close(uffd);
}

static int configured(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = rig_uffd(0);

	check_is(ioctl(uffd, UFFDIO_API, &api), 0);
	return uffd;
}

/* Another process with the same page at the same address. */
static pid_t other(void)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

/* A process whose @n pages from @probe on nobody can read: its own userfaultfd, which it does not
 * serve. */
static pid_t unreadable(void *probe, unsigned long n)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)probe, n * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int ready[2], uffd;
	pid_t pid;
	char byte;

	check_is(pipe(ready), 0);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		uffd = rig_uffd(0);
		check_is(ioctl(uffd, UFFDIO_API, &api), 0);
		check_is(ioctl(uffd, UFFDIO_REGISTER, &reg), 0);
		check_is(write(ready[1], "r", 1), 1);
		pause();
		_exit(0);
	}
	check_is(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static uint64_t begin(struct rig *rig, pid_t pid, uid_t uid, void *probe)
{
	return rig_submit(rig, &(struct pager_job){
				       .type = PAGER_SPACE_ATTACH,
				       .space = ++rig->next_id,
				       .fd = rig_uffd(0),
				       .pid = pid,
				       .uid = uid,
				       .address = (uintptr_t)probe,
			       });
}

static int attach_as(struct rig *rig, uid_t uid)
{
	void *probe = rig_probe();
	uint64_t tag = begin(rig, getpid(), uid, probe);
	int r = rig_wait(rig, tag).error;

	munmap(probe, PAGE);
	return r;
}

/* They are given up on; whoever else is served meanwhile is, and may attach, then and later. Of the uid
 * itself a few are tried at a time, and when those are all lost nobody, until the process has ended. */
static void never_answers(struct rig *rig)
{
	enum { FEW = 4, MORE = 3, HOSTILE = 1000, OTHER = 1001 };
	unsigned char *probe = mmap(NULL, (FEW + MORE) * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t object = rig_object(rig, rig_file(PAGE), PAGE, false), tags[FEW + MORE];
	struct window_of window = rig_window(rig, object, 0, PAGE, 0);
	pid_t pid = unreadable(probe, FEW + MORE);

	for (int i = 0; i < FEW + MORE; i++)
		tags[i] = begin(rig, pid, HOSTILE, probe + (unsigned int)i * PAGE);
	check_is(attach_as(rig, OTHER), 0);
	check_is(window.at[0], rig_byte(0));
	rig_close(rig, &window);
	for (int i = 0; i < FEW; i++)
		check_is(rig_wait(rig, tags[i]).error, -ETIMEDOUT);
	for (int i = FEW; i < FEW + MORE; i++)
		check_is(rig_wait(rig, tags[i]).error, -EUSERS);
	check_is(attach_as(rig, HOSTILE), -EUSERS);
	check_is(attach_as(rig, OTHER), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (attach_as(rig, HOSTILE) == -EUSERS)
		sched_yield(); /* threads are on their way out */
	check_is(attach_as(rig, HOSTILE), 0);
}

/* More of one uid than are tried at a time: each gets its turn. */
static void many(struct rig *rig)
{
	enum { MANY = 40 };
	uint64_t tags[MANY];

	for (int i = 0; i < MANY; i++)
		tags[i] = begin(rig, getpid(), 1002, rig_probe());
	for (int i = 0; i < MANY; i++)
		check_is(rig_wait(rig, tags[i]).error, 0);
}

/* In a user namespace uids may be unmapped: such an owner is refused at once, not at the first grant. */
static void unmapped_owner(void)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (pid == 0) {
		struct pager_config config = RIG_CONFIG;
		struct pager *pager;
		int r, fd;

		if (unshare(CLONE_NEWUSER) < 0)
			_exit(77);
		fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
		check_is(write(fd, "0 0 1\n", 6), 6);
		close(fd);
		r = pager_new(&config, &pager);
		_exit(r == PAGER_E_OWNER ? 0 : 1);
	}
	check_is(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77)
		puts("no user namespaces here: the owner was not tried");
	else
		check_is(status, 0);
}

int main(void)
{
	unsigned char *probe = rig_probe(), *touched = rig_probe(), *shared;
	struct rig rig;
	pid_t pid;
	int uffd;

	pid = other();
	unmapped_owner();
	rig_start(&rig, &RIG_CONFIG);
	touched[0] = 1;
	shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED);

	refused(&rig, eventfd(0, 0), getpid(), probe, -EBADF);
	refused(&rig, open("/dev/null", O_RDWR), getpid(), probe, -EBADF);
	refused(&rig, open("/dev/userfaultfd", O_RDWR), getpid(), probe, -EBADF);
	refused(&rig, configured(), getpid(), probe, -EBUSY);
	refused(&rig, rig_uffd(0), pid, probe, -EPERM);
	refused(&rig, rig_uffd(0), getpid(), touched, -EFAULT);
	refused(&rig, rig_uffd(0), getpid(), shared, -EFAULT);
	refused(&rig, rig_uffd(0), getpid(), probe + 1, -EFAULT);
	refused(&rig, rig_uffd(0), getpid(), NULL, -EFAULT);
	refused(&rig, rig_uffd(0), getpid(), (void *)0xfffffffffffff000ul, -EFAULT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	refused(&rig, rig_uffd(0), pid, probe, -ESRCH);

	/* the same number twice, the same userfaultfd twice */
	uffd = rig_uffd(0);
	probe = rig_probe(); /* the other one has been looked at */
	check_is(rig_attach(&rig, rig.space, uffd, getpid(), probe).error, -EEXIST);
	check_is(rig_attach(&rig, ++rig.next_id, uffd, getpid(), probe).error, 0);
	check(fcntl(uffd, F_GETFL) & O_NONBLOCK);
	check_is(rig_attach(&rig, ++rig.next_id, uffd, getpid(), probe).error, -EBUSY);
	close(uffd);
	never_answers(&rig);
	many(&rig);
	rig_stop(&rig);
	return 0;
}
