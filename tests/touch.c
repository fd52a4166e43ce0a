/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Touching memory that may park whoever does so.
 *
 * The toucher is a process with this memory and signal handlers of its own, so that it can be killed where it waits
 * without anybody else noticing. That it waits for good is believed when it was found asleep
 * in the fault handler at so many looks in a row: a slow supervisor could make a wrong grant pass for a refusal,
 * but never a refusal for a grant.
 */

#include "tests/touch.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/pager/uffd.h"

enum { STACK = 65536, LOOK_NS = 1000000, LOOKS = 10 };

bool touch_may_park(void)
{
	static int answer = -1;
	struct uffdio_api api = { .api = UFFD_API };
	int uffd;

	if (answer >= 0)
		return answer;
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	answer = uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0 &&
		 !(api.features & UFFD_FEATURE_POISON);
	if (uffd >= 0)
		close(uffd);
	return answer;
}

struct touch {
	volatile unsigned char *at;
	bool store;
	unsigned char value;
};

static int toucher(void *data)
{
	struct touch *touch = data;

	signal(SIGBUS, SIG_DFL);
	if (touch->store)
		*touch->at = touch->value;
	else
		touch->value = *touch->at;
	syscall(SYS_exit_group, 0);
	return 0;
}

static bool is_parked(pid_t pid)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/wchan", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strstr(text, "userfault");
}

enum touch_end touch_elsewhere(volatile unsigned char *at, bool store, unsigned char value,
			       unsigned char *ret)
{
	struct touch touch = { .at = at, .store = store, .value = value };
	struct timespec look = { .tv_nsec = LOOK_NS };
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int parked = 0, status;
	pid_t pid;

	if (stack == MAP_FAILED)
		abort();
	pid = clone(toucher, stack + STACK, CLONE_VM, &touch);
	if (pid < 0)
		abort();
	while (waitpid(pid, &status, WNOHANG | __WCLONE) == 0) {
		parked = is_parked(pid) ? parked + 1 : 0;
		if (parked == LOOKS)
			kill(pid, SIGKILL);
		nanosleep(&look, NULL);
	}
	munmap(stack, STACK);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
		return TOUCH_BUS;
	if (!WIFEXITED(status))
		return TOUCH_PARKED;
	if (ret)
		*ret = touch.value;
	return TOUCH_DONE;
}
