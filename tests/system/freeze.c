/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A file system that hangs. See rig.h.
 *
 * A test that died while it is frozen would leave processes behind that nobody can kill. So it is frozen
 * and thawed by a process of its own, which hears of the test's end by a pipe, and no signal that the
 * test may get.
 */

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"

static struct actor freezer = { .pid = -1 };

static int freeze(const char *mount, int channel)
{
	int fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char word;

	if (fd < 0 || ioctl(fd, FIFREEZE, 0) < 0)
		return 1;
	send(channel, "frozen", 6, MSG_NOSIGNAL);
	recv(channel, &word, 1, 0);
	return ioctl(fd, FITHAW, 0) < 0;
}

void rig_freeze(const char *mount)
{
	int pair[2];

	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	freezer.pid = fork();
	expect(freezer.pid >= 0);
	if (freezer.pid == 0) {
		close(pair[0]);
		setsid();
		signal(SIGTERM, SIG_IGN);
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		alarm(0);
		_exit(freeze(mount, pair[1]));
	}
	close(pair[1]);
	freezer.channel = pair[0];
	cue_wait(freezer.channel, "frozen");
}

void rig_thaw(void)
{
	cue(freezer.channel, "thaw");
	actor_join(&freezer);
}
