/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The holder of a read-only description of a memfd opens it for writing through /proc, unless it is
 * 0400 and another's. F_SEAL_SHRINK and F_SEAL_GROW stop resizing, not punching. O_APPEND is of the
 * description: another one of the same memory keeps writing where it says. */

#include "kernel.h"

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

/* What uid 65534 gets from opening @fd for writing. */
static int as_nobody(int fd)
{
	int status;
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		check(setgid(65534) == 0 && setuid(65534) == 0);
		_exit(reopen(fd, O_RDWR) < 0 ? errno : 0);
	}
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

int main(void)
{
	int memory, readonly, other;
	char byte;

	need_root();
	memory = memory_of(4 * PAGE);
	readonly = reopen(memory, O_RDONLY);
	check(readonly >= 0);
	check(as_nobody(readonly) == 0);
	check(fchmod(memory, 0400) == 0 && fchown(memory, 65533, (gid_t)-1) == 0);
	check(as_nobody(readonly) == EACCES);

	check(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
	check(ftruncate(memory, PAGE) < 0 && errno == EPERM);
	check(ftruncate(memory, 8 * PAGE) < 0 && errno == EPERM);
	check(fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
	check(punch(memory, 0, PAGE) == 0);

	other = reopen(memory, O_RDWR);
	check(other >= 0 && fcntl(other, F_SETFL, O_APPEND) == 0);
	check(pwrite(other, "x", 1, 0) < 0 && errno == EPERM);
	check(pwrite(memory, "y", 1, 0) == 1);
	check(pread(memory, &byte, 1, 0) == 1 && byte == 'y');
	return 0;
}
