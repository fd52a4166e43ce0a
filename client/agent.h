/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who talks to the application, and what about; see agent.c. All of it under the lock. */

#include "client/connection.h"
#include "client/seal.h"

/* Something to tell the application. */
struct agent_event {
	struct list link;
	struct mapseal_event event;
	struct wire_frame *change; /* CHANGED, for mapseal_watch(); else NULL */
};

int agent_init(struct mapseal *m, bool threaded);
int agent_start(struct mapseal *m);
void agent_stop(struct mapseal *m);
void agent_deinit(struct mapseal *m);

/* There is work for the agent that no frame announces. */
void agent_kick(struct mapseal *m);

/* Queues; the fields that apply are set. Without memory the event is lost, the state is not. */
void agent_tell(struct mapseal *m, const struct mapseal_event *event);
void agent_tell_change(struct mapseal *m, struct wire_frame *frame);

/* Forgets events about a seal or break that goes away, and waits until no callback is at it. */
void agent_forget(struct mapseal *m, const void *object);

/* For struct wire_handlers; see event.c. */
void agent_on_event(struct wire_frame *frame, void *data);
void agent_on_lost(void *data);

/* The recall of a piece is over, the piece is held on. */
void agent_settle(struct piece *piece);

/* Answers a recall, by its own id or for one seal. A refusal needs nothing: what is newer is on its way,
 * or the recall is over. */
void agent_answer(struct mapseal *m, uint64_t recall, uint64_t id, uint32_t seq,
		  enum proto_e_ANSWER answer);

/* See recall.c. Returns what can be returned without the application, and answers the rest. Says
 * whether there is something left to do. */
bool agent_prompt(struct mapseal *m);

/* ... and brings every recall as far as it goes now. Drops the lock for each handler. */
void agent_recalls(struct mapseal *m);

/* When agent_recalls() is due again, CLOCK_MONOTONIC in ms; 0: at no time of its own. */
uint64_t agent_next(const struct mapseal *m);

uint64_t agent_now(void);
