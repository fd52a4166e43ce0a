/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Slots.
 *
 * What the kernel is given to remember (user_data) is never a pointer of the caller's: it is the
 * index of a slot and the slot's generation. A slot is taken for each poll and each operation and
 * given back when the kernel has posted its *last* completion, so
 *
 *	- a poll can be stopped and its struct freed at once: the slot forgets its owner, and
 *	  completions that are still under way find nobody to call;
 *	- a cancellation that reaches the kernel late, when the slot has a new tenant, names a
 *	  generation that is over, and hits nothing.
 *
 * Re-arming and cancelling have nobody to report a failure to. When there is no room for them in
 * the submission queue and the kernel takes nothing out of it (it has no memory), the slot goes on
 * a list that every step tries to work off before it waits.
 */

#include "daemon/loop/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- slots ------------------------------------------------------------------------------- */

uint64_t slot_id(const struct loop *loop, uint32_t index)
{
	return (uint64_t)loop->slots[index].generation << 32 | index;
}

uint32_t slot_find(const struct loop *loop, uint64_t id)
{
	uint32_t index = (uint32_t)id;

	if (index == NO_SLOT || index >= loop->n_slots)
		return NO_SLOT;
	if (loop->slots[index].type == SLOT_FREE || loop->slots[index].generation != id >> 32)
		return NO_SLOT;
	return index;
}

int slots_grow(struct loop *loop)
{
	uint32_t n = loop->n_slots ? loop->n_slots * 2 : 64;
	struct slot *slots;

	slots = reallocarray(loop->slots, n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + loop->n_slots, 0, (n - loop->n_slots) * sizeof(*slots));
	for (uint32_t i = n - 1; i >= loop->n_slots && i != NO_SLOT; i--) {
		slots[i].next = loop->free;
		loop->free = i;
	}
	loop->slots = slots;
	loop->n_slots = n;
	return 0;
}

int slot_take(struct loop *loop, enum slot_type type, void *owner, uint32_t *ret)
{
	uint32_t index, generation;
	int r;

	if (loop->free == NO_SLOT) {
		r = slots_grow(loop);
		if (r < 0)
			return r;
	}
	index = loop->free;
	loop->free = loop->slots[index].next;
	generation = loop->slots[index].generation;
	loop->slots[index] = (struct slot){
		.owner = owner,
		.type = type,
		.generation = generation,
	};
	*ret = index;
	return 0;
}

void slot_give(struct loop *loop, uint32_t index)
{
	struct slot *slot = &loop->slots[index];

	slot->type = SLOT_FREE;
	slot->owner = NULL;
	slot->generation++;
	slot->arm = slot->cancel = false;
	/* the waiting list goes through `next`, and gives the slot back itself */
	if (slot->waiting)
		return;
	slot->next = loop->free;
	loop->free = index;
}

/* ---- submissions ------------------------------------------------------------------------- */

struct io_uring_sqe *slots_sqe(struct loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (sqe)
		return sqe;
	io_uring_submit(&loop->ring);
	return io_uring_get_sqe(&loop->ring);
}

void slot_submitted(struct loop *loop, uint32_t index, struct io_uring_sqe *sqe)
{
	io_uring_sqe_set_data64(sqe, slot_id(loop, index));
	loop->slots[index].submitted = true;
	loop->n_submitted++;
}

static bool try_arm(struct loop *loop, uint32_t index)
{
	struct slot *slot = &loop->slots[index];
	const struct loop_poll *poll = slot->owner;
	struct io_uring_sqe *sqe = slots_sqe(loop);

	if (!sqe)
		return false;
	io_uring_prep_poll_multishot(sqe, poll->fd, slot->events);
	slot_submitted(loop, index, sqe);
	return true;
}

static bool try_cancel(struct loop *loop, uint32_t index)
{
	struct io_uring_sqe *sqe = slots_sqe(loop);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, slot_id(loop, index), 0);
	io_uring_sqe_set_data64(sqe, NO_SLOT);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	return true;
}

static void wait_in_line(struct loop *loop, uint32_t index)
{
	struct slot *slot = &loop->slots[index];

	if (slot->waiting)
		return;
	slot->waiting = true;
	slot->next = NO_SLOT;
	if (loop->waiting_last != NO_SLOT)
		loop->slots[loop->waiting_last].next = index;
	else
		loop->waiting_first = index;
	loop->waiting_last = index;
}

void slot_arm(struct loop *loop, uint32_t index)
{
	if (!try_arm(loop, index)) {
		loop->slots[index].arm = true;
		wait_in_line(loop, index);
	}
}

void slot_cancel(struct loop *loop, uint32_t index)
{
	if (!try_cancel(loop, index)) {
		loop->slots[index].cancel = true;
		wait_in_line(loop, index);
	}
}

void slots_work_off(struct loop *loop)
{
	while (loop->waiting_first != NO_SLOT) {
		uint32_t index = loop->waiting_first;
		struct slot *slot = &loop->slots[index];

		if (slot->arm && !try_arm(loop, index))
			return;
		slot->arm = false;
		if (slot->cancel && !try_cancel(loop, index))
			return;
		slot->cancel = false;
		loop->waiting_first = slot->next;
		if (loop->waiting_first == NO_SLOT)
			loop->waiting_last = NO_SLOT;
		slot->waiting = false;
		if (slot->type == SLOT_FREE) {
			slot->next = loop->free;
			loop->free = index;
		}
	}
}
