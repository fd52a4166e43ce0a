/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Registrations are counted by the process that made them: as many as there are, as long as they are there, in lists of
 * many parts too, and by a caller that only looks when it is woken.
 */

#include <infiniband/verbs.h>
#include <sys/epoll.h>

#include "daemon/loop/loop.h"
#include "daemon/rdma/rdma.h"
#include "tests/kernel/kernel.h"

enum { MANY = 1500 };

static struct ibv_pd *pd;
static struct rdma *rdma;
static struct rdma_event answers[4];
static size_t n_answers;

static void open_device(void)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_context *context;

	check(devices && devices[0]);
	context = ibv_open_device(devices[0]);
	check(context);
	pd = ibv_alloc_pd(context);
	check(pd);
}

static void ready(struct loop_poll *poll, uint32_t events)
{
	struct rdma_event event;

	(void)poll;
	(void)events;
	while (rdma_next(rdma, &event)) {
		check(n_answers < sizeof(answers) / sizeof(answers[0]));
		answers[n_answers++] = event;
	}
}

static void ask(struct loop *loop, pid_t pid, uint64_t tag, size_t n)
{
	n_answers = 0;
	check(rdma_ask(rdma, pid, tag) == 0);
	while (n_answers < n)
		check(loop_step(loop, UINT64_MAX) == 0);
}

static void is(const struct rdma_event *answer, pid_t pid, uint64_t tag, uint64_t registrations,
	       uint64_t bytes)
{
	check(answer->error == 0 && answer->pid == pid && answer->tag == tag);
	check(answer->registrations == registrations && answer->bytes == bytes);
}

/* A child with a registration of its own, until the other end of the channel is closed. */
static pid_t other(const int channel[2])
{
	pid_t pid = fork();
	unsigned char *at;
	char byte;

	check(pid >= 0);
	if (pid > 0)
		return pid;
	close(channel[0]);
	open_device();
	at = map_of(memory_of(3 * PAGE), 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	check(ibv_reg_mr(pd, at, 3 * PAGE, IBV_ACCESS_LOCAL_WRITE));
	check(write(channel[1], "r", 1) == 1);
	check(read(channel[1], &byte, 1) == 0);
	_exit(0);
}

int main(void)
{
	static struct ibv_mr *registrations[MANY];
	struct loop_poll poll = { .fn = ready };
	struct loop *loop;
	unsigned char *at;
	int channel[2];
	char byte;
	pid_t child;

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) == 0);
	child = other(channel);
	close(channel[1]);
	check(read(channel[0], &byte, 1) == 1);
	open_device();
	at = map_of(memory_of(PAGE), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	check(loop_new(16, &loop) == 0 && rdma_new(&rdma) == 0);
	poll.fd = rdma_get_fd(rdma);
	check(loop_poll_start(loop, &poll, EPOLLIN) == 0);

	ask(loop, getpid(), 1, 1);
	is(&answers[0], getpid(), 1, 0, 0);

	for (size_t i = 0; i < MANY; i++) {
		registrations[i] = ibv_reg_mr(pd, at, PAGE / 2, IBV_ACCESS_LOCAL_WRITE);
		check(registrations[i]);
	}
	check(rdma_ask(rdma, child, 2) == 0);
	ask(loop, getpid(), 3, 2);
	is(&answers[0], child, 2, 1, 3 * PAGE);
	is(&answers[1], getpid(), 3, MANY, MANY * PAGE / 2);

	for (size_t i = 1; i < MANY; i++)
		check(ibv_dereg_mr(registrations[i]) == 0);
	close(channel[0]);
	check(waitpid(child, NULL, 0) == child);
	check(rdma_ask(rdma, child, 4) == 0);
	ask(loop, getpid(), 5, 2);
	is(&answers[0], child, 4, 0, 0);
	is(&answers[1], getpid(), 5, 1, PAGE / 2);

	rdma_free(rdma);
	loop_free(loop);
	return 0;
}
