/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A command comes out of the core: may it, now, there? Then it becomes part of what is known.
 *
 * Everything is judged from what went in and came out before. The few places that ask the core
 * itself say so; they ask for what is only allowed, not required, and check that it was.
 */

#include "tests/simulation/shadow.h"

struct sim_seal *shadow_seal(struct world *w, const struct core_command *c, const char *what)
{
	struct sim_seal *seal = world_seal(w, c->seal);

	world_check(w, seal, INV_LIVING, "%s for seal %llu, which is no more", what, ull(c->seal));
	world_check(
	    w, c->holder == seal->holder && c->object == seal->object && c->window == seal->window,
	    INV_LIVING, "%s for seal %llu names other people", what, ull(c->seal));
	return seal;
}

struct sim_request *shadow_request(struct world *w, const struct core_command *c, const char *what)
{
	struct sim_request *request = world_request(w, c->request);

	world_check(w, request, INV_LIVING, "%s for request %llu, which is no more", what,
		    ull(c->request));
	return request;
}

void shadow_moved_on(struct world *w, struct sim_seal *seal, uint32_t seq, const char *what)
{
	world_check(w, seq == seq_after(seal->seq), INV_SEQ, "%s moves seal %llu from %#x to %#x",
		    what, ull(seal->id), seal->seq, seq);
	if (seq < seal->seq)
		w->tally.seq_wraps++;
	seal->seq = seq;
}

void shadow_stays(struct world *w, const struct sim_seal *seal, uint32_t seq, const char *what)
{
	world_check(w, seq == seal->seq, INV_SEQ, "%s shows seal %llu with seq %#x, not %#x", what,
		    ull(seal->id), seq, seal->seq);
}

static uint64_t min_time(const struct sim_object *object, const struct sim_seal *seal)
{
	return later(seal->granted_at, object->policy.min_hold_ms);
}

bool shadow_due(struct world *w, const struct sim_seal *seal)
{
	return w->now >= min_time(world_object(w, seal->object), seal);
}

void shadow_note_asked(struct world *w, uint64_t request, uint64_t seal, bool wide)
{
	size_t kept = 0;

	if (!world_request(w, request))
		return;

	for (size_t i = 0; i < w->n_asked; i++) {
		if (w->asked[i].request == request && w->asked[i].seal == seal) {
			w->asked[i].wide |= wide;
			return;
		}
	}
	if (w->n_asked == MAX_ASKED) {
		for (size_t i = 0; i < w->n_asked; i++)
			if (world_request(w, w->asked[i].request))
				w->asked[kept++] = w->asked[i];
		w->n_asked = kept;
	}
	world_check(w, w->n_asked < MAX_ASKED, INV_VIEW, "the simulation's table is too small");
	w->asked[w->n_asked++] = (struct sim_asked){request, seal, wide};
}

void shadow_outcome(struct world *w, uint64_t seal, unsigned int results)
{
	size_t n = w->n_outcomes < MAX_ASKED ? w->n_outcomes : MAX_ASKED;

	for (size_t i = 0; i < n; i++) {
		if (w->outcomes[i].seal == seal) {
			w->outcomes[i].results |= results;
			return;
		}
	}
	w->outcomes[w->n_outcomes++ % MAX_ASKED] = (struct sim_outcome){seal, results};
}

static void on_recall_any(struct world *w, const struct core_command *c)
{
	world_check(w, world_holder(w, c->holder), INV_LIVING, "a RECALL_ANY to nobody");
	w->tally.recall_anys++;
}

static void on_quarantined(struct world *w, const struct core_command *c)
{
	world_check(w, c->job && c->job == w->reporting && c->quarantined && c->quarantine_errno,
		    INV_LIVING, "a quarantine of nothing");
	world_check(w, c->seal == w->reported_seal, INV_LIVING,
		    "what was kept of seal %llu is said to be seal %llu's", ull(w->reported_seal),
		    ull(c->seal));
}

static const struct {
	const char *name;
	void (*fn)(struct world *w, const struct core_command *c);
} commands[] = {
    [CORE_CMD_GRANT] = {"GRANT", shadow_on_grant},
    [CORE_CMD_REFUSE] = {"REFUSE", shadow_on_refuse},
    [CORE_CMD_RECALL] = {"RECALL", shadow_on_recall},
    [CORE_CMD_RECALL_ANY] = {"RECALL_ANY", on_recall_any},
    [CORE_CMD_FENCE] = {"FENCE", shadow_on_fence},
    [CORE_CMD_FENCE_FORCE] = {"FENCE_FORCE", shadow_on_fence_force},
    [CORE_CMD_FLUSH] = {"FLUSH", shadow_on_flush},
    [CORE_CMD_RETURNED] = {"RETURNED", shadow_on_returned},
    [CORE_CMD_REVOKED] = {"REVOKED", shadow_on_revoked},
    [CORE_CMD_REGRANT] = {"REGRANT", shadow_on_regrant},
    [CORE_CMD_SEAL_ENDED] = {"SEAL_ENDED", shadow_on_seal_ended},
    [CORE_CMD_LAPSED] = {"LAPSED", shadow_on_lapsed},
    [CORE_CMD_BREAK_READY] = {"BREAK_READY", shadow_on_break_ready},
    [CORE_CMD_BREAK_EXPIRED] = {"BREAK_EXPIRED", shadow_on_break_expired},
    [CORE_CMD_BREAK_OVER] = {"BREAK_OVER", shadow_on_break_over},
    [CORE_CMD_AVAIL] = {"AVAIL", shadow_on_avail},
    [CORE_CMD_QUARANTINED] = {"QUARANTINED", on_quarantined},
    [CORE_CMD_FORGIVEN] = {"FORGIVEN", shadow_on_forgiven},
};

void shadow_command(struct world *w, const struct core_command *c)
{
	world_check(w, (size_t)c->type < sizeof(commands) / sizeof(commands[0]), INV_LIVING,
		    "a command %d", c->type);
	world_trace(w,
		    "    %s request %llu seal %llu [%#llx, %#llx) seq %#x holder %llu job %llu "
		    "error %d cause %d account %zu",
		    commands[c->type].name, ull(c->request), ull(c->seal), ull(c->start),
		    ull(c->end), c->seq, ull(c->holder), ull(c->job), c->error, c->cause,
		    c->n_account);
	commands[c->type].fn(w, c);
}
