/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder forks: the parent goes on holding and writing, the child has no window and no seal, its calls say
 * ECHILD, and its end changes nothing. A child of a holder without the library, which does inherit the
 * mapping, never sees zeros in it: bytes or SIGBUS.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 4 * 1024 * 1024 };

static void wait_child(pid_t child, int signal)
{
	int status;

	expect_eq(waitpid(child, &status, 0), child);
	if (signal)
		expect(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	else
		expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	volatile unsigned char *bytes = mapseal_address(seal);
	pid_t child;

	(void)channel, (void)data;
	bytes[0] = '0';
	child = fork();
	if (child == 0) {
		expect_eq(mapseal_commit(seal, 0, SIZE), -ECHILD);
		expect_eq(mapseal_get_status(m, &(struct mapseal_status){ 0 }), -ECHILD);
		mapseal_seal_free(seal);
		mapseal_close(m);
		_exit(0);
	}
	wait_child(child, 0);
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(bytes[0]);
	}
	wait_child(child, SIGSEGV);

	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	bytes[1] = '1';
	expect_eq(bytes[2 * MiB], rig_byte(1, 2 * MiB));
	must(mapseal_commit(seal, 0, SIZE));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int inheritor(int channel, void *data)
{
	volatile unsigned char *bytes;
	struct raw raw;
	pid_t child;

	(void)channel, (void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_READ);
	bytes = raw_map(&raw);
	expect_eq(bytes[8192], rig_byte(1, 8192));
	child = fork();
	if (child == 0) {
		for (size_t at = 0; at < SIZE; at += 65536)
			if (!touch_is_sigbus(bytes + at))
				expect_eq(bytes[at], rig_byte(1, at));
		_exit(0);
	}
	wait_child(child, 0);
	expect(rig_same(bytes, 0, SIZE, 1));
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor actor;
	char bytes[2];
	int fd;

	rig_start_file(rig, path, NULL);
	actor = actor_start(inheritor, NULL);
	actor_join(&actor);
	actor = actor_start(holder, NULL);
	actor_join(&actor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect_eq(pread(fd, bytes, 2, 0), 2);
	expect(bytes[0] == '0' && bytes[1] == '1');
	close(fd);
	rig_free(rig);
	return 0;
}
