/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The end of a window that a userfaultfd serves: the supervisor hears of it, one that hangs up
 * instead of listening holds nobody up, and a thread that waits for a page which nobody will bring
 * is never shown zeros.
 */

#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "peer.h"

static struct peer peer;

/* Takes the client's userfaultfd, as a supervisor would. */
static int attach(struct peer *p)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_MISSING_SHMEM,
	};
	int uffd;

	peer_welcome(p);
	peer_expect(p, PROTO_ATTACH);
	uffd = fdlist_take(&p->fds, 0);
	ck_assert_int_eq(ioctl(uffd, UFFDIO_API, &api), 0);
	peer_reply(p, (struct proto_message){ .type = PROTO_ATTACHED });
	return uffd;
}

static struct uffdio_range serve(struct peer *p, int uffd)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	peer_grant(p, false, 5, 4);
	peer_expect(p, PROTO_MAP);
	range.range.start = p->message.map.address;
	range.range.len = p->message.map.length;
	ck_assert_int_eq(ioctl(uffd, UFFDIO_REGISTER, &range), 0);
	peer_done(p);
	return range.range;
}

static struct uffd_msg next_message(int uffd)
{
	struct pollfd polled = { .fd = uffd, .events = POLLIN };
	struct uffd_msg message;

	ck_assert_int_eq(poll(&polled, 1, -1), 1);
	ck_assert_int_eq((int)read(uffd, &message, sizeof(message)), (int)sizeof(message));
	return message;
}

static void script_listens(struct peer *p)
{
	int uffd = attach(p);
	struct uffdio_range range = serve(p, uffd);
	struct uffd_msg message;

	peer_expect_return(p, 5, 1, 0, PEER_PAGES(4));
	peer_returned(p, 2, 0, 0);
	message = next_message(uffd);
	ck_assert_uint_eq(message.event, UFFD_EVENT_UNMAP);
	ck_assert_uint_eq(message.arg.remove.start, range.start);
	ck_assert_uint_eq(message.arg.remove.end, range.start + range.len);
	/* Only then does it hang up, though the connection was closed with the seal held. */
	peer_expect_end(p);
	close(uffd);
}

START_TEST(test_supervisor_hears_of_it)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_listens);
	m = peer_connect(&peer, _i & 1 ? MAPSEAL_THREAD : 0, NULL, NULL);
	seal = peer_acquire(m, 4, NULL, NULL);
	if (_i & 2)
		mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

static void script_hangs_up(struct peer *p)
{
	int uffd = attach(p);

	serve(p, uffd);
	peer_expect_return(p, 5, 1, 0, PEER_PAGES(4));
	peer_returned(p, 2, 0, 0);
	close(uffd);
}

START_TEST(test_supervisor_does_not_listen)
{
	struct mapseal_seal *seal;
	struct mapseal *m;

	peer_start(&peer, script_hangs_up);
	m = peer_connect(&peer, _i & 1 ? MAPSEAL_THREAD : 0, NULL, NULL);
	seal = peer_acquire(m, 4, NULL, NULL);
	if (_i & 2)
		mapseal_seal_free(seal);
	mapseal_close(m);
	peer_finish(&peer);
}
END_TEST

/* Sanitizers make an end of their own of the signal that is expected. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void script_leaves_a_thread_waiting(struct peer *p)
{
	int uffd = attach(p);

	serve(p, uffd);
	ck_assert_uint_eq(next_message(uffd).event, UFFD_EVENT_PAGEFAULT);
	close(uffd);
}

static void *touch(void *data)
{
	volatile char *page = data;

	/* Nothing may come of this but the signal. */
	_exit(*page ? 2 : 3);
}

START_TEST(test_waiting_thread_sees_no_zeros)
{
	struct mapseal_seal *seal;
	struct mapseal *m;
	pthread_t thread;

	peer_start(&peer, script_leaves_a_thread_waiting);
	m = peer_connect(&peer, MAPSEAL_THREAD, NULL, NULL);
	seal = peer_acquire(m, 4, NULL, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, touch, mapseal_address(seal)), 0);
	while (mapseal_seal_state(seal) != MAPSEAL_PARKED)
		sched_yield();
	mapseal_seal_free(seal);
	pthread_join(thread, NULL);
}
END_TEST
#endif

int main(void)
{
	TCase *tc = tcase_create("window");

	tcase_add_loop_test(tc, test_supervisor_hears_of_it, 0, 4);
	tcase_add_loop_test(tc, test_supervisor_does_not_listen, 0, 4);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	tcase_add_test_raise_signal(tc, test_waiting_thread_sees_no_zeros, SIGSEGV);
#endif
	return peer_run(tc, true);
}
