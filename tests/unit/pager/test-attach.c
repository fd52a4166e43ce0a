/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Only a userfaultfd that nobody configured, of the very process that asks, is attached. */

#include <errno.h>
#include <fcntl.h>
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

/* A process whose page at @probe nobody can read: its own userfaultfd, which it does not serve. */
static pid_t unreadable(void *probe)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)probe, PAGE },
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

/* It is given up on; whoever else is served meanwhile is. */
static void never_answers(struct rig *rig)
{
	unsigned char *probe = rig_probe();
	uint64_t object = rig_object(rig, rig_file(PAGE), PAGE, false);
	struct window_of window = rig_window(rig, object, 0, PAGE, 0);
	pid_t pid = unreadable(probe);
	int uffd = rig_uffd(0);
	struct pager_job job = {
		.type = PAGER_SPACE_ATTACH,
		.space = ++rig->next_id,
		.fd = uffd,
		.pid = pid,
		.address = (uintptr_t)probe,
	};
	uint64_t tag = rig_submit(rig, &job);

	check_is(window.at[0], rig_byte(0));
	rig_close(rig, &window);
	check_is(rig_wait(rig, tag).error, -ETIMEDOUT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	unsigned char *probe = rig_probe(), *touched = rig_probe(), *shared;
	struct rig rig;
	pid_t pid;
	int uffd;

	pid = other();
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
	rig_stop(&rig);
	return 0;
}
