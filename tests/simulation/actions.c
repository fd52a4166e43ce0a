/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * All that can happen, and how often it usually does.
 *
 * Each action picks somebody, makes one call, checks the result that it returns against what the
 * arrays say it has to be, and hands the commands to the shadow. A share of all calls is wrong on
 * purpose: dead ids, other people's seals, numbers that were used up, tokens that were never given.
 */

#include "tests/simulation/actions.h"

static void any_break(struct world *w)
{
	action_break(w, (enum core_want)rng_below(&w->rng, _CORE_WANT_N));
}

static void announced_read(struct world *w)
{
	action_break(w, CORE_WANT_FOREIGN_READ);
}

static void gets_held(struct world *w)
{
	action_process_blocked(w, true);
}

static void is_let_go(struct world *w)
{
	action_process_blocked(w, false);
}

static void job_done(struct world *w)
{
	struct sim_job *job = PICK(w, jobs);

	if (job && !rng_percent(&w->rng, w->slow_fences))
		mechanism_done(w, job, true);
}

static const struct {
	void (*fn)(struct world *w);
	unsigned int usual; /* relative odds */
} actions[N_ACTIONS] = {
    {action_holder_comes, 4}, {action_holder_goes, 1}, {action_object_comes, 1},
    {action_object_goes, 1},  {action_resize, 1},      {action_acquire, 30},
    {any_break, 9},	      {announced_read, 5},     {action_break_end, 4},
    {action_withdraw, 2},     {action_answer, 26},     {action_give_back, 18},
    {job_done, 40},	      {gets_held, 1},	       {is_let_go, 2},
    {action_recall_any, 2},   {action_nonsense, 6},    {action_gets_stuck, 2},
};

void actions_weather(struct world *w)
{
	for (unsigned int i = 0; i < N_ACTIONS; i++) {
		unsigned int usual = actions[i].usual;

		w->weight[i] = usual * 4;
		if (rng_percent(&w->rng, 30))
			w->weight[i] = (unsigned int)rng_between(&w->rng, usual, usual * 12);
	}
}

void actions_run(struct world *w)
{
	unsigned int total = 0, i = 0, dice;

	for (unsigned int n = 0; n < N_ACTIONS; n++)
		total += w->weight[n];
	dice = (unsigned int)rng_below(&w->rng, total);
	while (dice >= w->weight[i])
		dice -= w->weight[i++];
	actions[i].fn(w);
}
