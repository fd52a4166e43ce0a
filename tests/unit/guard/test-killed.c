/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Strangers that are killed while they are held, too many of them, and a supervisor that goes away
 * while it holds some.
 */

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/guard/rig.h"

#define SIZE	 (64 * PAGE)
#define FLOOD	 80 /* of each uid */
#define UIDS	 3
#define MAX_HELD 64 /* the rig's */
#define N_HELD	 (32 + 16 + 8) /* half of what the others left, of each uid */

static int64_t truncates(const struct doing *doing)
{
	return truncate(doing->path, 4 * PAGE) < 0 ? -errno : 0;
}

static int64_t reads(const struct doing *doing)
{
	int fd = open(doing->path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	return fd < 0 || pread(fd, &c, 1, 0) != 1 ? -errno : c;
}

static void *truncate_thread(void *path)
{
	truncate(path, 4 * PAGE);
	return NULL;
}

/* One thread is held when another one calls exec, which ends it; the process goes on. */
static int64_t executes(const struct doing *doing)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"read x", NULL };
	pthread_t thread;

	if (pthread_create(&thread, NULL, truncate_thread, (void *)doing->path) != 0)
		return -1;
	wait_for_go(doing);
	dup2(doing->socket, 0);
	execv("/bin/sh", argv);
	return -errno;
}

static void killed(struct rig *rig)
{
	uint64_t seal = rig_window(rig, 0, SIZE);
	struct stranger stranger = rig_stranger(rig, truncates, 0, 0);
	struct guard_event event = rig_event(rig, GUARD_EVENT_HELD);

	stranger_kill(&stranger);
	check_is(rig_event(rig, GUARD_EVENT_GONE).ticket, event.ticket);
	guard_answer(rig->guard, event.ticket, GUARD_ALLOW);
	guard_seal_remove(rig->guard, seal);
	/* it has done nothing, and nothing is left of it */
	seal = rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, 0);
	check_is(lseek(rig->fd, 0, SEEK_END), SIZE);
	guard_seal_remove(rig->guard, seal);
}

static void ended_by_exec(struct rig *rig)
{
	uint64_t seal = rig_window(rig, 0, SIZE);
	struct stranger stranger = rig_stranger(rig, executes, 0, 0);
	struct guard_event event = rig_event(rig, GUARD_EVENT_HELD);

	check_is(event.pid, stranger.pid);
	check(event.tid != event.pid);
	rig_go(&stranger);
	check_is(rig_event(rig, GUARD_EVENT_GONE).ticket, event.ticket);
	guard_answer(rig->guard, event.ticket, GUARD_DENY_BUSY);
	stranger_kill(&stranger);
	guard_seal_remove(rig->guard, seal);
}

static void flood_of_uid(struct rig *rig, uid_t uid, struct stranger strangers[FLOOD],
			 uint64_t *tickets, uint32_t share)
{
	rig->uid = uid;
	for (size_t i = 0; i < FLOOD; i++)
		strangers[i] = rig_stranger(rig, truncates, 0, 0);
	for (uint32_t i = 0; i < share; i++) {
		struct guard_event event = rig_event(rig, GUARD_EVENT_HELD);

		check_is(event.uid, uid);
		tickets[i] = event.ticket;
	}
}

/* However many of one uid come, there is room for others. */
static void flood(struct rig *rig)
{
	uint64_t seal = rig_window(rig, 0, SIZE), tickets[N_HELD];
	struct stranger strangers[UIDS][FLOOD], reader;
	uint32_t n_held = 0, share = MAX_HELD / 2;
	struct guard_stats stats;
	struct guard_state state;
	int denied = 0, let_go = 0;

	for (uid_t i = 0; i < UIDS; i++, n_held += share, share /= 2)
		flood_of_uid(rig, STRANGER - i, strangers[i], tickets + n_held, share);
	rig->uid = 0;
	check_is(n_held, N_HELD);
	/* who disturbs nobody does not wait for them */
	reader = rig_stranger(rig, reads, 0, 0);
	check_is(stranger_end(&reader), 'a');
	check(guard_state(rig->guard, rig->object, &state) && state.held == N_HELD);
	guard_seal_remove(rig->guard, seal);
	for (size_t i = 0; i < N_HELD; i++)
		guard_answer(rig->guard, tickets[i], GUARD_ALLOW);
	for (size_t i = 0; i < UIDS * FLOOD; i++) {
		int64_t r = stranger_end(&strangers[i / FLOOD][i % FLOOD]);

		denied += r == -EBUSY;
		let_go += r == 0;
	}
	check_is(denied + let_go, UIDS * FLOOD);
	check(rig_quiet(rig) && let_go >= N_HELD);
	guard_stats(rig->guard, &stats);
	check_is(stats.held, 0);
	check(ftruncate(rig->fd, SIZE) == 0);
}

/* The share of who is over is there again, all of it. */
static void again(struct rig *rig)
{
	uint64_t seal = rig_window(rig, 0, SIZE), tickets[MAX_HELD / 2];
	struct stranger strangers[FLOOD];

	flood_of_uid(rig, STRANGER, strangers, tickets, MAX_HELD / 2);
	rig->uid = 0;
	guard_seal_remove(rig->guard, seal);
	for (size_t i = 0; i < MAX_HELD / 2; i++)
		guard_answer(rig->guard, tickets[i], GUARD_DENY_BUSY);
	for (size_t i = 0; i < FLOOD; i++)
		stranger_end(&strangers[i]);
	check(rig_quiet(rig));
	check(ftruncate(rig->fd, SIZE) == 0);
}

/* Another process guards the file, and is killed. */
static void supervisor_killed(struct rig *rig)
{
	struct guard_config config = { -1, GUARD_FANOTIFY, MAX_HELD };
	struct stranger held, waiting;
	int ends[2], status;
	pid_t pid;
	char c;

	check(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		config.group = guard_open_group();
		check(guard_new(&config, &rig->guard) == 0);
		rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
		rig->next_seal = 0;
		guard_seal_add(rig->guard, &(struct guard_seal){ 1, rig->object, 0, SIZE,
								 CORE_WINDOW, CORE_READ, false });
		check(write(ends[1], "r", 1) == 1);
		rig_event(rig, GUARD_EVENT_HELD);
		check(write(ends[1], "h", 1) == 1);
		for (;;)
			pause();
	}
	check(read(ends[0], &c, 1) == 1);
	held = rig_stranger(rig, truncates, 0, 0);
	check(read(ends[0], &c, 1) == 1);
	check(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid);
	waiting = rig_stranger(rig, truncates, 0, 0);
	check(!stranger_ended(&held));
	check(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	check_is(stranger_end(&held), 0);
	check_is(stranger_end(&waiting), 0);
	close(ends[0]);
	close(ends[1]);
}

static void freed(struct rig *rig)
{
	struct stranger stranger;

	rig_window(rig, 0, SIZE);
	stranger = rig_stranger(rig, truncates, 0, 0);
	rig_event(rig, GUARD_EVENT_HELD);
	rig->guard = guard_free(rig->guard);
	check_is(stranger_end(&stranger), 0);
	check(ftruncate(rig->fd, SIZE) == 0);
}

/* Its seal went without anybody answering. */
static void disarmed(struct rig *rig)
{
	uint64_t seal = rig_window(rig, 0, SIZE);
	struct stranger stranger = rig_stranger(rig, truncates, 0, 0);
	struct guard_event event = rig_event(rig, GUARD_EVENT_HELD);

	guard_seal_remove(rig->guard, seal);
	guard_disarm(rig->guard, rig->object);
	check_is(stranger_end(&stranger), 0);
	guard_answer(rig->guard, event.ticket, GUARD_DENY_BUSY);
	check(ftruncate(rig->fd, SIZE) == 0);
}

static void test(struct rig *rig)
{
	struct guard_config config = { -1, GUARD_FANOTIFY, MAX_HELD };

	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	killed(rig);
	ended_by_exec(rig);
	flood(rig);
	again(rig);
	disarmed(rig);
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	freed(rig);
	supervisor_killed(rig);
	config.group = guard_open_group();
	check(guard_new(&config, &rig->guard) == 0);
}

int main(void)
{
	rig_run(rig_disks, 3, GUARD_FANOTIFY, SIZE, test);
	return 0;
}
