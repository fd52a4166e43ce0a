/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The supervisor is killed while its windows are in use: a thread that touches a page that is not there waits, and is
 * never given zeros; the application hears of it, may fork and unmap without hanging, and ends the thread's
 * wait by giving the seal up (SIGSEGV). A new connection to the next supervisor is as good as any.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 1024 * 1024 };

static sigjmp_buf fault;
static _Atomic int touching;
static bool is_lost;

static void on_segv(int signal)
{
	(void)signal;
	siglongjmp(fault, 1);
}

/* NULL: it ended in SIGSEGV; else it read something. */
static void *touch(void *address)
{
	const volatile unsigned char *bytes = address;
	void *r = NULL;

	if (sigsetjmp(fault, 1) == 0) {
		atomic_store(&touching, 1);
		(void)*bytes;
		r = address;
	}
	return r;
}

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	is_lost |= event->type == MAPSEAL_EVENT_DISCONNECTED;
}

static int holder(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event };
	struct sigaction action = { .sa_handler = on_segv, .sa_flags = SA_NODEFER };
	struct pollfd poll_fd = { .events = POLLIN };
	struct mapseal_request request = {
		.size = sizeof(request), .object = "file", .fd = -1, .mode = MAPSEAL_READ
	};
	struct mapseal_seal *reading, *writing, *more;
	unsigned char *bytes;
	struct mapseal *m;
	pthread_t thread;
	int r, status;
	void *read;
	pid_t pid;

	(void)data;
	must(mapseal_connect(&options, &m));
	reading = hold(m, "file", 0, SIZE / 2, MAPSEAL_READ, 0);
	writing = hold(m, "file", SIZE / 2, SIZE / 2, MAPSEAL_WRITE, 0);
	bytes = mapseal_address(reading);
	expect(rig_same(bytes, 0, 4096, 1));
	memset(mapseal_address(writing), 'w', 4096);
	cue(channel, "held");
	cue_wait(channel, "killed");

	poll_fd.fd = mapseal_get_fd(m);
	while (!is_lost) {
		expect(poll(&poll_fd, 1, -1) == 1);
		(void)mapseal_dispatch(m);
	}
	must_refuse(mapseal_acquire(m, &request, &more), ECONNRESET);
	must_refuse(mapseal_enter(reading), ESTALE);
	/* what is there stays */
	expect(rig_same(bytes, 0, 4096, 1));
	expect_eq(*(unsigned char *)mapseal_address(writing), 'w');

	sigaction(SIGSEGV, &action, NULL);
	expect_eq(pthread_create(&thread, NULL, touch, bytes + SIZE / 2 - 4096), 0);
	while (!atomic_load(&touching))
		sched_yield();
	pid = fork();
	if (pid == 0)
		_exit(23);
	expect_eq(waitpid(pid, &status, 0), pid);
	expect_eq(WEXITSTATUS(status), 23);
	mapseal_seal_free(reading);
	r = pthread_join(thread, &read);
	expect(r == 0 && read == NULL);
	mapseal_seal_free(writing);
	mapseal_close(m);

	cue(channel, "again");
	cue_wait(channel, "started");
	m = client(0);
	reading = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	expect(rig_same(mapseal_address(reading), 0, SIZE / 2, 1));
	mapseal_seal_free(reading);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor actor;
	int status;

	rig_start_file(rig, path, NULL);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "held");
	expect(kill(rig->supervisor, SIGKILL) == 0);
	expect_eq(waitpid(rig->supervisor, &status, 0), rig->supervisor);
	rig->supervisor = 0;
	cue(actor.channel, "killed");
	cue_wait(actor.channel, "again");
	/* the socket file is stale, and replaced */
	rig_start(rig, "[export file]\npath = %s\nread = *\n", path);
	cue(actor.channel, "started");
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
