/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of the shadow share; world.h has what others call. */

#include "tests/simulation/actions.h"

/* shadow.c: what a command names, which has to be there. */
struct sim_seal *shadow_seal(struct world *w, const struct core_command *c, const char *what);
struct sim_request *shadow_request(struct world *w, const struct core_command *c, const char *what);
void shadow_moved_on(struct world *w, struct sim_seal *seal, uint32_t seq, const char *what);
void shadow_stays(struct world *w, const struct sim_seal *seal, uint32_t seq, const char *what);
bool shadow_due(struct world *w, const struct sim_seal *seal); /* its minimum hold is over */
void shadow_note_asked(struct world *w, uint64_t request, uint64_t seal, bool wide);

/* shadow-request.c: may this go on, be granted, be granted again? */
void shadow_in_turn(struct world *w, const struct sim_request *request);
void shadow_over_no_recall(struct world *w, const struct sim_request *request);
void shadow_exclusive(struct world *w, const struct sim_seal *granted);
void shadow_on_grant(struct world *w, const struct core_command *c);
void shadow_on_refuse(struct world *w, const struct core_command *c);
void shadow_on_break_ready(struct world *w, const struct core_command *c);
void shadow_on_break_over(struct world *w, const struct core_command *c);
void shadow_on_break_expired(struct world *w, const struct core_command *c);
void shadow_on_avail(struct world *w, const struct core_command *c);

/* shadow-recall.c */
bool shadow_still_wanted(struct world *w, const struct sim_seal *seal);
void shadow_on_recall(struct world *w, const struct core_command *c);
void shadow_on_lapsed(struct world *w, const struct core_command *c);

/* shadow-fence.c */
void shadow_on_fence(struct world *w, const struct core_command *c);
void shadow_on_flush(struct world *w, const struct core_command *c);
void shadow_on_fence_force(struct world *w, const struct core_command *c);
void shadow_on_forgiven(struct world *w, const struct core_command *c);
void shadow_on_returned(struct world *w, const struct core_command *c);
void shadow_on_revoked(struct world *w, const struct core_command *c);
void shadow_on_regrant(struct world *w, const struct core_command *c);
void shadow_on_seal_ended(struct world *w, const struct core_command *c);
