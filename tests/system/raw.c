/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * See raw.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/frame.h"
#include "tests/system/raw.h"
#include "tests/system/rig.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

void raw_connect(struct raw *raw)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(raw, 0, sizeof(*raw));
	raw->fds[0] = raw->fds[1] = -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", getenv("MAPSEAL_SOCKET"));
	raw->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	expect(raw->socket >= 0);
	expect(connect(raw->socket, (struct sockaddr *)&address, sizeof(address)) == 0);
}

void raw_send(struct raw *raw, struct proto_message *message, const int *fds, size_t n_fds)
{
	unsigned char frame[PROTO_FRAME_MAX];
	int size;

	message->serial = ++raw->serial;
	size = proto_encode(message, frame);
	expect(size > 0);
	expect_eq(proto_frame_send(raw->socket, frame, (size_t)size, fds, n_fds, 0), 0);
}

unsigned int raw_receive(struct raw *raw)
{
	struct proto_fault fault;
	struct fdlist fds;
	size_t size;
	int r;

	fdlist_init(&fds);
	if (!raw->left) {
		r = proto_frame_recv(raw->socket, raw->frame, &raw->left, &fds, 0);
		if (r == -ECONNRESET || r == -EPIPE || (r == 0 && raw->left == 0))
			return 0;
		expect_eq(r, 0);
		raw->next = raw->frame;
	}
	size = proto_first(raw->next, raw->left);
	r = proto_decode(raw->next, size, fds.n, PROTO_REPLY, &raw->answer, &fault);
	if (r != 0)
		expect_failed(__FILE__, __LINE__, "undecodable answer: %s", fault.text);
	raw->next += size;
	raw->left -= size;
	for (size_t i = 0; i < PROTO_FDS_MAX; i++)
		raw->fds[i] = fdlist_take(&fds, i);
	fdlist_clear(&fds);
	return raw->answer.type;
}

unsigned int raw_call(struct raw *raw, struct proto_message *message, int fd)
{
	unsigned int type;

	raw_send(raw, message, &fd, fd >= 0 ? 1 : 0);
	do
		type = raw_receive(raw);
	while (type != 0 && raw->answer.serial != raw->serial);
	return type;
}

uint32_t raw_set_off(struct raw *raw, struct proto_message *message)
{
	struct proto_message status = { .type = PROTO_STATUS_GET };
	uint32_t serial;

	raw_send(raw, message, NULL, 0);
	serial = raw->serial;
	expect_eq(raw_call(raw, &status, -1), PROTO_STATUS);
	return serial;
}

void raw_hello(struct raw *raw)
{
	struct proto_message hello = {
		.type = PROTO_HELLO,
		.hello = { .min_version = 1, .max_version = PROTO_VERSION },
	};

	raw_connect(raw);
	expect_eq(raw_call(raw, &hello, -1), PROTO_WELCOME);
}

int raw_userfaultfd(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	expect(fd >= 0);
	return fd;
}

void *raw_probe_page(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(page != MAP_FAILED);
	return page;
}

void raw_attach(struct raw *raw)
{
	int fd = raw_userfaultfd();
	void *page = raw_probe_page();
	struct proto_message attach = {
		.type = PROTO_ATTACH,
		.attach = { .probe = (uintptr_t)page },
	};

	expect_eq(raw_call(raw, &attach, fd), PROTO_ATTACHED);
	munmap(page, 4096);
	/* kept open, as the library does: closing it would unregister */
}

void raw_acquire(struct raw *raw, const char *object, uint64_t offset, uint64_t length, uint8_t mode,
		 uint32_t flags)
{
	struct proto_message acquire = {
		.type = PROTO_ACQUIRE,
		.acquire = {
			.object = object,
			.mode = mode,
			.kind = PROTO_KIND_WINDOW,
			.flags = flags,
			.offset = offset,
			.length = length,
		},
	};

	if (raw_call(raw, &acquire, -1) != PROTO_GRANTED)
		expect_failed(__FILE__, __LINE__, "not granted: %s",
			      raw->answer.type == PROTO_REFUSED ? raw->answer.refused.text : "?");
}

void raw_hold(struct raw *raw, const char *object, uint64_t length, uint8_t mode)
{
	raw_hello(raw);
	raw_attach(raw);
	raw_acquire(raw, object, 0, length, mode, 0);
}

struct proto_message raw_returning(const struct raw *raw)
{
	const struct proto_granted *granted = &raw->answer.granted;

	return (struct proto_message){
		.type = PROTO_RETURN,
		.return_ = { .seal = granted->seal, .seq = granted->seq, .length = granted->length },
	};
}

void *raw_map(struct raw *raw)
{
	struct proto_granted granted = raw->answer.granted;
	bool write = granted.mode == PROTO_MODE_WRITE;
	size_t length = (granted.length + 4095) & ~(uint64_t)4095;
	void *address = mmap(NULL, length, PROT_NONE, write ? MAP_SHARED : MAP_PRIVATE, raw->fds[0],
			     (off_t)granted.memory_offset);
	struct proto_message map = {
		.type = PROTO_MAP,
		.map = { .seal = granted.seal, .address = (uintptr_t)address, .length = length },
	};
	int memory = raw->fds[0];

	expect(address != MAP_FAILED);
	expect_eq(raw_call(raw, &map, -1), PROTO_DONE);
	raw->fds[0] = memory;
	expect(mprotect(address, length, write ? PROT_READ | PROT_WRITE : PROT_READ) == 0);
	return address;
}
