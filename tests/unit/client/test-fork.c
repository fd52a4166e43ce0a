/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* fork(2): the child can use nothing of what it inherited, can free it, and the parent notices
 * nothing. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

static struct peer peer;

static void script(struct peer *p)
{
	peer_welcome(p);
	peer_grant(p, true, 5, 2);
	peer_map(p);
	peer_expect(p, PROTO_BREAK_BEGIN);
	peer_reply(p, (struct proto_message){ .type = PROTO_BREAK_READY,
					      .break_ready = { .outcome = PROTO_OUTCOME_GRANTED,
							       .id = 9,
							       .token = 1 } });
	/* Of the child nothing; of the parent everything. */
	peer_expect(p, PROTO_COMMIT);
	peer_done(p);
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(2));
	peer_returned(p, 2, 0, 0);
	peer_expect(p, PROTO_BREAK_END);
	peer_done(p);
	peer_expect_end(p);
}

#define REQUIRE(x)                                                                                 \
	do {                                                                                       \
		if (!(x))                                                                          \
			_exit(__LINE__ % 200 + 1);                                                 \
	} while (0)

/* Whether a touch ends in SIGSEGV: the window is not there. */
static int touch(volatile char *address)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*address = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void child(struct mapseal *m, struct mapseal_seal *seal, struct mapseal_break *b, bool frees)
{
	struct mapseal_seal *another = NULL;
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "object",
		.mode = MAPSEAL_READ,
	};
	struct mapseal_status status;

	REQUIRE(mapseal_enter(seal) == -ECHILD);
	REQUIRE(mapseal_commit(seal, 0, PEER_PAGE) == -ECHILD);
	REQUIRE(mapseal_return(seal, 0, PEER_PAGES(2), 0) == -ECHILD);
	REQUIRE(mapseal_acquire(m, &request, &another) == -ECHILD);
	REQUIRE(mapseal_get_status(m, &status) == -ECHILD);
	REQUIRE(mapseal_dispatch(m) == -ECHILD);
	REQUIRE(mapseal_get_fd(m) == -ECHILD);
	REQUIRE(mapseal_last_error()->error == ECHILD);
	REQUIRE(touch(mapseal_address(seal)));
	if (frees) {
		REQUIRE(mapseal_break_end(b) == -ECHILD);
		REQUIRE(mapseal_seal_free(seal) == NULL);
	}
	REQUIRE(mapseal_close(m) == NULL);
	_exit(0);
}

START_TEST(test_child)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = "object",
		.want = MAPSEAL_WANT_LAYOUT,
		.flags = MAPSEAL_BREAK_HOLD,
	};
	struct mapseal_break *b = NULL;
	struct mapseal_seal *seal;
	struct mapseal *m;
	int status;
	pid_t pid;

	peer_start(&peer, script);
	m = peer_connect(&peer, _i & 1 ? MAPSEAL_THREAD : 0, NULL, NULL);
	seal = peer_acquire(m, 2, NULL, NULL);
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), 0);
	ck_assert_int_eq(mapseal_enter(seal), 0);
	mapseal_exit(seal);
	pid = fork();
	if (pid == 0)
		child(m, seal, b, _i & 2);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	/* Ours as before. */
	ck_assert_int_eq(mapseal_enter(seal), 0);
	*(char *)mapseal_address(seal) = 1;
	mapseal_exit(seal);
	ck_assert_int_eq(mapseal_commit(seal, 0, PEER_PAGE), 0);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static int stop;

static void *enter_and_exit(void *data)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		if (mapseal_enter(data) == 0)
			mapseal_exit(data);
	return NULL;
}

/* A child that was forked while other threads were at work can make a connection of its own. */
START_TEST(test_fork_under_load)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = "object",
		.want = MAPSEAL_WANT_LAYOUT,
		.flags = MAPSEAL_BREAK_HOLD,
	};
	struct mapseal_break *b = NULL;
	struct mapseal_seal *seal;
	pthread_t threads[2];
	struct mapseal *m;

	peer_start(&peer, script);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = peer_acquire(m, 2, NULL, NULL);
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, enter_and_exit, seal), 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			struct mapseal_options options = {
				.size = sizeof(options),
				.socket = "/nonexistent/socket",
			};

			REQUIRE(mapseal_enter(seal) == -ECHILD);
			REQUIRE(mapseal_connect(&options, &m) == -ENOENT);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(mapseal_commit(seal, 0, PEER_PAGE), 0);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("fork");

	tcase_add_loop_test(tc, test_child, 0, 4);
	tcase_add_test(tc, test_fork_under_load);
	return peer_run(tc, true);
}
