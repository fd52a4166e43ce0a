/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An announced read of a range under a WRITE window makes its bytes visible in the file; the holder is not
 * asked, keeps the seal, and goes on writing. With PINNABLE it is recalled, since nothing can say that the
 * pages do not change.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

static int holder(int channel, void *data)
{
	unsigned int flags = *(unsigned int *)data;
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, flags);

	memset(mapseal_address(seal), 'f', 100);
	cue(channel, "written");
	cue_wait(channel, "read");
	if (flags & MAPSEAL_PINNABLE) {
		await_state(seal, MAPSEAL_RETURNED);
	} else {
		expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
		expect_eq(mapseal_seq(seal), 1);
		memset(mapseal_address(seal), 'g', 100);
		must(mapseal_commit(seal, 0, SIZE));
	}
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void announce(struct mapseal *m, const char *result)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.length = SIZE,
		.want = MAPSEAL_WANT_READ,
	};
	const struct mapseal_account *account;
	struct mapseal_break *brk;

	must(mapseal_break_begin(m, &request, &brk));
	expect_eq(mapseal_break_token(brk), 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, result);
	must(mapseal_break_end(brk));
}

static char first_byte(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char byte;

	expect_eq(pread(fd, &byte, 1, 0), 1);
	close(fd);
	return byte;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	unsigned int flags[] = { 0, MAPSEAL_PINNABLE };
	struct mapseal *m;

	rig_start(rig, RIG_UNGUARDED "[export file]\npath = %s\nread = *\nwrite = *\n", path);
	m = client(0);
	for (int i = 0; i < 2; i++) {
		struct actor actor = actor_start(holder, &flags[i]);

		cue_wait(actor.channel, "written");
		announce(m, flags[i] ? "returned" : "flushed");
		expect_eq(first_byte(path), 'f');
		cue(actor.channel, "read");
		actor_join(&actor);
		expect_eq(first_byte(path), flags[i] ? 'f' : 'g');
	}
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
