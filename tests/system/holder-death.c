/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder that crashes: its seal ends, and the pages it wrote are written, as a shared mapping's would be, or
 * discarded, as its export says. What it had committed is there in either case.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, data, 0, 0, MAPSEAL_WRITE, 0);
	unsigned char *bytes = mapseal_address(seal);

	memset(bytes, 'c', 4096);
	must(mapseal_commit(seal, 0, SIZE));
	memset(bytes + 131072, 'd', 4096);
	cue(channel, "written");
	raise(SIGKILL);
	return 0;
}

static void die_holding(struct mapseal *m, const char *object, const char *path, bool is_written)
{
	static unsigned char bytes[SIZE];
	struct actor actor = actor_start(holder, (void *)object);
	struct mapseal_break *brk;
	int fd, status;

	cue_wait(actor.channel, "written");
	expect_eq(waitpid(actor.pid, &status, 0), actor.pid);
	close(actor.channel);
	/* the break goes on when everything of the dead is taken back */
	brk = break_range(m, object, 0, 0, 0);
	mapseal_break_end(brk);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect_eq(pread(fd, bytes, SIZE, 0), SIZE);
	for (size_t n = 0; n < SIZE; n++) {
		unsigned char want = rig_byte(1, n);

		if (n < 4096)
			want = 'c';
		else if (is_written && n >= 131072 && n < 135168)
			want = 'd';
		expect_eq(bytes[n], want);
	}
	close(fd);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *writing = rig_file(rig, "writing", SIZE, 1);
	const char *discarding = rig_file(rig, "discarding", SIZE, 1);
	struct mapseal *m;

	rig_start(rig,
		  "[export writing]\npath = %s\nread = *\nwrite = *\n"
		  "[export discarding]\npath = %s\nread = *\nwrite = *\non-death = discard\n",
		  writing, discarding);
	m = client(0);
	die_holding(m, "writing", writing, true);
	die_holding(m, "discarding", discarding, false);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
