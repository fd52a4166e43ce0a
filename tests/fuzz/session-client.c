/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is demanded of everything that the supervisor sends, whatever it was sent:
 *
 *	it decodes, with the descriptors beside it
 *	an event has no serial; a part or a reply has one that was sent and has not been answered
 *	a grant's memory is what the grant says: READ can't be written to, WRITE can't be resized
 *
 * It also remembers what a client would, so that an input can name it in one byte.
 */

#include "tests/fuzz/session-client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "proto/frame.h"
#include "proto/table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session-files.h"
#include "tests/fuzz/session-rig.h"

#define SERIALS 4096 /* those of one connection that are remembered one by one */

struct client_end clients_of_input[SESSION_CONNECTIONS];
struct learnt learnt;

/* How often each serial was sent and not answered; odd ones share a place. */
static uint16_t unanswered[SESSION_CONNECTIONS][SERIALS + 1];

static uint16_t *asked(const struct client_end *end, uint32_t serial)
{
	return &unanswered[end - clients_of_input][serial < SERIALS ? serial : SERIALS];
}

static void learn(uint64_t id)
{
	learnt.ids[learnt.n_ids++ % (sizeof(learnt.ids) / sizeof(*learnt.ids))] = id;
}

/* For who wants to see what an input does. */
static void show(const struct client_end *end, const char *way, const void *frame, size_t size,
		 size_t n_fds, enum proto_direction direction)
{
	static int wanted = -1;
	struct proto_message message;
	struct proto_fault fault;
	char line[1024];

	if (wanted < 0)
		wanted = getenv("SESSION_SHOW") != NULL;
	if (!wanted)
		return;
	if (proto_decode(frame, size, n_fds, direction, &message, &fault) == 0)
		proto_dump(&message, line, sizeof(line));
	else
		snprintf(line, sizeof(line), "%zu bytes: %s", size, fault.text);
	fprintf(stderr, "%d %s %s\n", (int)(end - clients_of_input), way, line);
}

/* ---- beginning and end ------------------------------------------------------------------ */

static void end_init(struct client_end *end)
{
	*end = (struct client_end){ .socket = -1 };
	for (size_t i = 0; i < CLIENT_GRANTS; i++)
		end->grants[i].memory = -1;
	for (size_t i = 0; i < CLIENT_UFFDS; i++)
		end->uffds[i] = -1;
	memset(unanswered[end - clients_of_input], 0, sizeof(*unanswered));
}

void ends_begin(void)
{
	learnt = (struct learnt){ .device = -1 };
	for (size_t i = 0; i < SESSION_CONNECTIONS; i++)
		end_init(&clients_of_input[i]);
}

void end_close(struct client_end *end)
{
	end->socket = fd_close(end->socket);
	memset(unanswered[end - clients_of_input], 0, sizeof(*unanswered));
}

void ends_hang_up(void)
{
	for (size_t i = 0; i < SESSION_CONNECTIONS; i++)
		end_close(&clients_of_input[i]);
}

void ends_close(void)
{
	for (size_t i = 0; i < SESSION_CONNECTIONS; i++) {
		struct client_end *end = &clients_of_input[i];

		for (size_t j = 0; j < CLIENT_GRANTS; j++)
			end->grants[j].memory = fd_close(end->grants[j].memory);
		for (size_t j = 0; j < CLIENT_UFFDS; j++)
			end->uffds[j] = fd_close(end->uffds[j]);
	}
	learnt.device = fd_close(learnt.device);
}

void end_open(struct client_end *end, unsigned int how)
{
	end_close(end);
	end->socket = rig_connect(how);
	end->how = how;
	end->serial = 0;
}

/* The client's copy stays open, or the supervisor's would be the last; the oldest makes room. */
void end_keep_uffd(struct client_end *end, int fd)
{
	int *place = &end->uffds[end->n_uffds++ % CLIENT_UFFDS];

	fd_close(*place);
	*place = fd;
}

struct grant *end_grant(struct client_end *end, unsigned int which)
{
	size_t n = end->n_grants < CLIENT_GRANTS ? end->n_grants : CLIENT_GRANTS;

	/* 0 is the newest */
	return n ? &end->grants[(end->n_grants - 1 - which % n) % CLIENT_GRANTS] : NULL;
}

/* ---- out -------------------------------------------------------------------------------- */

/* Frames of every size, with too many descriptors: what proto_frame_send() would not send. */
bool end_send(struct client_end *end, const void *frame, size_t size, const int *fds, size_t n)
{
	char control[CMSG_SPACE(8 * sizeof(int))] PROTO_CONTROL_ALIGNED;
	struct iovec iov = { (void *)(uintptr_t)frame, size };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint32_t serial = 0;

	if (end->socket < 0)
		return false;
	proto_frame_fill_control(&header, control, fds, n < 8 ? n : 8);
	if (sendmsg(end->socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false;
	show(end, ">", frame, size, n, PROTO_REQUEST);
	if (size >= PROTO_HEADER)
		memcpy(&serial, (const char *)frame + 4, sizeof(serial));
	if (size > 0)
		++*asked(end, serial);
	return true;
}

/* ---- in --------------------------------------------------------------------------------- */

static struct grant *find_seal(struct client_end *end, uint64_t seal)
{
	for (size_t i = 0; i < CLIENT_GRANTS; i++)
		if (end->grants[i].seal == seal && seal)
			return &end->grants[i];
	return NULL;
}

static void granted(struct client_end *end, const struct proto_granted *m, struct fdlist *fds)
{
	struct grant *grant = &end->grants[end->n_grants++ % CLIENT_GRANTS];
	bool write = m->mode == PROTO_MODE_WRITE;
	const int fixed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int memory = fdlist_take(fds, 0);

	promise(m->seal && m->length > 0);
	/* its size is of now, and this process is nobody that a guard would hold */
	promise(m->offset + m->length <= m->size || files_disturbed());
	promise((fcntl(memory, F_GETFL) & O_ACCMODE) == (write ? O_RDWR : O_RDONLY));
	if (write)
		promise((fcntl(memory, F_GET_SEALS) & fixed) == fixed);
	fd_close(grant->memory);
	*grant = (struct grant){
		.seal = m->seal,
		.seq = m->seq,
		.offset = m->offset,
		.length = m->length,
		.memory_offset = m->memory_offset,
		.write = write,
		.memory = memory,
	};
	learn(m->seal);
}

static void seq_of(struct client_end *end, uint64_t seal, uint32_t seq)
{
	struct grant *grant = find_seal(end, seal);

	promise(seq != 0);
	if (grant)
		grant->seq = seq;
}

/* The other half goes on in the same window. */
static void returned(struct client_end *end, const struct proto_returned *m)
{
	const struct grant *lower = find_seal(end, m->seal);
	struct grant *upper;

	seq_of(end, m->seal, m->seq);
	if (!m->upper)
		return;
	upper = &end->grants[end->n_grants++ % CLIENT_GRANTS];
	fd_close(upper->memory);
	*upper = (struct grant){ .memory = -1 };
	upper->seal = m->upper;
	upper->seq = m->upper_seq;
	upper->offset = m->offset + m->length;
	upper->length = lower && lower->offset + lower->length > upper->offset
				? lower->offset + lower->length - upper->offset
				: 4096;
	if (lower)
		upper->write = lower->write;
	learn(m->upper);
}

static void remember(struct client_end *end, const struct proto_message *m, struct fdlist *fds)
{
	switch (m->type) {
	case PROTO_GRANTED:
		granted(end, &m->granted, fds);
		break;
	case PROTO_RETURNED:
		returned(end, &m->returned);
		break;
	case PROTO_RECALL:
		end->recall = m->recall.recall;
		if (m->recall.scope == PROTO_SCOPE_RANGE)
			seq_of(end, m->recall.seal, m->recall.seq);
		break;
	case PROTO_REVOKED:
		seq_of(end, m->revoked.seal, m->revoked.seq);
		break;
	case PROTO_REGRANTED:
		seq_of(end, m->regranted.seal, m->regranted.seq);
		break;
	case PROTO_LAPSED:
		seq_of(end, m->lapsed.seal, m->lapsed.seq);
		break;
	case PROTO_BREAK_READY:
		end->break_id = m->break_ready.id;
		end->break_token = m->break_ready.token;
		learn(m->break_ready.id);
		if (m->break_ready.token)
			learn(m->break_ready.token);
		break;
	case PROTO_CREATED:
		snprintf(learnt.memory, sizeof(learnt.memory), "%s", m->created.name);
		break;
	case PROTO_DEVICE:
		fd_close(learnt.device);
		learnt.device = fdlist_take(fds, 0);
		break;
	case PROTO_LIST_QUARANTINE:
		learn(m->list_quarantine.id);
		break;
	case PROTO_CHANGED:
		if (m->changed.change == PROTO_CHANGE_QUARANTINED)
			learn(m->changed.id);
		break;
	}
}

static void take(struct client_end *end, const uint8_t *frame, size_t size, bool more,
		 struct fdlist *fds)
{
	const struct proto_description *d;
	struct proto_message message;
	struct proto_fault fault;
	char line[1024];
	int r;

	show(end, "<", frame, size, fds->n, PROTO_REPLY);
	r = proto_decode(frame, size, fds->n, PROTO_REPLY, &message, &fault);
	if (r != 0)
		fprintf(stderr, "%s\n", fault.text);
	promise(r == 0);
	promise(message.more == more);
	d = proto_describe(message.type);
	if (d->direction == PROTO_EVENT) {
		promise(message.serial == 0);
	} else {
		if (*asked(end, message.serial) == 0)
			fprintf(stderr, "unasked: %s\n", proto_dump(&message, line, sizeof(line)));
		promise(*asked(end, message.serial) > 0);
		if (d->direction == PROTO_REPLY)
			--*asked(end, message.serial);
	}
	remember(end, &message, fds);
}

void end_read(struct client_end *end)
{
	uint8_t frame[PROTO_FRAME_MAX];
	struct fdlist fds, none;
	size_t size;
	int r;

	fdlist_init(&none);
	fdlist_init(&fds);
	while (end->socket >= 0) {
		r = proto_frame_recv(end->socket, frame, &size, &fds, MSG_DONTWAIT);
		if (r < 0 || size == 0)
			break;
		promise(size <= sizeof(frame));
		for (size_t at = 0, n; at < size; at += n) {
			n = proto_first(frame + at, size - at);
			take(end, frame + at, n, at + n < size, at + n < size ? &none : &fds);
		}
		fdlist_clear(&fds);
	}
	fdlist_clear(&fds);
}
