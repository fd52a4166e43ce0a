/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* With EVENT_FORK the child has a userfaultfd of its own, which comes with the event, and what it
 * touches there can be made SIGBUS. Without it the child reads zero. */

#include "kernel.h"

static int in_child(const unsigned char *at)
{
	int status;
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0)
		_exit(is_sigbus(at) ? 1 : *at ? 2 : 3);
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int uffd;
static unsigned char *at;

static void *serve(void *data)
{
	struct uffd_msg message = next_message(uffd);
	int child;

	check(message.event == UFFD_EVENT_FORK);
	child = (int)message.arg.fork.ufd;
	fcntl(child, F_SETFL, O_NONBLOCK);
	check(next_message(child).event == UFFD_EVENT_PAGEFAULT);
	check(poison_at(child, at) == 0);
	close(child);
	return data;
}

int main(void)
{
	int memory = memory_of(4 * PAGE);
	pthread_t thread;

	need_root();
	uffd = uffd_of(0, SHMEM_FEATURES);
	at = map_of(memory, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	check(register_at(uffd, at, 4 * PAGE, ALL_MODES) == 0);
	check(in_child(at) == 3);
	check(lseek(memory, 0, SEEK_DATA) == 0);
	close(uffd);
	munmap(at, 4 * PAGE);
	uffd = uffd_of(0, SHMEM_FEATURES | UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_POISON);
	memory = memory_of(4 * PAGE);
	at = map_of(memory, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	check(register_at(uffd, at, 4 * PAGE, ALL_MODES) == 0);
	check(pthread_create(&thread, NULL, serve, NULL) == 0);
	check(in_child(at) == 1);
	pthread_join(thread, NULL);
	check(lseek(memory, 0, SEEK_DATA) < 0);
	return 0;
}
