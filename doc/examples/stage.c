/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * See stage.h. Lines go through one pipe, each written whole and stamped by who says it, so that the timeline is
 * true whatever the order in which it is printed.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "doc/examples/stage.h"

static int timeline[2] = { -1, -1 };
static uint64_t start; /* of the scene; actors inherit it */
static int failures;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void stage_open(void)
{
	stage_need(pipe2(timeline, O_CLOEXEC) == 0, "a pipe");
	setvbuf(stdout, NULL, _IOLBF, 0);
}

void stage_begin(const char *title)
{
	stage_flush();
	start = now_ns();
	printf("\n%s\n", title);
}

static void say(const char *mark, const char *who, const char *format, va_list args)
{
	char line[480], text[400];
	double ms = (double)(now_ns() - start) / 1e6;
	int n;

	vsnprintf(text, sizeof(text), format, args);
	n = snprintf(line, sizeof(line), "%s%10.3f ms  %-10s %s\n", mark, ms, who, text);
	/* below PIPE_BUF: one line is one write */
	if (write(timeline[1], line, (size_t)n) != n)
		_exit(1);
}

void stage_say(const char *who, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("  ", who, format, args);
	va_end(args);
}

bool stage_check(const char *who, bool is_right, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(is_right ? "+ " : "! ", who, format, args);
	va_end(args);
	return is_right;
}

void stage_need(bool is_there, const char *what)
{
	if (is_there)
		return;
	stage_flush();
	fprintf(stderr, "demo: failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Prints what has been said so far. A line that begins with '!' is a check that failed. */
void stage_flush(void)
{
	struct pollfd poll_fd = { .fd = timeline[0], .events = POLLIN };
	static bool is_line_start = true;
	char buffer[4096];

	if (timeline[0] < 0)
		return;
	while (poll(&poll_fd, 1, 0) == 1) {
		ssize_t n = read(timeline[0], buffer, sizeof(buffer));

		for (ssize_t i = 0; i < n; i++) {
			if (is_line_start && buffer[i] == '!')
				failures++;
			is_line_start = buffer[i] == '\n';
		}
		if (n <= 0 || fwrite(buffer, 1, (size_t)n, stdout) != (size_t)n)
			break;
	}
}

int stage_failures(void)
{
	stage_flush();
	return failures;
}

int stage_wait(pid_t pid)
{
	struct pollfd poll_fd = { .fd = timeline[0], .events = POLLIN };
	int status = 0;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		poll(&poll_fd, 1, 20);
		stage_flush();
	}
	stage_flush();
	return status;
}

/* ---- actors ------------------------------------------------------------------------------ */

pid_t stage_actor(int (*fn)(int channel, const void *data), const void *data, int *ret_channel)
{
	int pair[2];
	pid_t pid;

	fflush(stdout);
	stage_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "a socket pair");
	pid = fork();
	stage_need(pid >= 0, "fork");
	if (pid == 0) {
		close(pair[0]);
		if (setgroups(0, NULL) < 0 || setresgid(STAGE_UID, STAGE_UID, STAGE_UID) < 0 ||
		    setresuid(STAGE_UID, STAGE_UID, STAGE_UID) < 0)
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_DUMPABLE, 1);
		_exit(fn(pair[1], data));
	}
	close(pair[1]);
	*ret_channel = pair[0];
	return pid;
}

pid_t stage_program(const char *const argv[])
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	stage_need(pid >= 0, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], (char *const *)argv);
		fprintf(stderr, "demo: cannot run %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	return pid;
}

void stage_cue(int channel)
{
	stage_need(send(channel, "c", 1, MSG_NOSIGNAL) == 1, "an actor");
}

bool stage_await(int channel)
{
	struct pollfd poll_fd = { .fd = channel, .events = POLLIN };
	char byte;

	while (poll(&poll_fd, 1, 20) == 0)
		stage_flush();
	return recv(channel, &byte, 1, 0) == 1;
}

/* ---- digests ----------------------------------------------------------------------------- */

int stage_digest_begin(pid_t *ret_pid, int *ret_result)
{
	int in[2], out[2];

	stage_need(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "a pipe");
	*ret_pid = fork();
	stage_need(*ret_pid >= 0, "fork");
	if (*ret_pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execlp("sha256sum", "sha256sum", (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*ret_result = out[0];
	return in[1];
}

void stage_digest_end(int pipe_fd, pid_t pid, int result, char ret[65])
{
	close(pipe_fd);
	memset(ret, 0, 65);
	stage_need(read(result, ret, 64) == 64, "a digest");
	close(result);
	waitpid(pid, NULL, 0);
}

void stage_digest_file(const char *path, char ret[65])
{
	int file = open(path, O_RDONLY | O_CLOEXEC), result;
	static char buffer[1 << 20];
	ssize_t n;
	pid_t pid;
	int pipe_fd = stage_digest_begin(&pid, &result);

	stage_need(file >= 0, path);
	while ((n = read(file, buffer, sizeof(buffer))) > 0)
		stage_need(write(pipe_fd, buffer, (size_t)n) == n, "a pipe");
	close(file);
	stage_digest_end(pipe_fd, pid, result, ret);
}
