/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder that does not answer (stopped by SIGSTOP) is revoked at the deadline: the breaker goes on, what was
 * written before is in the file, nothing that the holder writes afterwards is, and touching it is SIGBUS.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 1024 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	unsigned char *bytes = mapseal_address(seal);

	(void)data;
	memset(bytes, 'b', 8192);
	cue(channel, "written");
	cue_wait(channel, "go on"); /* only after SIGCONT */
	for (size_t at = 0; at < SIZE; at += 4096)
		expect(store_is_sigbus(bytes + at, 'a'));
	cue_wait(channel, "end");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	static unsigned char bytes[SIZE];
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;
	int fd, status;

	rig_start_file(rig, path, "deadline-ms = 200\nhard-ms = 1000\n");
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "written");
	expect(kill(actor.pid, SIGSTOP) == 0);
	expect_eq(waitpid(actor.pid, &status, WUNTRACED), actor.pid);
	expect(WIFSTOPPED(status));

	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->answer, "none");
	expect_str(account->result, "revoked");
	expect_str(account->fence, "fenced");
	expect(account->ms >= 200);

	cue(actor.channel, "go on");
	expect(kill(actor.pid, SIGCONT) == 0);
	cue(actor.channel, "end");
	actor_join(&actor);

	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect_eq(pread(fd, bytes, SIZE, 0), SIZE);
	for (size_t n = 0; n < SIZE; n++)
		expect(bytes[n] == (n < 8192 ? 'b' : rig_byte(1, n)));
	close(fd);
	must(mapseal_break_end(brk));
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
