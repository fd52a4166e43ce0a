/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Runs a COMMAND beside a connection to the supervisor.
 *
 * posix_spawn, not fork: the library's objects are not for children, and the exec's errno comes
 * back. The COMMAND gets the signal mask that we were started with. It is never killed by us: what
 * it does under a hold that has ended is reported, not prevented.
 */

#include "client/ctl/run.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/ctl/ctl.h"

int run_signals(struct run *run)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, &run->saved) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	run->signalfd = fd;
	return 0;
}

bool run_start(struct run *run, char **argv, int *ret_status)
{
	posix_spawnattr_t attr;
	pid_t pid;
	int r;

	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
		if (r == 0)
			r = posix_spawnattr_setsigmask(&attr, &run->saved);
		if (r == 0)
			r = posix_spawnp(&pid, argv[0], NULL, &attr, argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	if (r) {
		ctl_complain("cannot run '%.200s': %s", argv[0], strerror(r));
		*ret_status = r == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
		return false;
	}
	run->pid = pid;
	/* Our own child, not reaped yet: the number is still its. */
	run->pidfd = pidfd_open(pid, 0);
	if (run->pidfd < 0) {
		ctl_complain("cannot wait for '%.200s' with a descriptor: %s", argv[0],
			     strerror(errno));
		*ret_status = run_reap(run);
		return false;
	}
	return true;
}

int run_signal(struct run *run)
{
	struct signalfd_siginfo info;

	if (read(run->signalfd, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (run->pid && info.ssi_code != SI_KERNEL)
		kill(run->pid, (int)info.ssi_signo);
	return (int)info.ssi_signo;
}

int run_reap(struct run *run)
{
	int status;

	while (waitpid(run->pid, &status, 0) < 0) {
		if (errno != EINTR) {
			ctl_complain("cannot wait for the command: %s", strerror(errno));
			run->pid = 0;
			return EXIT_FAILED;
		}
	}
	run->pid = 0;
	run->pidfd = fd_close(run->pidfd);
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

void run_done(struct run *run)
{
	run->pidfd = fd_close(run->pidfd);
	run->signalfd = fd_close(run->signalfd);
}
