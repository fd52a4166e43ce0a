/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The barest recall of N holders: somebody asks the server, which sends a message to each holder,
 * takes their replies as epoll tells of them, and answers when it has them all. With one holder
 * this is a round trip that goes through a server.
 */

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bare.h"
#include "tests/system/rig.h"

enum { EVENTS = 64 };

static void collect(int epoll, unsigned int n)
{
	struct epoll_event events[EVENTS];
	struct bare_message message;

	while (n > 0) {
		int ready = epoll_wait(epoll, events, EVENTS, -1);

		expect(ready > 0);
		for (int i = 0; i < ready; i++) {
			expect(bare_receive(events[i].data.fd, &message, NULL));
			n--;
		}
	}
}

int bare_fan_out_serve(int channel, void *data)
{
	const struct bare_fan_out *fan_out = data;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct bare_message message;

	expect(epoll >= 0);
	for (unsigned int i = 0; i < fan_out->n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fan_out->sockets[i] };

		expect(epoll_ctl(epoll, EPOLL_CTL_ADD, fan_out->sockets[i], &event) == 0);
	}
	while (bare_receive(channel, &message, NULL)) {
		for (unsigned int i = 0; i < fan_out->n; i++)
			bare_send(fan_out->sockets[i], &message, -1);
		collect(epoll, fan_out->n);
		bare_send(channel, &message, -1);
	}
	close(epoll);
	return 0;
}

void bare_pairs(int *servers, int *holders, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int pair[2];

		expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
		servers[i] = pair[0];
		holders[i] = pair[1];
	}
}

void bare_reply(int socket)
{
	struct bare_message message;

	expect(bare_receive(socket, &message, NULL));
	bare_send(socket, &message, -1);
}
