/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The fence of a DIRECT seal, seen from the other end of the socket: when a straggler asks, what
 * it does with each answer, and that a return which did not come about leaves the file where it
 * was. The file is a memfd.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peer.h"

#define PAGES 4

static struct peer peer;
static int file, other;
static sem_t step;  /* the script has come so far */
static sem_t begun; /* a thread is about to touch */

static int make_file(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, PEER_PAGES(PAGES)), 0);
	ck_assert_int_eq(pwrite(fd, "file", 4, 0), 4);
	return fd;
}

/* ---- the supervisor's side --------------------------------------------------------------- */

static void grant(struct peer *p, uint64_t id, int fd)
{
	struct proto_message message = {
		.type = PROTO_GRANTED,
		.serial = p->message.serial,
		.granted = {
			.seal = id,
			.seq = 1,
			.object = 1000 + id, /* another each time */
			.offset = p->message.acquire.offset,
			.length = p->message.acquire.length,
			.size = PEER_PAGES(PAGES),
			.mode = PROTO_MODE_WRITE,
			.kind = PROTO_KIND_DIRECT,
		},
	};

	peer_send_fd(p, message, fd);
}

static void expect_ask(struct peer *p, bool no_wait)
{
	const struct proto_acquire *acquire = &peer_expect(p, PROTO_ACQUIRE)->acquire;
	unsigned int flags = PROTO_ACQUIRE_NO_WAIT | PROTO_ACQUIRE_WANT_AVAIL;

	ck_assert_str_eq(acquire->object, "file");
	ck_assert_uint_eq(acquire->kind, PROTO_KIND_DIRECT);
	ck_assert_uint_eq(acquire->mode, PROTO_MODE_WRITE);
	ck_assert_uint_eq(acquire->flags & flags, no_wait ? flags : 0);
}

static void begin(struct peer *p)
{
	peer_welcome(p);
	peer_expect(p, PROTO_ACQUIRE);
	grant(p, 5, file);
}

/* ---- the holder's ------------------------------------------------------------------------ */

static struct mapseal_seal *acquire(struct mapseal *m)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.length = PEER_PAGES(PAGES),
		.mode = MAPSEAL_WRITE,
		.kind = MAPSEAL_DIRECT,
	};
	struct mapseal_seal *seal = NULL;

	ck_assert_msg(mapseal_acquire(m, &request, &seal) == 0, "%s", mapseal_last_error()->text);
	return seal;
}

static sigjmp_buf jump;

static void on_signal(int number)
{
	siglongjmp(jump, number);
}

/* 0, or the signal that touching it is. */
static void *touch(void *data)
{
	volatile unsigned char *byte = data;
	int number = sigsetjmp(jump, 1);

	if (number == 0)
		sem_post(&begun);
	if (number == 0)
		*byte = 'F';
	return (void *)(intptr_t)number;
}

static void setup(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sem_init(&step, 0, 0);
	sem_init(&begun, 0, 0);
	file = make_file();
	other = make_file();
}

static int32_t touch_in_thread(void *address)
{
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, touch, address), 0);
	pthread_join(thread, &result);
	return (int32_t)(intptr_t)result;
}

/* ---- the cases --------------------------------------------------------------------------- */

static void script_again(struct peer *p)
{
	begin(p);
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(PAGES));
	peer_returned(p, 2, 0, 0);
	expect_ask(p, false);
	/* somebody's hold: what it is asked next is told when the hold is over */
	peer_refuse(p, PROTO_E_TRY_LATER, "held");
	expect_ask(p, true);
	peer_refuse(p, PROTO_E_TRY_LATER, "held");
	peer_send(p, (struct proto_message){
			     .type = PROTO_AVAIL,
			     .avail = { .request = p->message.serial, .length = PEER_PAGES(PAGES) },
		     });
	expect_ask(p, false);
	/* no more than a moment: this session is being asked itself */
	peer_refuse(p, PROTO_E_RECALL_CONFLICT, "asked");
	expect_ask(p, false);
	grant(p, 6, file);
	peer_expect_return(p, 6, 1, 0, PEER_PAGES(PAGES));
	peer_returned(p, 2, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_asks_until_granted)
{
	struct mapseal_seal *seal;
	struct mapseal *m;
	char byte;

	peer_start(&peer, script_again);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = acquire(m);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGES(PAGES), 0), 0);
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_RETURNED);
	ck_assert_int_eq(mapseal_enter(seal), -ESTALE);
	ck_assert_int_eq(touch_in_thread(mapseal_address(seal)), 0);
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	ck_assert_uint_eq(mapseal_id(seal), 6);
	ck_assert_int_eq(mapseal_enter(seal), 0);
	mapseal_exit(seal);
	ck_assert_int_eq(pread(file, &byte, 1, 0), 1);
	ck_assert_int_eq(byte, 'F');
	mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* What is touched after it was returned: the script says no to it in its own way. */
static void late_touch_is_sigbus(void (*script)(struct peer *p))
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = acquire(m);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGES(PAGES), 0), 0);
	ck_assert_int_eq(touch_in_thread(mapseal_address(seal)), SIGBUS);
	mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}

static void script_refused(struct peer *p)
{
	begin(p);
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(PAGES));
	peer_returned(p, 2, 0, 0);
	expect_ask(p, false);
	peer_refuse(p, PROTO_E_BAD_RANGE, "cut off");
	peer_expect_end(p);
}

START_TEST(test_refused_is_sigbus)
{
	late_touch_is_sigbus(script_refused);
}
END_TEST

static void script_other_file(struct peer *p)
{
	begin(p);
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(PAGES));
	peer_returned(p, 2, 0, 0);
	expect_ask(p, false);
	grant(p, 6, other);
	/* nobody waits for the answer to it */
	peer_expect_return(p, 6, 1, 0, PEER_PAGES(PAGES));
	peer_expect_end(p);
}

START_TEST(test_other_file_is_not_mapped)
{
	late_touch_is_sigbus(script_other_file);
}
END_TEST

static void script_freed(struct peer *p)
{
	begin(p);
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(PAGES));
	peer_returned(p, 2, 0, 0);
	expect_ask(p, false);
	sem_post(&step);
	peer_wait(p);
	/* too late: it goes straight back */
	grant(p, 6, file);
	peer_expect_return(p, 6, 1, 0, PEER_PAGES(PAGES));
	peer_returned(p, 2, 0, 0);
	sem_post(&step);
	peer_expect_end(p);
}

static void wait_step(void)
{
	while (sem_wait(&step) < 0)
		ck_assert_int_eq(errno, EINTR);
}

START_TEST(test_freed_while_asking)
{
	struct mapseal_seal *seal;
	struct mapseal *m;
	pthread_t thread;
	void *result;

	peer_start(&peer, script_freed);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = acquire(m);
	ck_assert_int_eq(mapseal_return(seal, 0, PEER_PAGES(PAGES), 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, touch, mapseal_address(seal)), 0);
	wait_step();
	/* it was parked there: there is nothing any more */
	mapseal_seal_free(seal);
	pthread_join(thread, &result);
	ck_assert_int_eq((intptr_t)result, SIGSEGV);
	peer_go(&peer);
	wait_step();
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_failed(struct peer *p)
{
	begin(p);
	peer_expect(p, PROTO_RETURN);
	ck_assert_uint_eq(p->message.return_.seq, 1);
	peer_refuse(p, PROTO_E_DENIED, "not now");
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(PAGES));
	peer_returned(p, 2, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_return_that_failed)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_failed);
	m = peer_connect(&peer, 0, NULL, NULL);
	seal = acquire(m);
	ck_assert_int_lt(mapseal_return(seal, 0, PEER_PAGES(PAGES), 0), 0);
	ck_assert_int_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	ck_assert_int_eq(mapseal_enter(seal), 0);
	ck_assert_int_eq(memcmp(mapseal_address(seal), "file", 4), 0);
	mapseal_exit(seal);
	mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* Nobody needs it any more, which the return has crossed. */
static void script_crossed(struct peer *p)
{
	begin(p);
	peer_wait(p);
	peer_recall(p, 5, 2, 0, PEER_PAGES(PAGES));
	peer_expect(p, PROTO_RETURN);
	ck_assert_uint_eq(p->message.return_.seq, 2);
	peer_send(p, (struct proto_message){ .type = PROTO_LAPSED,
					     .lapsed = { .seal = 5, .seq = 3 } });
	peer_refuse(p, PROTO_E_OLD_SEQ, "newer");
	peer_expect_return(p, 5, 3, 0, PEER_PAGES(PAGES));
	peer_returned(p, 4, 0, 0);
	peer_expect_end(p);
}

START_TEST(test_lapsed_is_lifted)
{
	struct mapseal_seal *seal;
	struct mapseal *m;
	struct pollfd polled;

	peer_start(&peer, script_crossed);
	m = peer_connect(&peer, 0, NULL, NULL);
	polled = (struct pollfd){ .fd = mapseal_get_fd(m), .events = POLLIN };
	seal = acquire(m);
	peer_go(&peer);
	while (mapseal_seq(seal) < 3 || mapseal_enter(seal) != 0) {
		poll(&polled, 1, -1);
		ck_assert_int_eq(mapseal_dispatch(m), 0);
	}
	ck_assert_int_eq(memcmp(mapseal_address(seal), "file", 4), 0);
	mapseal_exit(seal);
	mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_hang_up(struct peer *p)
{
	begin(p);
}

START_TEST(test_lost_parks_until_freed)
{
	struct mapseal_seal *seal;
	struct mapseal *m;
	pthread_t thread;
	void *result;

	peer_start(&peer, script_hang_up);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = acquire(m);
	while (mapseal_seal_state(seal) != MAPSEAL_PARKED)
		sched_yield();
	ck_assert_int_eq(pthread_create(&thread, NULL, touch, mapseal_address(seal)), 0);
	sem_wait(&begun); /* what a thread maps for itself must not come to lie where the seal was */
	mapseal_seal_free(seal);
	pthread_join(thread, &result);
	ck_assert_int_eq((intptr_t)result, SIGSEGV);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("fence");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_asks_until_granted);
	tcase_add_test(tc, test_refused_is_sigbus);
	tcase_add_test(tc, test_other_file_is_not_mapped);
	tcase_add_test(tc, test_freed_while_asking);
	tcase_add_test(tc, test_return_that_failed);
	tcase_add_test(tc, test_lapsed_is_lifted);
	tcase_add_test(tc, test_lost_parks_until_freed);
	return peer_run(tc, true);
}
