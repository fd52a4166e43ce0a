/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A holder that declared how long its I/O may take is given at least that long to come back, whatever the
 * deadline says; one that declared more than the hard limit is granted nothing, and told by how much.
 */

#include <errno.h>
#include <string.h>

#include "tests/system/rig.h"

enum { SIZE = 64 * 1024, DEADLINE = 50, DECLARED = 800, HARD = 2000 };

static struct mapseal *connect_with(uint32_t max_io_ms, unsigned int flags)
{
	struct mapseal_options options = {
		.size = sizeof(options),
		.flags = flags,
		.max_io_ms = max_io_ms,
	};
	struct mapseal *m;

	must(mapseal_connect(&options, &m));
	return m;
}

static enum mapseal_verdict never(struct mapseal_recall *recall, void *data)
{
	expect(recall->deadline_ms <= recall->hard_ms);
	*(uint32_t *)data = recall->deadline_ms;
	return MAPSEAL_LATER;
}

static int declares(int channel, void *data)
{
	struct mapseal *m = connect_with(DECLARED, MAPSEAL_THREAD);
	uint32_t told = 0;
	struct mapseal_seal *seal =
		hold_with(m, "file", 0, 0, MAPSEAL_WRITE, 0, never, &told);

	(void)data;
	cue(channel, "held");
	await_state(seal, MAPSEAL_REVOKED);
	expect(told > DEADLINE && told <= DECLARED);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int declares_too_much(int channel, void *data)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.mode = MAPSEAL_READ,
	};
	struct mapseal *m = connect_with(HARD + 1, 0);
	struct mapseal_seal *seal = NULL;

	(void)channel, (void)data;
	must_refuse(mapseal_acquire(m, &request, &seal), EINVAL);
	expect_str(mapseal_last_error()->code, "UNBOUNDED");
	expect_str(mapseal_last_error()->text,
		   "this session declared I/O of up to 2001 ms, and export \"file\" waits for 2000 ms "
		   "(hard-ms) at most; declare less");
	mapseal_close(m);
	m = connect_with(HARD, 0);
	mapseal_seal_free(hold(m, "file", 0, 0, MAPSEAL_READ, 0));
	mapseal_close(m);
	/* "unbounded" */
	m = connect_with(UINT32_MAX, 0);
	must_refuse(mapseal_acquire(m, &request, &seal), EINVAL);
	expect_str(mapseal_last_error()->code, "UNBOUNDED");
	expect(seal == NULL);
	mapseal_close(m);
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
	actor = actor_start(declares_too_much, NULL);
	actor_join(&actor);
	actor = actor_start(declares, NULL);
	cue_wait(actor.channel, "held");
	m = client(0);
	brk = break_range(m, "file", 0, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect(account->ms >= DECLARED);
	mapseal_break_end(brk);
	mapseal_close(m);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
