/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder that answers DELAY gets the time that it asks for, and never more than the hard limit: what it is told
 * is what it gets, and asking again and again keeps nothing.
 */

#include <string.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 64 * 1024, DEADLINE = 500, ASKED = 1500, HARD = 3000 };

static void wait_for(struct raw *raw, unsigned int type)
{
	unsigned int got;

	do
		got = raw_receive(raw);
	while (got != type && got != 0);
	expect_eq(got, type);
}

static uint32_t delay(struct raw *raw, uint64_t seal, uint32_t seq, uint32_t ms)
{
	struct proto_message answer = {
		.type = PROTO_ANSWER,
		.answer = { .seal = seal, .seq = seq, .answer = PROTO_ANSWER_DELAY, .delay_ms = ms },
	};

	expect_eq(raw_call(raw, &answer, -1), PROTO_ANSWERED);
	return raw->answer.answered.deadline_ms;
}

static int holder(int channel, void *data)
{
	uint32_t seq, left, hard;
	struct raw raw;
	uint64_t seal;

	(void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_WRITE);
	seal = raw.answer.granted.seal;
	raw_map(&raw);
	cue(channel, "held");
	wait_for(&raw, PROTO_RECALL);
	seq = raw.answer.recall.seq;
	hard = raw.answer.recall.hard_ms;
	expect(raw.answer.recall.deadline_ms <= DEADLINE);
	expect(hard > raw.answer.recall.deadline_ms && hard <= HARD);
	left = delay(&raw, seal, seq, ASKED);
	expect(left > DEADLINE && left <= ASKED);
	/* less than it has: nothing is taken away */
	expect(delay(&raw, seal, seq, 1) > 1);
	/* more than there is, and again, and again */
	left = delay(&raw, seal, seq, UINT32_MAX);
	expect(left > ASKED - DEADLINE && left <= hard);
	expect(delay(&raw, seal, seq, UINT32_MAX) <= left);
	wait_for(&raw, PROTO_REVOKED);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;

	rig_start_file(rig, path, "deadline-ms = %d\nhard-ms = %d\n", DEADLINE, HARD);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "held");
	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->answer, "delay");
	expect_str(account->result, "revoked");
	/* not before the time that it was given, which was the hard limit */
	expect(account->ms >= HARD);
	mapseal_break_end(brk);
	actor_join(&actor);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
