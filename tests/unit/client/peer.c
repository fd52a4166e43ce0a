/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See peer.h. A script's failure ends the test process, in whichever thread it runs. */

#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void *run_script(void *data)
{
	struct peer *peer = data;

	peer->socket = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(peer->socket, 0);
	peer->script(peer);
	fdlist_clear(&peer->fds);
	close(peer->socket);
	return NULL;
}

void peer_start(struct peer *peer, void (*script)(struct peer *peer))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(peer, 0, sizeof(*peer));
	fdlist_init(&peer->fds);
	sem_init(&peer->go, 0, 0);
	peer->script = script;
	strcpy(peer->path, "/tmp/mapseal-peer.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(peer->path));
	strcat(peer->path, "/socket");
	strcpy(address.sun_path, peer->path);
	peer->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(peer->listener, 0);
	ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(peer->listener, 1), 0);
	ck_assert_int_eq(pthread_create(&peer->thread, NULL, run_script, peer), 0);
}

void peer_finish(struct peer *peer)
{
	pthread_join(peer->thread, NULL);
	sem_destroy(&peer->go);
	close(peer->listener);
	unlink(peer->path);
	*strrchr(peer->path, '/') = '\0';
	rmdir(peer->path);
}

void peer_wait(struct peer *peer)
{
	while (sem_wait(&peer->go) < 0)
		ck_assert_int_eq(errno, EINTR);
}

void peer_go(struct peer *peer)
{
	sem_post(&peer->go);
}

/* ---- frames ------------------------------------------------------------------------------ */

const struct proto_message *peer_expect(struct peer *peer, enum proto_type type)
{
	struct proto_fault fault = { .text = "" };
	size_t size = 0;

	fdlist_clear(&peer->fds);
	ck_assert_int_eq(proto_frame_recv(peer->socket, peer->frame, &size, &peer->fds, 0), 0);
	ck_assert_msg(size > 0, "hung up instead of %s", proto_type_name(type));
	ck_assert_msg(proto_decode(peer->frame, size, peer->fds.n, PROTO_REQUEST, &peer->message,
				   &fault) == 0,
		      "%s", fault.text);
	ck_assert_str_eq(proto_type_name(peer->message.type), proto_type_name(type));
	return &peer->message;
}

void peer_expect_end(struct peer *peer)
{
	size_t size = 1;

	fdlist_clear(&peer->fds);
	ck_assert_int_eq(proto_frame_recv(peer->socket, peer->frame, &size, &peer->fds, 0), 0);
	ck_assert_uint_eq(size, 0);
}

static void send_frame(struct peer *peer, const struct proto_message *message, const int *fd)
{
	int n = proto_encode(message, peer->out + peer->n_out);

	ck_assert_int_gt(n, 0);
	peer->n_out += (size_t)n;
	if (message->more)
		return;
	ck_assert_int_eq(proto_frame_send(peer->socket, peer->out, peer->n_out, fd, fd ? 1 : 0, 0),
			 0);
	peer->n_out = 0;
}

void peer_send(struct peer *peer, struct proto_message message)
{
	send_frame(peer, &message, NULL);
}

void peer_send_fd(struct peer *peer, struct proto_message message, int fd)
{
	send_frame(peer, &message, &fd);
}

void peer_reply(struct peer *peer, struct proto_message message)
{
	message.serial = peer->message.serial;
	send_frame(peer, &message, NULL);
}

void peer_done(struct peer *peer)
{
	peer_reply(peer, (struct proto_message){ .type = PROTO_DONE });
}

void peer_refuse(struct peer *peer, enum proto_error code, const char *text)
{
	peer_reply(peer, (struct proto_message){
				 .type = PROTO_REFUSED,
				 .refused = { .code = code,
					      .number = proto_error_errno(code),
					      .text = text },
			 });
}

/* ---- the usual --------------------------------------------------------------------------- */

void peer_welcome(struct peer *peer)
{
	peer_expect(peer, PROTO_HELLO);
	peer_reply(peer, (struct proto_message){
				 .type = PROTO_WELCOME,
				 .welcome = { .version = PROTO_VERSION,
					      .epoch = 1,
					      .session = 1,
					      .page_size = PEER_PAGE,
					      .max_frame = PROTO_FRAME_MAX,
					      .max_in_flight = 16,
					      .max_seals = 100,
					      .deadline_ms = 1000,
					      .hard_ms = 5000,
					      .hold_ms = 1000 },
			 });
}

void peer_grant(struct peer *peer, bool first, uint64_t id, uint64_t pages)
{
	const struct proto_acquire *acquire;
	int memory;

	if (first) {
		peer_expect(peer, PROTO_ATTACH);
		ck_assert_uint_eq(peer->fds.n, 1);
		peer_reply(peer, (struct proto_message){ .type = PROTO_ATTACHED });
	}
	acquire = &peer_expect(peer, PROTO_ACQUIRE)->acquire;
	memory = memfd_create("peer", MFD_CLOEXEC);
	ck_assert_int_ge(memory, 0);
	ck_assert_int_eq(ftruncate(memory, (off_t)PEER_PAGES(pages)), 0);
	peer_send_fd(peer,
		     (struct proto_message){ .type = PROTO_GRANTED,
					     .serial = peer->message.serial,
					     .granted = { .seal = id,
							  .seq = 1,
							  .object = 7,
							  .length = PEER_PAGES(pages),
							  .size = PEER_PAGES(pages),
							  .mode = acquire->mode,
							  .kind = acquire->kind } },
		     memory);
	close(memory);
}

void peer_map(struct peer *peer)
{
	peer_expect(peer, PROTO_MAP);
	ck_assert_uint_eq(peer->message.map.address % PEER_PAGE, 0);
	peer_done(peer);
}

void peer_begin(struct peer *peer, uint64_t pages)
{
	peer_welcome(peer);
	peer_grant(peer, true, 5, pages);
	peer_map(peer);
}

void peer_recall(struct peer *peer, uint64_t id, uint32_t seq, uint64_t offset, uint64_t length)
{
	peer_send(peer, (struct proto_message){ .type = PROTO_RECALL,
						.recall = { .recall = 99,
							    .scope = PROTO_SCOPE_RANGE,
							    .seal = id,
							    .seq = seq,
							    .object = 7,
							    .offset = offset,
							    .length = length,
							    .deadline_ms = 1000,
							    .hard_ms = 5000 } });
}

void peer_expect_answer(struct peer *peer, uint64_t id, uint32_t seq, enum proto_e_ANSWER answer)
{
	const struct proto_answer *got = &peer_expect(peer, PROTO_ANSWER)->answer;

	ck_assert_uint_eq(got->seal, id);
	ck_assert_uint_eq(got->seq, seq);
	ck_assert_int_eq((int)got->answer, (int)answer);
	peer_reply(peer, (struct proto_message){ .type = PROTO_ANSWERED,
						 .answered = { .deadline_ms = 1000 } });
}

void peer_expect_return(struct peer *peer, uint64_t id, uint32_t seq, uint64_t offset,
			uint64_t length)
{
	const struct proto_return_ *got = &peer_expect(peer, PROTO_RETURN)->return_;

	ck_assert_uint_eq(got->seal, id);
	ck_assert_uint_eq(got->seq, seq);
	ck_assert_uint_eq(got->offset, offset);
	ck_assert_uint_eq(got->length, length);
}

void peer_returned(struct peer *peer, uint32_t seq, uint64_t upper, uint32_t upper_seq)
{
	const struct proto_return_ *got = &peer->message.return_;

	peer_reply(peer, (struct proto_message){ .type = PROTO_RETURNED,
						 .returned = { .seal = got->seal,
							       .seq = seq,
							       .offset = got->offset,
							       .length = got->length,
							       .upper = upper,
							       .upper_seq = upper_seq } });
}

/* ---- for tests --------------------------------------------------------------------------- */

struct mapseal *peer_connect(struct peer *peer, unsigned int flags,
			     void (*on_event)(struct mapseal *m, const struct mapseal_event *event,
					      void *data),
			     void *data)
{
	struct mapseal_options options = {
		.size = sizeof(options),
		.socket = peer->path,
		.flags = flags,
		.on_event = on_event,
		.data = data,
	};
	struct mapseal *m = NULL;

	ck_assert_msg(mapseal_connect(&options, &m) == 0, "%s", mapseal_last_error()->text);
	return m;
}

struct mapseal_seal *peer_acquire(struct mapseal *m, uint64_t pages, mapseal_recall_fn on_recall,
				  void *data)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "object",
		.length = PEER_PAGES(pages),
		.mode = MAPSEAL_WRITE,
		.on_recall = on_recall,
		.data = data,
	};
	struct mapseal_seal *seal = NULL;

	ck_assert_msg(mapseal_acquire(m, &request, &seal) == 0, "%s", mapseal_last_error()->text);
	return seal;
}

void peer_dispatch_until(struct mapseal *m, const struct mapseal_seal *seal,
			 enum mapseal_state state)
{
	struct pollfd polled = { .fd = mapseal_get_fd(m), .events = POLLIN };

	while (mapseal_seal_state(seal) != state) {
		ck_assert_int_eq(poll(&polled, 1, -1), 1);
		ck_assert_int_eq(mapseal_dispatch(m), 0);
	}
}

unsigned int peer_flags(int i)
{
	return i ? MAPSEAL_THREAD : 0;
}

void peer_wait_for(struct mapseal *m, const struct mapseal_seal *seal, enum mapseal_state state,
		   int i)
{
	if (i)
		while (mapseal_seal_state(seal) != state)
			sched_yield();
	else
		peer_dispatch_until(m, seal, state);
}

int peer_handler_calls;
struct mapseal_recall peer_handler_saw;

enum mapseal_verdict peer_return_it(struct mapseal_recall *recall, void *data)
{
	(void)data;
	peer_handler_calls++;
	peer_handler_saw = *recall;
	return MAPSEAL_RETURN;
}

static bool have_userfaultfd(void)
{
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (uffd < 0) {
		printf("no userfaultfd for user-mode faults here: %s\n", strerror(errno));
		return false;
	}
	close(uffd);
	return true;
}

int peer_run(TCase *tc, bool windows)
{
	Suite *suite = suite_create("client");
	SRunner *runner;
	int status = 77;

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	if (!windows || have_userfaultfd()) {
		srunner_run_all(runner, CK_ENV);
		status = srunner_ntests_failed(runner) ? 1 : 0;
	}
	srunner_free(runner);
	return status;
}
