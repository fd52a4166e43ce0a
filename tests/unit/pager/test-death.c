/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A holder that is gone: it is noticed, and what it had written is written back. */

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "rig.h"
#include "wire.h"

#define N 300ul

static int recv_fd(int socket, void *data, size_t size)
{
	size_t got;

	return wire_take(socket, data, size, &got);
}

/* An unprivileged client; writes into a window and ends as it is told. */
static int client(int socket, bool exec)
{
	void *probe = rig_probe();
	unsigned char *at;
	int uffd, memory;
	char go;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	uffd = rig_uffd(UFFD_USER_MODE_ONLY);
	wire_send(socket, uffd, &probe, sizeof(probe));
	memory = recv_fd(socket, &go, 1);
	at = mmap(NULL, N * PAGE, PROT_NONE, MAP_SHARED, memory, 0);
	if (at == MAP_FAILED)
		return 2;
	wire_send(socket, -1, &at, sizeof(at));
	recv_fd(socket, &go, 1);
	mprotect(at, N * PAGE, PROT_READ | PROT_WRITE);
	for (unsigned long page = 0; page < N; page++)
		at[page * PAGE] = 'w';
	wire_send(socket, -1, "w", 1);
	if (exec)
		execl("/bin/sleep", "sleep", "1000", NULL);
	pause();
	return 3;
}

static void dies(struct rig *rig, bool exec, bool discard, bool look)
{
	int fd = rig_file(N * PAGE), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0), sockets[2], status;
	uint64_t space = ++rig->next_id, window = ++rig->next_id, object;
	struct pager_event event;
	unsigned char byte;
	void *probe, *at;
	pid_t pid;

	check_is(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	object = rig_object(rig, fd, N * PAGE, true);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		close(sockets[0]);
		_exit(client(sockets[1], exec));
	}
	close(sockets[1]);
	fd = recv_fd(sockets[0], &probe, sizeof(probe));
	check(fd >= 0);
	event = rig_attach(rig, space, fd, pid, probe);
	check_is(event.error, 0);
	close(fd);
	event = rig_do(rig, (struct pager_job){
				    .type = PAGER_WINDOW_OPEN,
				    .window = window,
				    .space = space,
				    .object = object,
				    .end = N * PAGE,
				    .write = true,
			    });
	check_is(event.error, 0);
	wire_send(sockets[0], event.fd, "m", 1);
	close(event.fd);
	check_is(recv_fd(sockets[0], &at, sizeof(at)), -1);
	event = rig_do(rig, (struct pager_job){
				    .type = PAGER_WINDOW_MAP,
				    .window = window,
				    .address = (uintptr_t)at,
				    .end = N * PAGE,
			    });
	check_is(event.error, 0);
	wire_send(sockets[0], -1, "g", 1);
	check_is(recv_fd(sockets[0], &byte, 1), -1);
	check(pager_dirty(rig->pager, window) == N * PAGE);
	rig->space_lost = false;
	if (!exec) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	if (look)
		rig_wait_lost(rig);
	event = rig_do(rig, (struct pager_job){
				    .type = PAGER_FENCE,
				    .window = window,
				    .end = N * PAGE,
				    .how = PAGER_HOW_DEATH,
				    .discard = discard,
			    });
	check_is(event.error, 0);
	check_is(event.fence, PAGER_FENCE_FENCED);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(mine, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, discard ? rig_byte(page * PAGE) : 'w');
	}
	event = rig_do(rig, (struct pager_job){ .type = PAGER_WINDOW_CLOSE, .window = window });
	check_is(event.error, 0);
	event = rig_do(rig, (struct pager_job){ .type = PAGER_SPACE_CLOSE, .space = space });
	check_is(event.error, 0);
	if (exec) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	close(sockets[0]);
	close(mine);
}

int main(void)
{
	struct rig rig;

	rig_start(&rig, &RIG_CONFIG);
	dies(&rig, false, false, true);
	dies(&rig, false, false, false);
	dies(&rig, false, true, true);
	dies(&rig, true, false, true);
	rig_stop(&rig);
	return 0;
}
