/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Actors, cues, and the library in fewer words. See rig.h.
 */

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"
#include "tests/touch.h"

struct actor actor_start_as(uid_t uid, gid_t gid, int (*fn)(int channel, void *data), void *data)
{
	struct actor actor;
	int pair[2];

	fflush(NULL);
	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	actor.pid = fork();
	expect(actor.pid >= 0);
	if (actor.pid == 0) {
		int status;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		if (uid != 0) {
			expect(setgroups(0, NULL) == 0);
			expect(setresgid(gid, gid, gid) == 0);
			expect(setresuid(uid, uid, uid) == 0);
			/* setuid made it undumpable, which hides /proc/self from its owner */
			prctl(PR_SET_DUMPABLE, 1);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		}
		status = fn(pair[1], data);
		fflush(NULL);
		exit(status);
	}
	close(pair[1]);
	actor.channel = pair[0];
	return actor;
}

struct actor actor_start(int (*fn)(int channel, void *data), void *data)
{
	return actor_start_as(RIG_UID, RIG_UID, fn, data);
}

void actor_join(struct actor *actor)
{
	int status;

	expect_eq(waitpid(actor->pid, &status, 0), actor->pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		expect_failed(__FILE__, __LINE__, "actor %d ended with status %#x", (int)actor->pid,
			      (unsigned int)status);
	close(actor->channel);
	actor->pid = -1;
}

int actor_alone(uint64_t size, int (*fn)(int channel, void *data))
{
	struct rig *rig = rig_new();
	struct actor actor;

	rig_start_file(rig, rig_file(rig, "file", size, 1), NULL);
	actor = actor_start(fn, NULL);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}

void actor_kill(struct actor *actor, int signal)
{
	int status;

	expect(kill(actor->pid, signal) == 0);
	expect_eq(waitpid(actor->pid, &status, 0), actor->pid);
	close(actor->channel);
	actor->pid = -1;
}

void cue(int channel, const char *word)
{
	expect_eq(send(channel, word, strlen(word), MSG_NOSIGNAL), strlen(word));
}

void cue_wait(int channel, const char *word)
{
	char heard[64];
	ssize_t n;

	do
		n = recv(channel, heard, sizeof(heard) - 1, 0);
	while (n < 0 && errno == EINTR);
	expect(n >= 0);
	heard[n] = '\0';
	expect_str(heard, word);
}

void cue_number(int channel, uint64_t number)
{
	expect_eq(send(channel, &number, sizeof(number), MSG_NOSIGNAL), sizeof(number));
}

uint64_t cue_wait_number(int channel)
{
	uint64_t number;

	expect_eq(recv(channel, &number, sizeof(number), 0), sizeof(number));
	return number;
}

/* ---- the library ------------------------------------------------------------------------- */

struct mapseal *client(unsigned int flags)
{
	struct mapseal_options options = { .size = sizeof(options), .flags = flags };
	struct mapseal *m;

	must(mapseal_connect(&options, &m));
	return m;
}

struct mapseal_seal *hold_with(struct mapseal *m, const char *object, uint64_t offset,
			       uint64_t length, enum mapseal_mode mode, unsigned int flags,
			       mapseal_recall_fn on_recall, void *data)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = object,
		.fd = -1,
		.offset = offset,
		.length = length,
		.mode = mode,
		.flags = flags,
		.on_recall = on_recall,
		.data = data,
	};
	struct mapseal_seal *seal;

	must(mapseal_acquire(m, &request, &seal));
	return seal;
}

struct mapseal_seal *hold(struct mapseal *m, const char *object, uint64_t offset, uint64_t length,
			  enum mapseal_mode mode, unsigned int flags)
{
	return hold_with(m, object, offset, length, mode, flags, NULL, NULL);
}

void await_state(const struct mapseal_seal *seal, enum mapseal_state state)
{
	while (mapseal_seal_state(seal) != state)
		sched_yield();
}

static char changes[1024]; /* ",granted,recalled,..." as they came */

static void on_change(const struct mapseal_change *change, void *data)
{
	size_t used = strlen(changes);

	(void)data;
	snprintf(changes + used, sizeof(changes) - used, ",%s", change->change);
}

void change_watch(struct mapseal *m)
{
	must(mapseal_watch(m, on_change, NULL));
}

void change_wait(struct mapseal *m, const char *change)
{
	struct pollfd poll_fd = { .fd = mapseal_get_fd(m), .events = POLLIN };

	while (!strstr(changes, change)) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
}

struct mapseal_break *break_range(struct mapseal *m, const char *object, uint64_t offset,
				  uint64_t length, unsigned int flags)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = object,
		.fd = -1,
		.offset = offset,
		.length = length,
		.want = MAPSEAL_WANT_LAYOUT,
		.flags = flags,
	};
	struct mapseal_break *brk;

	must(mapseal_break_begin(m, &request, &brk));
	return brk;
}

void break_revokes(struct mapseal *m, const char *object, uint64_t offset)
{
	struct mapseal_break *brk = break_range(m, object, offset, 0, 0);
	const struct mapseal_account *account;

	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect_str(account->fence, "fenced");
	mapseal_break_end(brk);
}

/* ---- SIGBUS ------------------------------------------------------------------------------ */

static __thread sigjmp_buf bus_return;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(bus_return, 1);
}

static bool access_is_sigbus(volatile unsigned char *address, bool store, unsigned char value)
{
	struct sigaction action = { .sa_handler = on_bus, .sa_flags = SA_NODEFER }, old;
	bool bus = true;

	if (touch_may_park())
		return touch_elsewhere(address, store, value, NULL) != TOUCH_DONE;
	sigaction(SIGBUS, &action, &old);
	if (sigsetjmp(bus_return, 1) == 0) {
		if (store)
			*address = value;
		else
			(void)*address;
		bus = false;
	}
	sigaction(SIGBUS, &old, NULL);
	return bus;
}

bool touch_is_sigbus(const volatile void *address)
{
	return access_is_sigbus((volatile unsigned char *)address, false, 0);
}

bool store_is_sigbus(volatile void *address, unsigned char value)
{
	return access_is_sigbus(address, true, value);
}
