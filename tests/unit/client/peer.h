/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A supervisor that does what a test says, and nothing else: the other end of the socket, in a
 * thread of the test. It serves no memory; windows are plain mappings of the memory it hands out.
 */

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "mapseal.h"
#include "proto/fdlist.h"
#include "proto/frame.h"
#include "proto/proto.h"

#define PEER_PAGE 4096ull
#define PEER_PAGES(n) ((n) * PEER_PAGE)

struct peer {
	char path[64];
	pthread_t thread;
	int listener, socket;
	sem_t go;
	void (*script)(struct peer *peer);
	/* the frame that peer_expect() read last */
	struct proto_message message;
	struct fdlist fds;
	unsigned char frame[PROTO_FRAME_MAX];
	/* messages that say that there are more are sent with the next one */
	unsigned char out[PROTO_FRAME_MAX];
	size_t n_out;
};

/* Listens in a new directory and runs @script, which begins with the accepted connection. */
void peer_start(struct peer *peer, void (*script)(struct peer *peer));

/* Waits until the script is through, and cleans up. */
void peer_finish(struct peer *peer);

/* ---- for scripts ------------------------------------------------------------------------- */

/* Reads the next request, which must be a @type, into peer->message. */
const struct proto_message *peer_expect(struct peer *peer, enum proto_type type);

/* The client must hang up next. */
void peer_expect_end(struct peer *peer);

void peer_send(struct peer *peer, struct proto_message message);
void peer_send_fd(struct peer *peer, struct proto_message message, int fd);

/* The same, under the serial of the last request. */
void peer_reply(struct peer *peer, struct proto_message message);
void peer_done(struct peer *peer);
void peer_refuse(struct peer *peer, enum proto_error code, const char *text);

/* Waits for the test's peer_go(). */
void peer_wait(struct peer *peer);

/* HELLO. */
void peer_welcome(struct peer *peer);

/* ATTACH, if @first, and ACQUIRE, answered with @id on [0, pages). MAP is left to the script. */
void peer_grant(struct peer *peer, bool first, uint64_t id, uint64_t pages);
void peer_map(struct peer *peer);

/* As most scripts begin: all three, with seal 5. */
void peer_begin(struct peer *peer, uint64_t pages);

/* RECALL of a seal's range, and the answer that must follow. */
void peer_recall(struct peer *peer, uint64_t id, uint32_t seq, uint64_t offset, uint64_t length);
void peer_expect_answer(struct peer *peer, uint64_t id, uint32_t seq, enum proto_e_ANSWER answer);

/* RETURN of the range, answered with @seq. */
void peer_expect_return(struct peer *peer, uint64_t id, uint32_t seq, uint64_t offset,
			uint64_t length);
void peer_returned(struct peer *peer, uint32_t seq, uint64_t upper, uint32_t upper_seq);

/* ---- for tests --------------------------------------------------------------------------- */

/* Lets the script go on from peer_wait(). */
void peer_go(struct peer *peer);

/* A handler that returns what is asked for, and remembers. Each test has its own process. */
extern int peer_handler_calls;
extern struct mapseal_recall peer_handler_saw;
enum mapseal_verdict peer_return_it(struct mapseal_recall *recall, void *data);

struct mapseal *peer_connect(struct peer *peer, unsigned int flags,
			     void (*on_event)(struct mapseal *m, const struct mapseal_event *event,
					      void *data),
			     void *data);
struct mapseal_seal *peer_acquire(struct mapseal *m, uint64_t pages, mapseal_recall_fn on_recall,
				  void *data);

/* Runs mapseal_dispatch() whenever there is something to do, until the seal's state is @state. */
void peer_dispatch_until(struct mapseal *m, const struct mapseal_seal *seal,
			 enum mapseal_state state);

/* For tests that are run twice, without (@i 0) and with (1) the library's thread: the flags, and the
 * wait, in which the first needs our doing. */
unsigned int peer_flags(int i);
void peer_wait_for(struct mapseal *m, const struct mapseal_seal *seal, enum mapseal_state state,
		   int i);

/* Runs the case and is the exit status: 77 if it needs @windows and none can be made here. */
int peer_run(TCase *tc, bool windows);
