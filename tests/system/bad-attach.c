/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is no userfaultfd, one that was configured already, or one of another process, is refused at ATTACH and says
 * why; a window without an ATTACH, and a second ATTACH, are refused too. The session goes on each time.
 */

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/frame.h"
#include "tests/system/raw.h"
#include "tests/system/rig.h"

/* A userfaultfd made by a child that stays alive: its address space is not this one. */
static int others_userfaultfd(pid_t *ret_child)
{
	unsigned char frame[PROTO_FRAME_MAX];
	struct fdlist fds;
	int pair[2];
	size_t size;

	expect(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	*ret_child = fork();
	if (*ret_child == 0) {
		int fd = raw_userfaultfd();
		char byte;

		proto_frame_send(pair[1], "fd", 2, &fd, 1, 0);
		close(pair[0]);
		(void)!read(pair[1], &byte, 1);
		_exit(0);
	}
	close(pair[1]);
	fdlist_init(&fds);
	expect_eq(proto_frame_recv(pair[0], frame, &size, &fds, 0), 0);
	return fdlist_take(&fds, 0);
}

static int attacher(int channel, void *data)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct proto_message attach = { .type = PROTO_ATTACH };
	struct proto_message acquire = {
		.type = PROTO_ACQUIRE,
		.acquire = { .object = "file", .mode = PROTO_MODE_READ, .kind = PROTO_KIND_WINDOW,
			     .flags = PROTO_ACQUIRE_WHOLE },
	};
	void *page = raw_probe_page();
	struct raw raw;
	pid_t child;
	int fd;

	(void)channel, (void)data;
	raw_hello(&raw);
	raw_refused(&raw, &acquire, -1, NOT_ATTACHED);

	attach.attach.probe = (uintptr_t)page;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	raw_refused(&raw, &attach, fd, BAD_USERFAULTFD);
	close(fd);

	fd = raw_userfaultfd();
	expect(ioctl(fd, UFFDIO_API, &api) == 0);
	raw_refused(&raw, &attach, fd, BAD_USERFAULTFD);
	close(fd);

	fd = others_userfaultfd(&child);
	raw_refused(&raw, &attach, fd, BAD_USERFAULTFD);
	close(fd);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);

	/* no page there at all */
	attach.attach.probe = 0x10000;
	fd = raw_userfaultfd();
	raw_refused(&raw, &attach, fd, BAD_ADDRESS);
	close(fd);
	attach.attach.probe = 123;
	fd = raw_userfaultfd();
	raw_refused(&raw, &attach, fd, BAD_ADDRESS);
	close(fd);

	raw_attach(&raw);
	attach.attach.probe = (uintptr_t)raw_probe_page();
	fd = raw_userfaultfd();
	raw_refused(&raw, &attach, fd, STATE);
	close(fd);

	/* and now all is well */
	raw_acquire(&raw, "file", 0, 4096, PROTO_MODE_READ, 0);
	expect(rig_same(raw_map(&raw), 0, 4096, 1));
	return 0;
}

int main(void)
{
	return actor_alone(8192, attacher);
}
