/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The supervisor as a socket-activated service of Type=notify: it serves the socket that it is handed, also those
 * who connected before it ran, says READY=1 and STOPPING=1, writes back at the end, and leaves the
 * socket to the service manager, for the next one to go on with. What is not such a socket it refuses.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 64 * 1024 };

static int listen_at(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	expect(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(chmod(path, 0666) == 0 && listen(fd, 16) == 0);
	return fd;
}

/* The first connects while nobody serves yet. */
static int writer(int channel, void *data)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	(void)data;
	cue(channel, "connecting");
	m = client(0);
	seal = hold(m, "file", 0, 0, MAPSEAL_WRITE, 0);
	expect(rig_same(mapseal_address(seal), 0, SIZE, 1));
	memset(mapseal_address(seal), 'w', 4096);
	cue(channel, "written");
	cue_wait(channel, "end");
	return 0;
}

static int reader(int channel, void *data)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	(void)data;
	cue(channel, "connecting");
	m = client(0);
	seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	expect_eq(*(unsigned char *)mapseal_address(seal), 'w');
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

/* What it is handed is no socket to serve: it says so, and ends with status 1. */
static void refuses(struct rig *rig, int fd)
{
	char text[512];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	expect(pipe(fds) == 0);
	pid = fork();
	expect(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		expect(dup2(fds[1], STDERR_FILENO) >= 0);
		rig->activated = fd;
		rig_exec(rig);
	}
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	expect(n > 0);
	text[n] = '\0';
	expect(strstr(text, "SOCK_SEQPACKET"));
	close(fds[0]);
	expect_eq(waitpid(pid, &status, 0), pid);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor actor;
	struct stat st;

	rig->activated = listen_at(rig->socket, SOCK_SEQPACKET);
	expect(setenv("MAPSEAL_SOCKET", rig->socket, 1) == 0);
	actor = actor_start(writer, NULL);
	cue_wait(actor.channel, "connecting");
	rig_start_file(rig, path, NULL);
	cue_wait(actor.channel, "written");

	rig_stop(rig);
	rig_wait_notified(rig, "STOPPING=1");
	rig_file_is(path, SIZE, 1, 0, 4096, 'w');
	cue(actor.channel, "end");
	actor_join(&actor);
	expect(stat(rig->socket, &st) == 0 && S_ISSOCK(st.st_mode));

	actor = actor_start(reader, NULL);
	cue_wait(actor.channel, "connecting");
	rig_start(rig, "[export file]\npath = %s\nread = *\n", path);
	actor_join(&actor);
	rig_stop(rig);

	refuses(rig, listen_at(rig_path(rig, "stream"), SOCK_STREAM));
	refuses(rig, socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	rig->activated = 0;
	rig_free(rig);
	return 0;
}
