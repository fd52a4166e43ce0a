/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A transparent holder is not asked: its window is fenced, a thread that reads it meanwhile waits, and reads
 * the new bytes when the break is over. System calls into the window are served too (kernel-faults).
 */

#include <fcntl.h>
#include <sys/socket.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 128 * 1024 };

static sem_t is_parked;

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	if (event->type == MAPSEAL_EVENT_PARKED)
		sem_post(&is_parked);
}

static int reader(int channel, void *data)
{
	struct mapseal_options options = {
		.size = sizeof(options), .flags = MAPSEAL_THREAD, .on_event = on_event
	};
	const volatile unsigned char *bytes;
	struct mapseal_seal *seal;
	unsigned char copy[4096];
	struct mapseal *m;
	int pipe_fds[2];

	(void)data;
	expect(sem_init(&is_parked, 0, 0) == 0);
	must(mapseal_connect(&options, &m));
	seal = hold(m, "file", 0, 0, MAPSEAL_READ, MAPSEAL_TRANSPARENT);
	bytes = mapseal_address(seal);
	expect(rig_same(bytes, 0, 4096, 1));
	/* write(2) from a page that is not there yet */
	expect(pipe(pipe_fds) == 0);
	expect_eq(write(pipe_fds[1], (const void *)(bytes + 65536), 4096), 4096);
	expect_eq(read(pipe_fds[0], copy, 4096), 4096);
	expect(rig_same(copy, 65536, 4096, 1));

	cue(channel, "holding");
	cue_wait(channel, "fenced");
	while (sem_wait(&is_parked) < 0)
		;
	expect_eq(mapseal_seal_state(seal), MAPSEAL_PARKED);
	cue(channel, "touching");
	/* Parked here until the break is over: the old byte may not be seen any more. */
	expect_eq(bytes[0], 'n');
	expect_eq(bytes[65536], rig_byte(1, 65536));
	cue(channel, "read");
	cue_wait(channel, "end");
	await_state(seal, MAPSEAL_HELD);
	expect_eq(mapseal_seq(seal), 2);
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
	char word;
	int fd;

	rig_start_file(rig, path, "kernel-faults = uid:%d\n", RIG_UID);
	actor = actor_start(reader, NULL);
	cue_wait(actor.channel, "holding");

	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->answer, "none");
	expect_str(account->result, "parked");
	expect_str(account->fence, "fenced");
	cue(actor.channel, "fenced");
	cue_wait(actor.channel, "touching");

	fd = open(path, O_WRONLY | O_CLOEXEC);
	expect_eq(pwrite(fd, "n", 1, 0), 1);
	close(fd);
	/* It says "read" only after the break: nothing may be there before. */
	expect(recv(actor.channel, &word, 1, MSG_DONTWAIT | MSG_PEEK) < 0);
	must(mapseal_break_end(brk));
	cue_wait(actor.channel, "read");
	cue(actor.channel, "end");
	actor_join(&actor);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
