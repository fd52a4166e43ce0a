/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whole sessions, against the supervisor itself: its loop, core, pager and authority, in this
 * process, with real sockets, descriptors, windows and files. What an input says is written in
 * session-ops.h.
 *
 * During an input: nothing crashes or hangs, and everything that the supervisor sends is right
 * (session-client.c). After it, when every connection was closed: all holders, seals, requests,
 * windows, charges and descriptors are gone, no thread waits in a window, and no deadline is left.
 */

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session-client.h"
#include "tests/fuzz/session-files.h"
#include "tests/fuzz/session-memory.h"
#include "tests/fuzz/session-message.h"
#include "tests/fuzz/session-rig.h"

#define BURST_MAX 80
#define STEPS_MAX 8

static struct parcel parcel, last;

static void send_request(struct client_end *end, struct parcel *r)
{
	end_send(end, r->frame, r->size, r->fds, r->n_fds);
	memcpy(last.frame, r->frame, r->size);
	last.size = r->size;
	parcel_close_fds(r);
}

static void send_usual(struct client_end *end, unsigned int type)
{
	parcel_usual(end, type, 0, &parcel);
	send_request(end, &parcel);
	rig_settle();
	end_read(end);
}

static void open_end(struct reader *r, struct client_end *end)
{
	unsigned int how = read_u8(r);

	end_open(end, how);
	if (!(how & SESSION_OPEN_SILENT))
		send_usual(end, PROTO_HELLO);
	if (!(how & SESSION_OPEN_SILENT) && !(how & SESSION_OPEN_APART))
		send_usual(end, PROTO_ATTACH);
}

static void raw(struct reader *r, struct client_end *end)
{
	size_t size = read_u16(r) % (PROTO_FRAME_MAX + 64);
	uint8_t frame[PROTO_FRAME_MAX + 64];

	for (size_t i = 0; i < size; i++)
		frame[i] = read_u8(r);
	parcel_tame(frame, size);
	parcel_read_fds(r, end, &parcel);
	end_send(end, frame, size, parcel.fds, parcel.n_fds);
	parcel_close_fds(&parcel);
}

static void burst(struct reader *r, struct client_end *end)
{
	unsigned int n = read_u8(r) % BURST_MAX + 1;

	parcel_read(r, end, &parcel);
	/* under the same serial: each is answered */
	for (unsigned int i = 0; i < n; i++) {
		if (!end_send(end, parcel.frame, parcel.size, parcel.fds, parcel.n_fds))
			break;
		rig_step(1);
	}
	parcel_close_fds(&parcel);
}

static void spoil(struct reader *r, struct client_end *end)
{
	unsigned int n = read_u8(r) % 8, where[8], with[8];

	for (unsigned int i = 0; i < n; i++) {
		where[i] = read_u16(r);
		with[i] = read_u8(r);
	}
	parcel_read(r, end, &parcel);
	for (unsigned int i = 0; i < n; i++)
		parcel.frame[where[i] % parcel.size] ^= (uint8_t)with[i];
	parcel_tame(parcel.frame, parcel.size);
	send_request(end, &parcel);
}

static void map(struct reader *r, struct client_end *end)
{
	struct grant *grant = end_grant(end, read_u8(r));
	unsigned int how = read_u8(r);
	bool shared, shifted = how & SESSION_MAP_SHIFTED;
	int protection = how & SESSION_MAP_OPENED ? PROT_READ : PROT_NONE;
	size_t length;
	void *p;

	if (!grant)
		return;
	shared = grant->write != !!(how & SESSION_MAP_OTHER_SHARING);
	length = (grant->length + MEMORY_PAGE - 1) / MEMORY_PAGE * MEMORY_PAGE;
	p = memory_map(grant->memory, length, protection, shared ? MAP_SHARED : MAP_PRIVATE,
		       grant->memory_offset + (shifted ? MEMORY_PAGE : 0));
	parcel_map(end, grant->seal, (uintptr_t)p, how & SESSION_MAP_SHORT ? length / 2 : length,
		    &parcel);
	send_request(end, &parcel);
	rig_settle();
	if (!p)
		return;
	grant->address = (uintptr_t)p;
	grant->mapped = length;
	if (!(how & SESSION_MAP_UNOPENED))
		mprotect(p, length, grant->write ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void touch(struct reader *r, struct client_end *end)
{
	const struct grant *grant = end_grant(end, read_u8(r));
	unsigned int how = read_u8(r), page = read_u8(r);

	if (grant && grant->address)
		memory_touch(how, grant->address, grant->mapped, page, grant->memory);
}

/* Without waiting: what it reads, the supervisor will not. */
static void own_uffd(struct reader *r, struct client_end *end)
{
	int *fd = &end->uffds[read_u8(r) % CLIENT_UFFDS];
	struct uffd_msg messages[4];
	int flags;

	switch (read_u8(r) % 4) {
	case 0:
		*fd = fd_close(*fd);
		break;
	case 1:
		flags = fcntl(*fd, F_GETFL);
		if (flags >= 0)
			fcntl(*fd, F_SETFL, flags & ~O_NONBLOCK);
		break;
	case 2:
		flags = fcntl(*fd, F_GETFL);
		if (flags >= 0 && fcntl(*fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
		    read(*fd, messages, sizeof(messages)) < 0)
			break;
		break;
	case 3:
		flags = fcntl(*fd, F_GETFL);
		if (flags >= 0)
			fcntl(*fd, F_SETFL, flags | O_NONBLOCK);
		break;
	}
}

static void part(struct reader *r, struct client_end *end)
{
	const struct grant *grant = end_grant(end, read_u8(r));
	unsigned int from = read_u8(r), pages = read_u8(r);

	if (!grant)
		return;
	parcel_part(end, grant, from, pages, &parcel);
	send_request(end, &parcel);
}

static void put_clock_forward(struct reader *r)
{
	static const uint16_t ms[] = { 1,    5,	   20,	21,   100,  499,   500,	  1000,
				       1999, 2000, 2001, 9999, 10001, 30000, 30001, 60000 };

	rig_wait(ms[read_u8(r) % (sizeof(ms) / sizeof(*ms))]);
	rig_step(1);
}

static void operate(struct reader *r)
{
	unsigned int byte = read_u8(r);
	struct client_end *end = &clients_of_input[(byte >> 4 & 3) % SESSION_CONNECTIONS];
	unsigned int which;

	switch ((enum session_op)(byte & 15)) {
	case SESSION_OPEN:
		open_end(r, end);
		break;
	case SESSION_SEND:
		parcel_read(r, end, &parcel);
		send_request(end, &parcel);
		break;
	case SESSION_RAW:
		raw(r, end);
		break;
	case SESSION_BURST:
		burst(r, end);
		break;
	case SESSION_READ:
		break;
	case SESSION_STEP:
		rig_step(read_u8(r) % STEPS_MAX);
		return;
	case SESSION_WAIT:
		put_clock_forward(r);
		break;
	case SESSION_CLOSE:
		end_close(end);
		break;
	case SESSION_SHUT:
		which = read_u8(r) % 3;
		if (end->socket >= 0)
			shutdown(end->socket, (int)which);
		break;
	case SESSION_MAP:
		map(r, end);
		break;
	case SESSION_TOUCH:
		touch(r, end);
		break;
	case SESSION_FILE:
		which = read_u8(r);
		files_disturb(which, read_u8(r));
		break;
	case SESSION_UFFD:
		own_uffd(r, end);
		break;
	case SESSION_SPOIL:
		spoil(r, end);
		break;
	case SESSION_AGAIN:
		parcel_tame(last.frame, last.size);
		end_send(end, last.frame, last.size, NULL, 0);
		break;
	case SESSION_PART:
		part(r, end);
		break;
	}
	if (!(byte & SESSION_NO_SETTLE))
		rig_settle();
	if (!(byte & SESSION_NO_READ))
		for (size_t i = 0; i < SESSION_CONNECTIONS; i++)
			end_read(&clients_of_input[i]);
}

static void begin(void)
{
	static bool begun;

	if (begun)
		return;
	begun = true;
	/* again: a fuzzer takes what is ignored for what nobody wants */
	signal(SIGXFSZ, SIG_IGN);
	memory_begin();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rig_begin();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = { data, data + size };

	begin();
	rig_count_descriptors();
	ends_begin();
	last.size = 0;
	for (int i = 0; i < SESSION_OPS_MAX && r.at < r.end; i++)
		operate(&r);
	ends_hang_up();
	rig_end();
	ends_close();
	memory_end();
	rig_check_descriptors();
	return 0;
}
