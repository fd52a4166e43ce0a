/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The signal of a broken lease goes to the one thread that was named, says which descriptor, and
 * both are forgotten with the lease. What the break wants the lease itself says. */

#include <sys/signalfd.h>

#include "fan.h"

static int opens_to_read(void)
{
	return open(fan_path, O_RDONLY) >= 0 ? 0 : errno;
}

static int opens_to_write(void)
{
	return open(fan_path, O_WRONLY) >= 0 ? 0 : errno;
}

static int truncates(void)
{
	return truncate(fan_path, 0) == 0 ? 0 : errno;
}

static int does_not_wait(void)
{
	return open(fan_path, O_RDONLY | O_NONBLOCK) >= 0 ? 0 : errno;
}

static int fd, number;

static void broken(int (*deed)(void), int becomes, int result)
{
	struct f_owner_ex owner = { F_OWNER_TID, (pid_t)syscall(SYS_gettid) };
	struct signalfd_siginfo info;
	sigset_t set;
	int signals;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, number);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	check(signals >= 0 && fcntl(fd, F_GETSIG) == 0);
	check(fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_SETSIG, number) == 0 &&
	      fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
	pid = fan_stranger(deed);
	check(read(signals, &info, sizeof(info)) == sizeof(info));
	check((int)info.ssi_signo == number && info.ssi_fd == fd);
	check(fcntl(fd, F_GETLEASE) == becomes);
	if (result == 0)
		check(waitpid(pid, NULL, WNOHANG) == 0);
	else
		check(fan_result(pid) == result);
	check(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
	if (result == 0)
		check(fan_result(pid) == 0);
	close(signals);
}

int main(void)
{
	sigset_t set;

	need_root();
	number = SIGRTMIN + 3;
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	fd = fan_file(1);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		skip("no leases on this file system");
	check(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
	broken(opens_to_read, F_RDLCK, 0);
	broken(opens_to_write, F_UNLCK, 0);
	broken(truncates, F_UNLCK, 0);
	broken(does_not_wait, F_RDLCK, EWOULDBLOCK);
	return 0;
}
