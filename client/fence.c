/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fences: what is where a DIRECT seal's mapping was, once its range is not held any more.
 *
 *	returned, or revoked and to be granted again ──▶ memory registered with a userfaultfd: a
 *			thread that touches it parks. Where a range was returned that asks for
 *			a new seal
 *	revoked ──▶ memory that has no pages: SIGBUS (direct.c)
 *
 * The userfaultfd is the connection's own, for faults in user mode: it needs no privilege, and
 * nobody but the agent serves it. So threads park for as long as the agent does not run, and a
 * system call on a fence gets EFAULT. The fence comes before the RETURN is sent: what is stored by
 * who comes late does not reach the file after the supervisor was told that nobody writes any
 * more.
 *
 * Asking goes through the line like any acquire. Where a break holds the range the answer is
 * TRY_LATER at once, and AVAIL says when to ask again. What can't be had any more is SIGBUS.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "client/agent.h"
#include "client/direct.h"
#include "client/error.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define AGAIN_MS 50 /* see mapseald.conf(5), which has all times */

struct fence {
	struct list link; /* direct->fences */
	struct list due_link; /* connection, while `again` is set */
	struct mapseal_seal *seal;
	uint64_t start, end;
	struct asking *asking; /* under way, or waiting for AVAIL */
	uint64_t again;
};

/* A request for a fenced range; outlives the fence if that goes first. */
struct asking {
	struct list link; /* connection */
	struct mapseal *m;
	struct fence *fence; /* NULL: nobody wants it any more */
	struct piece *piece; /* for the answer */
	uint32_t serial;
	bool no_wait, waits; /* for AVAIL */
};

/* ---- the userfaultfd --------------------------------------------------------------------- */

int fence_setup(struct mapseal *m)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_EVENT_REMAP };
	struct epoll_event event = { .events = EPOLLIN };
	int uffd;

	if (m->space.fences >= 0)
		return 0;
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (uffd < 0)
		return error_set(errno, "No userfaultfd for user-mode faults: %m");
	event.data.fd = uffd;
	if (ioctl(uffd, UFFDIO_API, &api) < 0 ||
	    epoll_ctl(m->agent.epoll, EPOLL_CTL_ADD, uffd, &event) < 0) {
		close(uffd);
		return error_set(errno, "A userfaultfd cannot be set up: %m");
	}
	m->space.fences = uffd;
	return 0;
}

void fence_wake_memory(int uffd, const void *address, size_t length)
{
	struct uffdio_range range = { .start = (uintptr_t)address, .len = length };

	ioctl(uffd, UFFDIO_WAKE, &range);
}

void fence_wake(const struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	uint64_t page = connection_page();
	unsigned char *base = seal->window->address;

	if (base)
		fence_wake_memory(seal->m->space.fences, base + (start - seal->offset),
				  (size_t)((end - start + page - 1) / page * page));
}

/* ---- which there are --------------------------------------------------------------------- */

static struct fence *fence_new(struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	struct fence *fence = calloc(1, sizeof(*fence));

	if (!fence)
		return NULL;
	fence->seal = seal;
	fence->start = start;
	fence->end = end;
	list_init(&fence->due_link);
	list_append(&seal->direct->fences, &fence->link);
	return fence;
}

static void fence_free(struct fence *fence)
{
	if (fence->asking)
		fence->asking->fence = NULL;
	list_unlink(&fence->link);
	list_unlink(&fence->due_link);
	free(fence);
}

void fence_forget(struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	list_for_each(l, &seal->direct->fences) {
		struct fence *fence = list_entry(l, struct fence, link);

		if (fence->start >= end || fence->end <= start)
			continue;
		/* what is asked for as a whole is not wanted as a whole any more */
		if (fence->end > end)
			fence_new(seal, end, fence->end);
		if (fence->start < start)
			fence_new(seal, fence->start, start);
		fence_free(fence);
	}
}

static struct fence *fence_at(struct mapseal *m, uintptr_t address)
{
	list_for_each(l, &m->seals) {
		struct mapseal_seal *seal = list_entry(l, struct mapseal_seal, link);
		uintptr_t base = (uintptr_t)seal->window->address;

		if (!seal->direct || address < base || address - base >= seal->window->length)
			continue;
		list_for_each(f, &seal->direct->fences) {
			struct fence *fence = list_entry(f, struct fence, link);

			if (address >= (uintptr_t)direct_at(seal, fence->start) &&
			    address - (uintptr_t)direct_at(seal, fence->start) <
				    ((fence->end - fence->start + connection_page() - 1) &
				     ~(connection_page() - 1)))
				return fence;
		}
	}
	return NULL;
}

/* ---- asking again ------------------------------------------------------------------------ */

static void ask(struct fence *fence, bool no_wait);

static void give_back(struct mapseal *m, const struct proto_granted *granted)
{
	struct proto_message message = {
		.type = PROTO_RETURN,
		.return_ = {
			.seal = granted->seal,
			.seq = granted->seq,
			.offset = granted->offset,
			.length = granted->length,
		},
	};

	wire_post(&m->wire, &message, NULL, NULL);
}

static void later(struct fence *fence)
{
	struct mapseal *m = fence->seal->m;

	fence->again = agent_now() + AGAIN_MS;
	list_unlink(&fence->due_link);
	list_append(&m->space.due, &fence->due_link);
	agent_kick(m);
}

/* An object's id is another when nobody had it in between; its inode is not, while it is open here. */
static bool is_file_of(const struct mapseal_seal *seal, const struct proto_message *message)
{
	const struct wire_frame *frame = container_of(message, struct wire_frame, message);
	struct stat now, then;

	return fstat(frame->fds.fds[0], &now) == 0 && fstat(seal->direct->file, &then) == 0 &&
	       now.st_dev == then.st_dev && now.st_ino == then.st_ino;
}

static void granted_again(struct fence *fence, struct piece *piece,
			  const struct proto_message *message)
{
	const struct proto_granted *granted = &message->granted;
	struct mapseal_seal *seal = fence->seal;
	uint64_t start = fence->start, end = fence->end;
	struct mapseal_event event = {
		.type = MAPSEAL_EVENT_REGRANTED,
		.seal = seal,
		.offset = start,
		.length = end - start,
	};

	/* under that name there may be another file now */
	if (!is_file_of(seal, message) || granted->offset != start ||
	    granted->length != end - start) {
		give_back(seal->m, granted);
		free(piece);
		direct_poison(seal, start, end);
		return;
	}
	__atomic_store_n(&seal->id, granted->seal, __ATOMIC_RELAXED);
	seal->object = granted->object;
	seal->object_size = granted->size;
	piece_link(piece, seal, granted->seal, granted->seq, start, end);
	direct_lift(seal, start, end);
	seal_update_gate(seal);
	agent_tell(seal->m, &event);
}

static void refused(struct fence *fence, uint32_t code, bool no_wait)
{
	switch (code) {
	case PROTO_E_TRY_LATER:
		if (!no_wait)
			ask(fence, true);
		break;
	case PROTO_E_RECALL_CONFLICT:
	case PROTO_E_RETURN_CONFLICT:
	case PROTO_E_DEADLOCK:
	case PROTO_E_GONE:
		later(fence);
		break;
	default:
		direct_poison(fence->seal, fence->start, fence->end);
	}
}

static void asking_free(struct asking *asking)
{
	if (asking->fence)
		asking->fence->asking = NULL;
	list_unlink(&asking->link);
	free(asking->piece);
	free(asking);
}

static void on_reply(const struct proto_message *reply, void *data)
{
	struct asking *asking = data;
	struct fence *fence = asking->fence;
	bool no_wait = asking->no_wait;

	if (reply && reply->type == PROTO_REFUSED && fence && no_wait &&
	    reply->refused.code == PROTO_E_TRY_LATER) {
		asking->waits = true;
		return;
	}
	if (reply && reply->type == PROTO_GRANTED && !fence) {
		give_back(asking->m, &reply->granted);
	} else if (reply && fence) {
		struct piece *piece = take_ptr(asking->piece);

		asking_free(asking);
		if (reply->type == PROTO_GRANTED) {
			granted_again(fence, piece, reply);
		} else {
			free(piece);
			refused(fence, reply->type == PROTO_REFUSED ? reply->refused.code : 0,
				no_wait);
		}
		return;
	}
	asking_free(asking);
}

static void ask(struct fence *fence, bool no_wait)
{
	struct mapseal_seal *seal = fence->seal;
	struct mapseal *m = seal->m;
	struct asking *asking = calloc(1, sizeof(*asking));
	struct proto_message message = {
		.type = PROTO_ACQUIRE,
		.acquire = {
			.object = seal->direct->object,
			.mode = seal->mode,
			.kind = PROTO_KIND_DIRECT,
			.flags = seal->direct->flags |
				 (no_wait ? PROTO_ACQUIRE_NO_WAIT | PROTO_ACQUIRE_WANT_AVAIL : 0),
			.offset = fence->start,
			.length = fence->end - fence->start,
		},
	};

	fence->again = 0;
	list_unlink(&fence->due_link);
	if (asking) {
		*asking = (struct asking){ .m = m, .no_wait = no_wait, .piece = piece_new() };
		list_append(&m->space.askings, &asking->link);
		if (asking->piece &&
		    wire_post_acquire(&m->wire, &message, seal->direct->proof, on_reply, asking,
				      &asking->serial) == 0) {
			asking->fence = fence;
			fence->asking = asking;
			return;
		}
		asking_free(asking);
	}
	if (!m->wire.lost)
		later(fence);
}

void fence_forget_askings(struct mapseal *m)
{
	list_for_each(l, &m->space.askings)
		asking_free(list_entry(l, struct asking, link));
}

bool fence_on_avail(struct mapseal *m, uint32_t request)
{
	list_for_each(l, &m->space.askings) {
		struct asking *asking = list_entry(l, struct asking, link);
		struct fence *fence = asking->fence;

		if (!asking->waits || asking->serial != request)
			continue;
		asking_free(asking);
		if (fence)
			ask(fence, false);
		return true;
	}
	return false;
}

void fence_ask_due(struct mapseal *m)
{
	uint64_t now = agent_now();

	list_for_each(l, &m->space.due) {
		struct fence *fence = list_entry(l, struct fence, due_link);

		/* asking may put it at the end again */
		if (fence->again <= now)
			ask(fence, false);
	}
}

uint64_t fence_next(const struct mapseal *m)
{
	uint64_t next = 0;

	list_for_each(l, &m->space.due) {
		const struct fence *fence = list_entry(l, struct fence, due_link);

		if (next == 0 || fence->again < next)
			next = fence->again;
	}
	return next;
}

/* ---- who touches it ---------------------------------------------------------------------- */

static void touched(struct mapseal *m, uintptr_t address)
{
	uint64_t page = connection_page();
	struct fence *fence = fence_at(m, address);

	if (!fence) {
		/* the file came back meanwhile */
		fence_wake_memory(m->space.fences, (void *)(address & ~(page - 1)), page);
		return;
	}
	/* What is parked the supervisor grants again by itself; who touches what is being returned is
	 * woken when it is. */
	if (fence->asking || fence->again || piece_first(fence->seal, fence->start, fence->end))
		return;
	ask(fence, false);
}

void fence_serve(struct mapseal *m)
{
	struct uffd_msg messages[16];
	ssize_t n;

	while ((n = read(m->space.fences, messages, sizeof(messages))) > 0)
		for (ssize_t i = 0; i < n / (ssize_t)sizeof(messages[0]); i++)
			if (messages[i].event == UFFD_EVENT_PAGEFAULT)
				touched(m, messages[i].arg.pagefault.address);
}

void direct_fence(struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	uint64_t page = connection_page();

	if (seal->mapping || !seal->window->address)
		return;
	if (!fence_move(seal->m->space.fences, direct_at(seal, start),
			(size_t)((end - start + page - 1) / page * page),
			seal->mode == MAPSEAL_WRITE)) {
		direct_poison(seal, start, end);
		return;
	}
	fence_forget(seal, start, end);
	if (!fence_new(seal, start, end)) {
		direct_poison(seal, start, end);
		return;
	}
	/* who parked on a fence that was here before shows itself again, to the agent */
	fence_wake(seal, start, end);
}
