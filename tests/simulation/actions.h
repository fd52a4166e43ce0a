/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What actions.c chooses among; each does one thing, or finds nothing to do. */

#include "tests/simulation/world.h"

#define PICK(w, array) ((w)->n_##array ? &(w)->array[rng_below(&(w)->rng, (w)->n_##array)] : NULL)

static inline unsigned long long ull(uint64_t n)
{
	return n;
}

static inline uint32_t action_ms(struct world *w, uint32_t most)
{
	return (uint32_t)rng_below(&w->rng, (uint64_t)most + 1);
}

/* cast.c */
void action_holder_comes(struct world *w);
void action_holder_goes(struct world *w);
void action_object_comes(struct world *w);
void action_object_goes(struct world *w);
void action_resize(struct world *w);
void action_process_blocked(struct world *w, bool blocked);
void action_gets_stuck(struct world *w);

/* requests.c */
void action_acquire(struct world *w);
void action_break(struct world *w, enum core_want want);
void action_break_end(struct world *w);
void action_withdraw(struct world *w);

/* replies.c */
void action_answer(struct world *w);
void action_give_back(struct world *w);
void action_return(struct world *w, uint64_t holder, uint64_t id, uint32_t seq, uint64_t start,
		   uint64_t end, bool discard);
void action_recall_any(struct world *w);
void action_nonsense(struct world *w);
