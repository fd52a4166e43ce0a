/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The fence helper: a program of the administrator that cuts off whoever uses extents from afar,
 * as nfsd-recall-failed does for NFS servers. Only it can know whether that was done, and says so
 * by its exit status.
 *
 * It gets the seal's facts in its environment, and the promised extents on standard input, a line
 * each: "LOGICAL PHYSICAL LENGTH" in bytes. It runs with the identity of this process, in a
 * process group of its own, which is killed when its time is up.
 *
 * Between fork and exec only what is safe there is called, since other threads may have held any
 * lock.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/direct/job.h"
#include "util/cleanup.h"

#define FACTS_MAX 32

static int write_extents(const struct direct_job *job)
{
	_cleanup_fd_ int fd = memfd_create("mapseal-extents", MFD_CLOEXEC);
	struct extents part = { 0 };
	FILE *f;
	int r;

	if (fd < 0)
		return -errno;
	f = fdopen(dup(fd), "w");
	if (!f)
		return -errno;
	r = job->map ? extents_copy(&part, &job->map->extents, job->start, job->end) : 0;
	for (size_t i = 0; r == 0 && i < part.n; i++)
		fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", part.v[i].logical,
			part.v[i].physical, part.v[i].length);
	extents_deinit(&part);
	if (fclose(f) != 0 && r == 0)
		r = -EIO;
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(&fd);
}

static void child(const char *program, char **environment, int input)
{
	char *arguments[] = { (char *)program, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	if (dup2(input, STDIN_FILENO) >= 0 && syscall(SYS_close_range, 3, ~0u, 0) == 0)
		execve(program, arguments, environment);
	_exit(127);
}

static int start(struct task *task, pid_t *ret)
{
	char *environment[FACTS_MAX + 2] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin" };
	_cleanup_fd_ int input = write_extents(&task->job);
	size_t n = 1;
	pid_t pid;

	if (input < 0)
		return input;
	for (char *fact = task->job.facts; fact && *fact && n <= FACTS_MAX;
	     fact += strlen(fact) + 1)
		environment[n++] = fact;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(task->job.helper, environment, input);
	*ret = pid;
	return 0;
}

static void wait_for(struct task *task, pid_t pid)
{
	_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd polled[] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = task->wake, .events = POLLIN },
	};

	while (pidfd >= 0 && !polled[0].revents && !polled[1].revents)
		poll(polled, 2, -1);
	/* without a pidfd there is no waiting for both */
	if (pidfd < 0 || polled[1].revents) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
}

void helper_run(struct task *task)
{
	struct direct_event *event = &task->event;
	int status, r;
	pid_t pid;

	r = start(task, &pid);
	if (r < 0) {
		event->error = r;
		snprintf(event->why, sizeof(event->why), "the fence helper can't be started: %s",
			 strerrordesc_np(-r));
		return;
	}
	wait_for(task, pid);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return;
	event->fenced = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (event->fenced)
		return;
	if (atomic_load(&task->cancelled))
		snprintf(event->why, sizeof(event->why),
			 "the fence helper took too long, and was killed");
	else if (WIFSIGNALED(status))
		snprintf(event->why, sizeof(event->why), "the fence helper was killed by signal %d",
			 WTERMSIG(status));
	else
		snprintf(event->why, sizeof(event->why), "the fence helper ended with status %d",
			 WEXITSTATUS(status));
}
