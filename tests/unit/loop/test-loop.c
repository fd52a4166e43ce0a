/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the event loop promises: every edge arrives, nobody is called after a stop, an operation
 * ends exactly once, a deadline ends the waiting.
 *
 * Nothing here looks at how long something took; a deadline is only asked whether it was over when
 * the step came back.
 */

#include "daemon/loop/loop.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull

static struct loop *loop;

static void setup(void)
{
	ck_assert_int_eq(loop_new(8, &loop), 0);
}

static void teardown(void)
{
	loop = loop_free(loop);
}

/* ---- readiness --------------------------------------------------------------------------- */

struct counter {
	struct loop_poll poll;
	unsigned int calls;
	uint32_t events;
	uint64_t sum;
};

static void count(struct loop_poll *poll, uint32_t events)
{
	struct counter *counter = poll->data;
	uint64_t value;

	counter->calls++;
	counter->events |= events;
	while (read(poll->fd, &value, sizeof(value)) == sizeof(value))
		counter->sum += value;
}

static void counter_start(struct counter *counter, int fd)
{
	*counter = (struct counter){ .poll = { .fd = fd, .fn = count, .data = counter } };
	ck_assert_int_eq(loop_poll_start(loop, &counter->poll, EPOLLIN), 0);
}

static void add(int fd, uint64_t value)
{
	ck_assert_int_eq(write(fd, &value, sizeof(value)), sizeof(value));
}

static int new_event(uint64_t value)
{
	int fd = eventfd((unsigned int)value, EFD_NONBLOCK | EFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(readiness_before_and_after_start)
{
	struct counter counter;
	int fd = new_event(5);

	counter_start(&counter, fd);
	ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	ck_assert_uint_eq(counter.sum, 5);
	for (unsigned int i = 0; i < 100; i++) {
		add(fd, 1);
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
		ck_assert_uint_eq(counter.sum, 6 + i);
	}
	ck_assert_uint_eq(counter.events, EPOLLIN);
	loop_poll_stop(&counter.poll);
	close(fd);
}
END_TEST

/* More at once than the rings have room for: submissions are pushed out, overflow ends polls. */
START_TEST(thousand_sources)
{
	enum { N = 1000 };
	struct counter *counters = calloc(N, sizeof(*counters));
	struct rlimit limit = { .rlim_cur = 4096, .rlim_max = 4096 };
	unsigned int served;

	ck_assert_ptr_nonnull(counters);
	setrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned int i = 0; i < N; i++)
		counter_start(&counters[i], new_event(0));
	for (unsigned int round = 1; round <= 20; round++) {
		for (unsigned int i = 0; i < N; i++)
			add(counters[i].poll.fd, i + 1);
		do {
			ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
			served = 0;
			for (unsigned int i = 0; i < N; i++)
				served += counters[i].sum == (uint64_t)round * (i + 1);
		} while (served < N);
	}
	for (unsigned int i = 0; i < N; i++) {
		loop_poll_stop(&counters[i].poll);
		close(counters[i].poll.fd);
	}
	free(counters);
	ck_assert_int_eq(loop_step(loop, 0), 0);
}
END_TEST

START_TEST(nothing_after_stop)
{
	struct counter *gone = malloc(sizeof(*gone)), other;
	int fd = new_event(0), other_fd = new_event(0);

	counter_start(gone, fd);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	add(fd, 1);
	loop_poll_stop(&gone->poll);
	loop_poll_stop(&gone->poll);
	free(gone);
	close(fd);
	/* takes the same descriptor number, and soon the same slot */
	ck_assert_int_eq(new_event(0), fd);
	counter_start(&other, other_fd);
	add(other_fd, 1);
	while (other.calls == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(other.calls, 1);
	loop_poll_stop(&other.poll);
	close(other_fd);
	close(fd);
}
END_TEST

START_TEST(stop_before_it_was_submitted)
{
	struct counter *gone = malloc(sizeof(*gone)), never = { .calls = 0 };
	int fd = new_event(1);

	counter_start(gone, fd);
	loop_poll_stop(&gone->poll);
	free(gone);
	loop_poll_stop(&never.poll);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	close(fd);
}
END_TEST

/* Starting and stopping without end must not eat slots or leave old completions to new tenants. */
START_TEST(churn)
{
	int fd = new_event(0);

	for (unsigned int i = 0; i < 20000; i++) {
		struct counter *counter = malloc(sizeof(*counter));

		counter_start(counter, fd);
		if (i % 3 == 0)
			add(fd, 1);
		if (i % 2 == 0)
			ck_assert_int_eq(loop_step(loop, 0), 0);
		loop_poll_stop(&counter->poll);
		free(counter);
	}
	close(fd);
}
END_TEST

struct pair {
	struct counter *mine, *victim;
};

static void stop_both(struct loop_poll *poll, uint32_t events)
{
	struct pair *pair = poll->data;

	ck_assert(events & EPOLLIN);
	ck_assert_ptr_nonnull(pair->mine);
	loop_poll_stop(&pair->mine->poll);
	loop_poll_stop(&pair->victim->poll);
	close(pair->mine->poll.fd);
	close(pair->victim->poll.fd);
	free(pair->mine);
	free(pair->victim);
	pair->mine = pair->victim = NULL;
}

/* Two are ready at once, each frees itself and the other: exactly one is called. */
START_TEST(stop_within_callbacks)
{
	for (unsigned int i = 0; i < 50; i++) {
		struct pair pair = { .mine = malloc(sizeof(struct counter)),
				     .victim = malloc(sizeof(struct counter)) };

		counter_start(pair.mine, new_event(0));
		counter_start(pair.victim, new_event(0));
		pair.mine->poll.fn = pair.victim->poll.fn = stop_both;
		pair.mine->poll.data = pair.victim->poll.data = &pair;
		ck_assert_int_eq(loop_step(loop, 0), 0);
		add(pair.mine->poll.fd, 1);
		add(pair.victim->poll.fd, 1);
		while (pair.mine)
			ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
		ck_assert_int_eq(loop_step(loop, 0), 0);
	}
}
END_TEST

static void restart(struct loop_poll *poll, uint32_t events)
{
	struct counter *counter = poll->data;

	loop_poll_stop(poll);
	count(poll, events);
	ck_assert_int_eq(loop_poll_start(loop, poll, EPOLLIN), 0);
	counter->events = 0;
}

START_TEST(restart_within_a_callback)
{
	struct counter counter;
	int fd = new_event(0);

	counter_start(&counter, fd);
	counter.poll.fn = restart;
	for (unsigned int i = 1; i <= 100; i++) {
		add(fd, 1);
		while (counter.sum < i)
			ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	}
	loop_poll_stop(&counter.poll);
	close(fd);
}
END_TEST

START_TEST(hangup_after_stop_and_close)
{
	struct counter ours, theirs;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	counter_start(&ours, fds[0]);
	counter_start(&theirs, fds[1]);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	loop_poll_stop(&ours.poll);
	close(fds[0]);
	while (!(theirs.events & EPOLLHUP))
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	loop_poll_stop(&theirs.poll);
	close(fds[1]);
}
END_TEST

static void note(struct loop_poll *poll, uint32_t events)
{
	struct counter *counter = poll->data;

	counter->calls++;
	counter->events |= events;
}

START_TEST(a_bad_descriptor_is_told_once)
{
	struct counter counter = { .poll = { .fd = 4000000, .fn = note, .data = &counter } };

	ck_assert_int_eq(loop_poll_start(loop, &counter.poll, EPOLLIN), 0);
	while (counter.calls == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	for (unsigned int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(counter.calls, 1);
	ck_assert(counter.events & LOOP_POLL_FAILED);
	loop_poll_stop(&counter.poll);
}
END_TEST

/* ---- operations -------------------------------------------------------------------------- */

struct result {
	struct loop_op op;
	unsigned int calls;
	int result;
};

static void finished(struct loop_op *op, int result)
{
	struct result *r = op->data;

	ck_assert(!op->busy);
	r->calls++;
	r->result = result;
}

static struct result new_result(struct result *r)
{
	return (struct result){ .op = { .fn = finished, .data = r } };
}

static int wait_for(struct result *r)
{
	while (r->calls == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	ck_assert_uint_eq(r->calls, 1);
	r->calls = 0;
	return r->result;
}

START_TEST(files)
{
	char buffer[16] = "";
	struct result r = new_result(&r);
	int fd = memfd_create("loop", MFD_CLOEXEC);

	ck_assert_int_eq(loop_write(loop, &r.op, fd, "window", 6, 4096), 0);
	ck_assert(r.op.busy);
	ck_assert_int_eq(wait_for(&r), 6);
	ck_assert_int_eq(loop_fdatasync(loop, &r.op, fd), 0);
	ck_assert_int_eq(wait_for(&r), 0);
	ck_assert_int_eq(loop_read(loop, &r.op, fd, buffer, sizeof(buffer), 4098), 0);
	ck_assert_int_eq(wait_for(&r), 4);
	ck_assert_str_eq(buffer, "ndow");
	ck_assert_int_eq(loop_read(loop, &r.op, fd, buffer, sizeof(buffer), 5000), 0);
	ck_assert_int_eq(wait_for(&r), 0);
	close(fd);
	ck_assert_int_eq(loop_read(loop, &r.op, fd, buffer, sizeof(buffer), 0), 0);
	ck_assert_int_eq(wait_for(&r), -EBADF);
}
END_TEST

START_TEST(sockets)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(sa_family_t);
	char out[] = "recall", in[16] = "";
	struct iovec out_iov = { out, sizeof(out) }, in_iov = { in, sizeof(in) };
	struct msghdr out_msg = { .msg_iov = &out_iov, .msg_iovlen = 1 };
	struct msghdr in_msg = { .msg_iov = &in_iov, .msg_iovlen = 1 };
	struct result accepted = new_result(&accepted), received = new_result(&received);
	struct result sent = new_result(&sent);
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	int client = socket(AF_UNIX, SOCK_SEQPACKET, 0), server;

	ck_assert_int_eq(bind(listener, (void *)&address, length), 0); /* autobind */
	length = sizeof(address);
	ck_assert_int_eq(getsockname(listener, (void *)&address, &length), 0);
	ck_assert_int_eq(listen(listener, 5), 0);
	ck_assert_int_eq(loop_accept(loop, &accepted.op, listener), 0);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_int_eq(connect(client, (void *)&address, length), 0);
	server = wait_for(&accepted);
	ck_assert_int_ge(server, 0);
	ck_assert_int_eq(fcntl(server, F_GETFD), FD_CLOEXEC);
	fcntl(server, F_SETFL, O_NONBLOCK);

	/* O_NONBLOCK does not end it early */
	ck_assert_int_eq(loop_recvmsg(loop, &received.op, server, &in_msg, MSG_CMSG_CLOEXEC), 0);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(received.calls, 0);
	ck_assert_int_eq(loop_sendmsg(loop, &sent.op, client, &out_msg, MSG_NOSIGNAL), 0);
	ck_assert_int_eq(wait_for(&sent), sizeof(out));
	ck_assert_int_eq(wait_for(&received), sizeof(out));
	ck_assert_str_eq(in, "recall");
	close(client);
	in_iov.iov_len = sizeof(in);
	ck_assert_int_eq(loop_recvmsg(loop, &received.op, server, &in_msg, MSG_CMSG_CLOEXEC), 0);
	ck_assert_int_eq(wait_for(&received), 0);
	close(server);
	close(listener);
}
END_TEST

START_TEST(cancelled)
{
	struct result r = new_result(&r);
	char buffer[8];
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(loop_read(loop, &r.op, fds[0], buffer, sizeof(buffer), UINT64_MAX), 0);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(r.calls, 0);
	loop_op_cancel(&r.op);
	loop_op_cancel(&r.op);
	ck_assert_int_eq(wait_for(&r), -ECANCELED);
	loop_op_cancel(&r.op);

	/* the late second one must not hit the next tenant of the slot */
	ck_assert_int_eq(loop_read(loop, &r.op, fds[0], buffer, sizeof(buffer), UINT64_MAX), 0);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_uint_eq(r.calls, 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ck_assert_int_eq(wait_for(&r), 1);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* More operations than the submission queue holds, all queued before the first step. */
START_TEST(queue_full)
{
	enum { N = 500 };
	struct result *results = calloc(N, sizeof(*results));
	uint32_t *values = calloc(N, sizeof(*values));
	int fd = memfd_create("loop", MFD_CLOEXEC);
	unsigned int calls;

	ck_assert(results && values);
	for (uint32_t i = 0; i < N; i++)
		ck_assert_int_eq(pwrite(fd, &i, sizeof(i), i * 4), 4);
	for (uint32_t i = 0; i < N; i++) {
		results[i] = new_result(&results[i]);
		ck_assert_int_eq(loop_read(loop, &results[i].op, fd, &values[i], 4, i * 4), 0);
	}
	do {
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
		calls = 0;
		for (uint32_t i = 0; i < N; i++)
			calls += results[i].calls;
	} while (calls < N);
	for (uint32_t i = 0; i < N; i++) {
		ck_assert_uint_eq(results[i].calls, 1);
		ck_assert_int_eq(results[i].result, 4);
		ck_assert_uint_eq(values[i], i);
	}
	free(values);
	free(results);
	close(fd);
}
END_TEST

/* The kernel may write into the buffer until loop_free() returned, and not afterwards. */
START_TEST(freed_with_work_outstanding)
{
	struct result r = new_result(&r);
	struct counter counter;
	struct loop *other;
	char *buffer = malloc(8);
	int fds[2], fd = new_event(0);

	ck_assert_int_eq(loop_new(4, &other), 0);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(loop_read(other, &r.op, fds[0], buffer, 8, UINT64_MAX), 0);
	counter = (struct counter){ .poll = { .fd = fd, .fn = count, .data = &counter } };
	ck_assert_int_eq(loop_poll_start(other, &counter.poll, EPOLLIN), 0);
	ck_assert_int_eq(loop_step(other, 0), 0);
	ck_assert_ptr_null(loop_free(other));
	free(buffer);
	ck_assert_int_eq(write(fds[1], "12345678", 8), 8);
	ck_assert_uint_eq(r.calls, 0);
	ck_assert_uint_eq(counter.calls, 0);
	close(fds[0]);
	close(fds[1]);
	close(fd);
	ck_assert_ptr_null(loop_free(NULL));
}
END_TEST

/* ---- running ----------------------------------------------------------------------------- */

START_TEST(deadlines)
{
	struct counter counter;
	uint64_t deadline;
	int fd = new_event(0);

	ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_int_eq(loop_step(loop, 1), 0); /* long past */
	deadline = loop_now() + 2000000;
	while (loop_now() < deadline)
		ck_assert_int_eq(loop_step(loop, deadline), 0);

	/* readiness comes first, however far the deadline is */
	counter_start(&counter, fd);
	add(fd, 1);
	ck_assert_int_eq(loop_step(loop, loop_now() + 3600 * SECOND), 0);
	ck_assert_uint_eq(counter.calls, 1);
	loop_poll_stop(&counter.poll);
	close(fd);
}
END_TEST

static volatile sig_atomic_t signalled;

static void on_signal(int signal)
{
	signalled = signal;
}

START_TEST(a_signal_ends_the_waiting)
{
	struct sigaction action = { .sa_handler = on_signal };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	/* again and again: the first may come before the wait begins */
	struct itimerspec spec = { .it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000 };

	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	ck_assert_int_eq(timer_settime(timer, 0, &spec, NULL), 0);
	ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	timer_delete(timer);
	ck_assert_int_eq(signalled, SIGUSR1);
}
END_TEST

static void write_more(struct loop_poll *poll, uint32_t events)
{
	count(poll, events);
	add(poll->fd, 1);
}

/* A source that makes itself ready again at once must not hold a step for ever. */
START_TEST(a_busy_source_does_not_keep_the_step)
{
	struct counter busy, other;
	int busy_fd = new_event(1), other_fd = new_event(1);

	counter_start(&busy, busy_fd);
	busy.poll.fn = write_more;
	counter_start(&other, other_fd);
	for (unsigned int i = 0; i < 50; i++)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	ck_assert_uint_gt(busy.calls, 1);
	ck_assert_uint_eq(other.sum, 1);
	loop_poll_stop(&busy.poll);
	loop_poll_stop(&other.poll);
	close(busy_fd);
	close(other_fd);
}
END_TEST

static Suite *loop_suite(void)
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create("loop");
	const char *preload = getenv("LD_PRELOAD");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, readiness_before_and_after_start);
	tcase_add_test(tcase, thousand_sources);
	tcase_add_test(tcase, nothing_after_stop);
	tcase_add_test(tcase, stop_before_it_was_submitted);
	tcase_add_test(tcase, churn);
	tcase_add_test(tcase, stop_within_callbacks);
	tcase_add_test(tcase, restart_within_a_callback);
	tcase_add_test(tcase, hangup_after_stop_and_close);
	tcase_add_test(tcase, a_bad_descriptor_is_told_once);
	tcase_add_test(tcase, files);
	tcase_add_test(tcase, sockets);
	tcase_add_test(tcase, cancelled);
	tcase_add_test(tcase, queue_full);
	tcase_add_test(tcase, freed_with_work_outstanding);
	tcase_add_test(tcase, deadlines);
	/* valgrind keeps signals blocked while a thread is in io_uring_enter(2) */
	if (!strstr(preload ? preload : "", "vgpreload"))
		tcase_add_test(tcase, a_signal_ends_the_waiting);
	tcase_add_test(tcase, a_busy_source_does_not_keep_the_step);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner;
	struct loop *probe = NULL;
	int failed, r;

	r = loop_new(4, &probe);
	if (r == -ENOSYS || r == -EPERM) {
		printf("no io_uring here: %s\n", strerror(-r));
		return 77;
	}
	loop_free(probe);
	runner = srunner_create(loop_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
