/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Spaces: reading what a userfaultfd has to say, in bounded turns.
 *
 * One turn reads a batch of messages, applies what they tell about the address space (munmap,
 * mremap, fork) and only then serves the faults among them, because the kernel gives out faults
 * first, though they may have come after. What could not be served because the address space was
 * changing is tried again in the next turn, not before the kernel has told of the change or some
 * time went by.
 *
 * The descriptor is shared with a client that may be hostile. It is read without waiting whatever
 * its flags are; it says POLLERR while they are wrong, and is then left alone for a while. The
 * client waits in munmap, mremap, madvise and fork until we have read of it, so nothing here waits
 * for a client.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/pager/state.h"
#include "util/cleanup.h"

void space_ready(struct space *space)
{
	list_unlink(&space->ready_link);
	list_append(&space->pager->ready, &space->ready_link);
}

static void polled(struct loop_poll *poll, uint32_t events)
{
	struct space *space = container_of(poll, struct space, poll);
	int flags;

	if (events & LOOP_POLL_FAILED) {
		loop_poll_stop(poll);
		return;
	}
	if (events & EPOLLERR) {
		flags = fcntl(space->uffd, F_GETFL);
		if (flags >= 0)
			fcntl(space->uffd, F_SETFL, flags | O_NONBLOCK);
		space->quiet_until = loop_now() + DEADLINE_QUIET_NS;
	}
	space_ready(space);
}

static void process_ended(struct loop_poll *poll, uint32_t events)
{
	struct space *space = container_of(poll, struct space, process_poll);

	(void)events;
	loop_poll_stop(poll);
	/* its address space may be on its way out still, or be shared with another */
	space->pager->look_at = 0;
}

int space_new(struct pager *pager, uint64_t id, int uffd, int maps, struct space **ret)
{
	struct space *space = calloc(1, sizeof(*space));
	int r;

	if (!space)
		return -ENOMEM;
	space->pager = pager;
	space->uffd = uffd;
	space->maps = maps;
	space->process = -1;
	space->users = 1;
	list_init(&space->link);
	list_init(&space->ready_link);
	list_init(&space->windows);
	space->poll = (struct loop_poll){ .fd = uffd, .fn = polled };
	space->lost_notice = calloc(1, sizeof(*space->lost_notice));
	r = space->lost_notice ? loop_poll_start(pager->loop, &space->poll, EPOLLIN) : -ENOMEM;
	if (r < 0) {
		free(space->lost_notice);
		free(space);
		return r;
	}
	if (id)
		idmap_insert(&pager->spaces_by_id, &space->node, id);
	list_append(id ? &pager->spaces : &pager->children, &space->link);
	space_ready(space);
	*ret = space;
	return 0;
}

void space_watch(struct space *space, pid_t pid)
{
	space->process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (space->process < 0)
		return; /* it is looked at now and then anyway */
	space->process_poll = (struct loop_poll){ .fd = space->process, .fn = process_ended };
	if (loop_poll_start(space->pager->loop, &space->process_poll, EPOLLIN) < 0)
		space->process = fd_close(space->process);
}

void space_unuse(struct space *space)
{
	if (--space->users > 0)
		return;
	list_unlink(&space->link);
	list_unlink(&space->ready_link);
	loop_poll_stop(&space->poll);
	if (space->process >= 0)
		loop_poll_stop(&space->process_poll);
	segments_deinit(&space->segments);
	fd_close(space->uffd);
	fd_close(space->maps);
	fd_close(space->process);
	free(space->lost_notice);
	free(space);
}

void space_lost(struct space *space)
{
	struct notice *notice = space->lost_notice;

	if (space->lost)
		return;
	space->lost = true;
	space->n_deferred = 0;
	if (!space->node.id || space->closed)
		return;
	space->lost_notice = NULL;
	notice->event = (struct pager_event){
		.type = PAGER_EVENT_SPACE_LOST,
		.space = space->node.id,
		.fd = -1,
		.quarantine_fd = -1,
	};
	queue_add(&space->pager->events, &notice->link);
}

void space_close(struct space *space)
{
	struct pager *pager = space->pager;

	space->closed = true;
	idmap_remove(&pager->spaces_by_id, &space->node);
	while (!list_empty(&space->windows))
		window_close(list_entry(list_first(&space->windows), struct window, space_link));
	/* whoever waits in munmap or fork goes on */
	space_turn(space, loop_now());
	if (!space->lost)
		space_poison(space, &space->segments, POISON_PAGES);
	list_for_each (pos, &pager->children) {
		struct space *child = list_entry(pos, struct space, link);

		if (child->parent == space)
			child->parent = NULL;
	}
	space_unuse(space);
}

void space_look(struct space *space)
{
	if (!space->lost && uffd_alive(space->uffd) == UFFD_LOST)
		space_lost(space);
	if (space->lost && !space->node.id) {
		if (space->parent)
			space->parent->n_children--;
		space_unuse(space);
	}
}

/* ---- a turn ------------------------------------------------------------------------------ */

/* Threads that wait in a range that is not there any more have to come back to notice. */
static void left(struct space *space, uint64_t start, uint64_t end)
{
	uffd_wake(space->uffd, start, end - start);
}

static void apply(struct space *space, const struct uffd_msg *message)
{
	switch (message->event) {
	case UFFD_EVENT_UNMAP:
		segments_cut(&space->segments, message->arg.remove.start, message->arg.remove.end);
		left(space, message->arg.remove.start, message->arg.remove.end);
		break;
	case UFFD_EVENT_REMAP:
		segments_move(&space->segments, message->arg.remap.from, message->arg.remap.to,
			      message->arg.remap.len);
		left(space, message->arg.remap.from,
		     message->arg.remap.from + message->arg.remap.len);
		break;
	case UFFD_EVENT_FORK:
		space_forked(space, (int)message->arg.fork.ufd);
		break;
	default:
		/* REMOVE: its pages will be touched again; what they hold is in the memory */
		break;
	}
}

static void retry_deferred(struct space *space, uint64_t now)
{
	struct deferred again[DEFERRED_MAX];
	unsigned int n = space->n_deferred;
	uint64_t pause;

	for (unsigned int i = 0; i < n; i++)
		again[i] = space->deferred[i];
	space->n_deferred = 0;
	for (unsigned int i = 0; i < n; i++)
		fault_serve(space, again[i].address, again[i].flags);
	space->tries = space->n_deferred ? space->tries + 1 : 0;
	pause = DEADLINE_RETRY_NS << (space->tries < 5 ? space->tries : 5);
	space->retry_at =
		space->n_deferred ? now + (pause < DEADLINE_RETRY_MAX_NS ? pause : DEADLINE_RETRY_MAX_NS) : 0;
}

int space_turn(struct space *space, uint64_t now)
{
	struct pager *pager = space->pager;
	struct uffd_msg *messages = pager->messages;
	int n, events = 0;

	if (space->lost)
		return 0;
	n = uffd_read(space->uffd, messages, MESSAGES_AT_ONCE);
	if (n < 0) {
		/* a fork that we have no descriptor left for: it waits, and so does its parent */
		space->quiet_until = now + DEADLINE_QUIET_NS;
		n = 0;
	}
	for (int i = 0; i < n; i++) {
		if (messages[i].event == UFFD_EVENT_PAGEFAULT)
			continue;
		apply(space, &messages[i]);
		events++;
	}
	if (events)
		space->tries = 0;
	if (space->n_deferred && (events || now >= space->retry_at))
		retry_deferred(space, now);
	for (int i = 0; i < n; i++) {
		if (messages[i].event != UFFD_EVENT_PAGEFAULT)
			continue;
		COUNT(pager, faults, 1);
		fault_serve(space, messages[i].arg.pagefault.address,
			    messages[i].arg.pagefault.flags);
	}
	if (space->n_deferred && !space->retry_at)
		space->retry_at = now + DEADLINE_RETRY_NS;
	return n;
}
