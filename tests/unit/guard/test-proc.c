/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What /proc tells about threads: of one that is looked at again and again, of one that has gone,
 * of another one with its number; and of names that are meant to be misread.
 */

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/guard/proc.h"
#include "tests/unit/guard/rig.h"

/* A process that sleeps in @number; tid 0: any. */
static pid_t sleeper(long number, pid_t tid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&tid,
		.set_tid_size = 1,
	};
	pid_t pid = tid ? (pid_t)syscall(SYS_clone3, &args, sizeof(args)) : fork();

	if (pid == 0) {
		if (number == SYS_pause)
			syscall(SYS_pause);
		else
			syscall(number, 0, 0, SIG_BLOCK, 0, 8);
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	check(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static void sleeps_in(struct proc_seen *seen, pid_t pid, long number)
{
	struct operation_call call;
	enum operation_text text;
	bool gone;

	do
		text = proc_call(seen, pid, 1, &call, &gone);
	while (text == OPERATION_TEXT_RUNNING || text == OPERATION_TEXT_OUTSIDE ||
	       (text == OPERATION_TEXT_CALL && call.number != number));
	check_is(text, OPERATION_TEXT_CALL);
	check(!gone && call.known);
}

static void is_gone(struct proc_seen *seen, pid_t pid)
{
	struct operation_call call;
	bool gone = false;

	check_is(proc_call(seen, pid, 1, &call, &gone), OPERATION_TEXT_BROKEN);
	check(gone);
}

static void threads(void)
{
	struct proc_seen seen = { 0 };
	pid_t pid = sleeper(SYS_pause, 0), other;

	check(pid > 0);
	for (int i = 0; i < 3; i++)
		sleeps_in(&seen, pid, SYS_pause);
	sleeps_in(NULL, pid, SYS_pause);
	end(pid);
	is_gone(NULL, pid);
	/* what was opened of the first one is not the second one's */
	other = sleeper(SYS_ppoll, pid);
	if (other < 0)
		printf("no right to choose a pid: not all is looked at\n");
	if (other > 0) {
		check_is(other, pid);
		for (int i = 0; i < 3; i++)
			sleeps_in(&seen, pid, SYS_ppoll);
		end(other);
	}
	is_gone(&seen, pid);
	is_gone(&seen, pid);
	proc_seen_deinit(&seen);
}

/* Many of them, who share what is kept. */
static void many(void)
{
	struct proc_seen seen = { 0 };
	pid_t pids[150];

	for (size_t i = 0; i < 150; i++)
		pids[i] = sleeper(SYS_pause, 0);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < 150; i++)
			sleeps_in(&seen, pids[i], SYS_pause);
	for (size_t i = 0; i < 150; i++) {
		end(pids[i]);
		is_gone(&seen, pids[i]);
	}
	proc_seen_deinit(&seen);
}

static void nobody(void)
{
	static const pid_t none[] = { 0, -1, INT32_MIN, INT32_MAX };
	struct proc_who who;

	for (size_t i = 0; i < 4; i++) {
		struct operation_call call;
		bool gone;

		check_is(proc_call(NULL, none[i], 1, &call, &gone), OPERATION_TEXT_BROKEN);
		check(!proc_file(none[i], 0, 1).known);
		check(!proc_is_worker(none[i]));
		check(!proc_who(none[i], &who));
	}
	check(!proc_file(getpid(), -1, 1).known);
}

/* Names with lines, fields and bytes of all kinds change nobody's pid or uid. */
static void names(void)
{
	static const char *const all[] = {
		"", "a\nUid:\t0\t0\t0", "\nTgid:\t1\n", "Kthread:\t0", "\\nUid:\t0", "Name:\tx",
		"\xff\xfe\x80\x01", "123456789012345", "      ", "\t\n\r\v", "%s%n%d", ")(",
	};
	unsigned int seed = 1;
	char name[16];

	for (int i = 0; i < 2000; i++) {
		struct proc_who who;

		if (i < (int)(sizeof(all) / sizeof(all[0]))) {
			snprintf(name, sizeof(name), "%s", all[i]);
		} else {
			for (size_t j = 0; j < 15; j++)
				name[j] = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
			name[15] = 0;
		}
		check(prctl(PR_SET_NAME, name) == 0);
		check(proc_who(getpid(), &who));
		check_is(who.pid, getpid());
		check_is(who.uid, geteuid());
		check_is(who.comm[15], 0);
		check(!strchr(who.comm, '\n'));
	}
}

int main(void)
{
	threads();
	many();
	nobody();
	names();
	return 0;
}
