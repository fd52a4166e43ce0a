/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Operations: work of more than one turn.
 *
 * An operation is runnable, asleep until a time, or on neither list, waiting for a completion that
 * will make it runnable. A round runs each runnable one once; what becomes runnable meanwhile
 * waits for the next.
 *
 * Operations on one window that would disturb each other (flush, commit, fence) take turns, in the
 * order in which they were submitted.
 */

#include "daemon/pager/state.h"

void op_init(struct op *op, struct pager *pager, void (*step)(struct op *op))
{
	*op = (struct op){ .step = step, .pager = pager };
	list_init(&op->link);
}

void op_again(struct op *op)
{
	list_unlink(&op->link);
	list_append(&op->pager->runnable, &op->link);
}

void op_sleep(struct op *op, uint64_t until)
{
	list_unlink(&op->link);
	op->wake_at = until;
	list_append(&op->pager->sleeping, &op->link);
}

void op_stop(struct op *op)
{
	list_unlink(&op->link);
}

bool ops_run(struct pager *pager, uint64_t now)
{
	struct list round = LIST_INIT(round);
	bool any = false;

	list_for_each (pos, &pager->sleeping) {
		struct op *op = list_entry(pos, struct op, link);

		if (op->wake_at <= now)
			op_again(op);
	}
	/* those that are made runnable meanwhile are for the next round */
	while (!list_empty(&pager->runnable)) {
		struct list *link = list_first(&pager->runnable);

		list_unlink(link);
		list_append(&round, link);
	}
	while (!list_empty(&round)) {
		struct op *op = list_entry(list_first(&round), struct op, link);

		list_unlink(&op->link);
		op->step(op);
		any = true;
	}
	return any;
}

uint64_t ops_deadline(const struct pager *pager)
{
	uint64_t deadline = UINT64_MAX;

	list_for_each (pos, &pager->sleeping) {
		const struct op *op = list_entry(pos, struct op, link);

		if (op->wake_at < deadline)
			deadline = op->wake_at;
	}
	return deadline;
}

/* ---- turns ------------------------------------------------------------------------------- */

void turn_take(struct window *window, struct turn *turn, struct op *op)
{
	turn->op = op;
	list_init(&turn->link);
	list_append(&window->line, &turn->link);
	window->users++;
	if (list_first(&window->line) == &turn->link)
		op_again(op);
}

void turn_end(struct window *window, struct turn *turn)
{
	struct list *next;

	list_unlink(&turn->link);
	next = list_first(&window->line);
	if (next)
		op_again(list_entry(next, struct turn, link)->op);
	window_unuse(window);
}
