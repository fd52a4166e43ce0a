/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder that asked for REVOKE_PARK and does not return in time is fenced, its threads wait instead of getting
 * SIGBUS, and it is granted again after the break, with the breaker's bytes.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 65536 };

static int events[16];

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	events[event->type]++;
}

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)recall, (void)data;
	return MAPSEAL_LATER; /* and then does not */
}

static void *touch(void *data)
{
	return (void *)(uintptr_t) * (const volatile unsigned char *)data;
}

static int holder(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event };
	struct mapseal_seal *seal;
	struct pollfd poll_fd;
	unsigned char *bytes;
	pthread_t thread;
	struct mapseal *m;
	void *byte;

	(void)data;
	must(mapseal_connect(&options, &m));
	poll_fd = (struct pollfd){ .fd = mapseal_get_fd(m), .events = POLLIN };
	seal = hold_with(m, "file", 0, 0, MAPSEAL_WRITE, MAPSEAL_REVOKE_PARK, on_recall, NULL);
	bytes = mapseal_address(seal);
	bytes[1] = 'w';
	cue(channel, "holding");
	while (!events[MAPSEAL_EVENT_PARKED]) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
	await_state(seal, MAPSEAL_PARKED);
	expect(pthread_create(&thread, NULL, touch, bytes) == 0);
	cue(channel, "parked");
	while (!events[MAPSEAL_EVENT_REGRANTED]) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
	pthread_join(thread, &byte);
	expect_eq((uintptr_t)byte, 'n');
	expect_eq(bytes[1], 'w');
	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	bytes[2] = 'x';
	must(mapseal_commit(seal, 0, SIZE));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;
	char bytes[3];
	int fd;

	rig_start_file(rig, path, "deadline-ms = 200\nhard-ms = 1000\n");
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "holding");
	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->answer, "ok");
	expect_str(account->result, "revoked");
	cue_wait(actor.channel, "parked");
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_eq(pwrite(fd, "n", 1, 0), 1);
	must(mapseal_break_end(brk));
	actor_join(&actor);
	expect_eq(pread(fd, bytes, 3, 0), 3);
	expect(bytes[0] == 'n' && bytes[1] == 'w' && bytes[2] == 'x');
	close(fd);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
