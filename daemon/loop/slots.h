/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The loop from the inside: what the kernel is given to remember. */

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/loop/loop.h"

#define NO_SLOT 0u /* also the user_data of cancellations, whose results say nothing */

enum slot_type { SLOT_FREE, SLOT_POLL, SLOT_OP };

struct slot {
	void *owner; /* struct loop_poll or loop_op; NULL: stopped */
	uint32_t generation;
	uint32_t next; /* on the free list, or the waiting list */
	uint32_t events;
	enum slot_type type;
	bool submitted; /* the kernel owes a last completion */
	bool waiting;	/* on the waiting list, for one or both of: */
	bool arm, cancel;
};

struct loop {
	struct io_uring ring;
	struct slot *slots;
	uint32_t n_slots;
	uint32_t free, waiting_first, waiting_last;
	uint32_t n_submitted;
};

uint64_t slot_id(const struct loop *loop, uint32_t index);

/* The slot that @id names, NO_SLOT if that tenancy is over. */
uint32_t slot_find(const struct loop *loop, uint64_t id);

int slots_grow(struct loop *loop);
int slot_take(struct loop *loop, enum slot_type type, void *owner, uint32_t *ret);
void slot_give(struct loop *loop, uint32_t index);

/* Room for one submission, made by submitting what is queued; NULL: the kernel takes nothing. */
struct io_uring_sqe *slots_sqe(struct loop *loop);

/* @sqe is filled in and goes to the kernel; its last completion gives the slot back. */
void slot_submitted(struct loop *loop, uint32_t index, struct io_uring_sqe *sqe);

/* At once if there is room, else as soon as there is. */
void slot_arm(struct loop *loop, uint32_t index);
void slot_cancel(struct loop *loop, uint32_t index);
void slots_work_off(struct loop *loop);

/* op.c: an operation's completion */
void op_completed(struct loop *loop, uint32_t index, int result);
