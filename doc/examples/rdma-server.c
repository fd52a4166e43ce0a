/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rdma-server [--direct] OBJECT ADDRESS PORT: a file server whose peers write by RDMA, straight into the memory
 * of a file that the server itself may not open.
 *
 * The kernel refuses to register a mapping of a file with a device for long, since it could not get it back. A
 * window it does register: the pages are those of a memfd, and whoever wants the file has them
 * recalled. Three things make that work:
 *
 *	acquire		WRITE and PINNABLE: a device's writes make no faults, so every page counts as written
 *	populate	before the registration, which finds only pages that are there
 *	on_recall	ends the peer's connection and the registration; then nothing can write any more, and
 *			what was written is flushed when the window is returned
 *
 * After that the server asks for the window again, as soon as it is told that it could have it; a peer that comes
 * meanwhile waits. If the server does not react in time the window is revoked: the device goes on writing into pages that
 * nobody will look at.
 *
 * With --direct it is the file itself, on DAX, where a peer's bytes are in it at once. The device has to do on-demand
 * paging, which pins nothing: it asks the kernel for each page that it does not know. A DIRECT seal that is revoked is
 * not fenced. The device still writes into what is left of the file, and is refused what was cut off.
 *
 * One peer at a time, one thread, one poll(). Says on standard output what happens, a line each.
 */

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <mapseal.h>
#include <poll.h>
#include <rdma/rdma_verbs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doc/examples/rdma.h"

struct server {
	const char *object;
	bool direct;
	struct mapseal *m;
	struct mapseal_seal *seal;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *listener, *peer, *waiting;
	struct ibv_mr *mr;
	bool serving; /* the window is there, all of it */
	bool ask;     /* for the window: it was taken, or could be had again */
};

static void die(const char *what)
{
	fprintf(stderr, "rdma-server: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "rdma-server: %s: %s\n", what, mapseal_last_error()->text);
	exit(1);
}

/* ---- the peer ---------------------------------------------------------------------------- */

/* When this returns the device neither writes into the window nor ever will again. */
static void let_go(struct server *server)
{
	if (server->peer) {
		rdma_disconnect(server->peer);
		rdma_destroy_qp(server->peer);
	}
	if (server->mr && ibv_dereg_mr(server->mr))
		die("deregister");
	if (server->peer)
		rdma_destroy_id(server->peer);
	server->mr = NULL;
	server->peer = NULL;
}

static void turn_away(struct rdma_cm_id *peer)
{
	rdma_reject(peer, NULL, 0);
	rdma_destroy_id(peer);
}

/* False: the window was taken meanwhile. */
static bool register_window(struct server *server, struct rdma_cm_id *peer, int access)
{
	int r = mapseal_enter(server->seal);

	if (r == -ESTALE)
		return false;
	must(r, "enter");
	server->mr = ibv_reg_mr(peer->pd, mapseal_address(server->seal),
				mapseal_length(server->seal), access);
	mapseal_exit(server->seal);
	if (!server->mr && mapseal_seal_state(server->seal) == MAPSEAL_HELD)
		die("register the window");
	return server->mr;
}

static void welcome(struct server *server, struct rdma_cm_id *peer)
{
	struct ibv_qp_init_attr attr = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
	};
	int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
	struct rdma_offer offer = {
		.address = htobe64((uintptr_t)mapseal_address(server->seal)),
		.length = htobe64(mapseal_length(server->seal)),
	};
	struct rdma_conn_param param = {
		.private_data = &offer,
		.private_data_len = sizeof(offer),
		.rnr_retry_count = 7,
	};

	if (rdma_create_qp(peer, NULL, &attr) < 0)
		die("queue pair");
	if (server->direct)
		access |= IBV_ACCESS_ON_DEMAND;
	if (!register_window(server, peer, access)) {
		rdma_destroy_qp(peer);
		server->serving = false;
		server->waiting = peer;
		return;
	}
	offer.rkey = htonl(server->mr->rkey);
	server->peer = peer;
	if (rdma_accept(peer, &param) < 0)
		let_go(server); /* it is gone already */
}

/* One at a time; one may wait until there is something to serve. */
static void knock(struct server *server, struct rdma_cm_id *peer)
{
	if (server->peer || server->waiting)
		turn_away(peer);
	else if (server->serving)
		welcome(server, peer);
	else
		server->waiting = peer;
}

static void on_connection(struct server *server)
{
	struct rdma_cm_event *event;
	enum rdma_cm_event_type type;
	struct rdma_cm_id *id;

	while (rdma_get_cm_event(server->channel, &event) == 0) {
		type = event->event;
		id = event->id;
		rdma_ack_cm_event(event);
		if (type == RDMA_CM_EVENT_CONNECT_REQUEST) {
			knock(server, id);
		} else if (type == RDMA_CM_EVENT_ESTABLISHED) {
			printf("a peer writes\n");
		} else if (id == server->peer) {
			let_go(server);
			printf("the peer left\n");
		} else if (id == server->waiting) {
			rdma_destroy_id(id);
			server->waiting = NULL;
		}
	}
	if (errno != EAGAIN)
		die("connections");
}

/* ---- the window -------------------------------------------------------------------------- */

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	struct server *server = data;

	server->serving = false;
	let_go(server);
	printf("recalled: deregistered\n");
	recall->whole = true;
	return MAPSEAL_RETURN;
}

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	struct server *server = data;

	(void)m;
	switch (event->type) {
	case MAPSEAL_EVENT_RETURNED:
		printf("returned\n");
		server->ask = true;
		break;
	case MAPSEAL_EVENT_REVOKED:
		server->serving = false;
		printf("revoked\n");
		server->ask = true;
		break;
	case MAPSEAL_EVENT_AVAIL:
		/* for what was refused then; it may be here by now */
		if (!server->serving)
			server->ask = true;
		break;
	case MAPSEAL_EVENT_DISCONNECTED:
		fprintf(stderr, "rdma-server: the supervisor is gone\n");
		exit(1);
	default:
		break;
	}
}

/* False: it is asked for already, or was taken. What there is to do about it comes with the next dispatch. */
static bool populate(struct server *server)
{
	int r = mapseal_enter(server->seal);

	if (r == 0) {
		r = mapseal_populate(server->seal, 0, mapseal_length(server->seal), MAPSEAL_WRITE);
		mapseal_exit(server->seal);
	}
	if (r == -ESTALE)
		return false;
	must(r, "populate");
	return true;
}

static void acquire(struct server *server)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = server->object,
		.fd = -1,
		.mode = MAPSEAL_WRITE,
		.kind = server->direct ? MAPSEAL_DIRECT : MAPSEAL_WINDOW,
		.flags = MAPSEAL_NO_WAIT | MAPSEAL_WANT_AVAIL,
		.on_recall = on_recall,
		.data = server,
	};
	int r;

	if (!server->direct)
		request.flags |= MAPSEAL_PINNABLE;
	let_go(server);
	server->serving = false;
	server->seal = mapseal_seal_free(server->seal);
	server->ask = false;
	r = mapseal_acquire(server->m, &request, &server->seal);
	if (r == -EAGAIN)
		return;
	must(r, "acquire");
	if (!server->direct && !populate(server))
		return;
	server->serving = true;
	printf("serving %llu bytes\n", (unsigned long long)mapseal_length(server->seal));
	if (server->waiting) {
		struct rdma_cm_id *peer = server->waiting;

		server->waiting = NULL;
		welcome(server, peer);
	}
}

/* ---- both -------------------------------------------------------------------------------- */

static void listen_at(struct server *server, const char *address, const char *port)
{
	struct rdma_addrinfo hints = { .ai_flags = RAI_PASSIVE, .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *found;

	server->channel = rdma_create_event_channel();
	if (!server->channel || fcntl(server->channel->fd, F_SETFL, O_NONBLOCK) < 0)
		die("event channel");
	if (rdma_getaddrinfo(address, port, &hints, &found) < 0)
		die("address");
	if (rdma_create_id(server->channel, &server->listener, NULL, RDMA_PS_TCP) < 0 ||
	    rdma_bind_addr(server->listener, found->ai_src_addr) < 0 ||
	    rdma_listen(server->listener, 4) < 0)
		die("listen");
	rdma_freeaddrinfo(found);
}

int main(int argc, char **argv)
{
	struct server server = { .direct = argc > 1 && strcmp(argv[1], "--direct") == 0 };
	struct mapseal_options options = { .size = sizeof(options), .on_event = on_event,
					   .data = &server };
	struct pollfd poll_fds[2];

	argv += server.direct;
	argc -= server.direct;
	if (argc != 4) {
		fprintf(stderr, "usage: rdma-server [--direct] OBJECT ADDRESS PORT\n");
		return 2;
	}
	server.object = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	must(mapseal_connect(&options, &server.m), "connect");
	listen_at(&server, argv[2], argv[3]);
	server.ask = true;
	poll_fds[0] = (struct pollfd){ .fd = mapseal_get_fd(server.m), .events = POLLIN };
	poll_fds[1] = (struct pollfd){ .fd = server.channel->fd, .events = POLLIN };
	for (;;) {
		while (server.ask)
			acquire(&server);
		if (poll(poll_fds, 2, -1) < 0 && errno != EINTR)
			die("poll");
		if (poll_fds[0].revents)
			must(mapseal_dispatch(server.m), "dispatch");
		if (poll_fds[1].revents)
			on_connection(&server);
	}
}
