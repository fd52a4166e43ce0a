/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A cooperative holder is asked, flushes and returns; the breaker's account says so, and the bytes that
 * were written, not committed, are in the file when the breaker goes on.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	int *asked = data;

	expect_eq(recall->offset, 0);
	expect_eq(recall->length, SIZE);
	expect(recall->deadline_ms > 0 && recall->deadline_ms <= recall->hard_ms);
	__atomic_fetch_add(asked, 1, __ATOMIC_SEQ_CST);
	return MAPSEAL_RETURN;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	int asked = 0;
	struct mapseal_seal *seal =
		hold_with(m, "file", 0, 0, MAPSEAL_WRITE, 0, on_recall, &asked);

	(void)data;
	memset(mapseal_address(seal), 'w', 5000);
	cue_number(channel, mapseal_id(seal));
	cue_wait(channel, "broken");
	expect_eq(__atomic_load_n(&asked, __ATOMIC_SEQ_CST), 1);
	await_state(seal, MAPSEAL_RETURNED);
	expect_eq(mapseal_enter(seal), -ESTALE);
	expect(touch_is_sigbus(mapseal_address(seal)));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	char bytes[5001];
	struct actor actor;
	struct mapseal *m;
	uint64_t id;
	int fd;

	rig_start_file(rig, path, NULL);
	actor = actor_start(holder, NULL);
	id = cue_wait_number(actor.channel);

	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, MAPSEAL_BREAK_HOLD);
	expect_str(mapseal_break_outcome(brk), "granted");
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_eq(account->seal, id);
	expect_eq(account->pid, actor.pid);
	expect_eq(account->uid, RIG_UID);
	expect_str(account->answer, "ok");
	expect_str(account->result, "returned");
	expect_str(account->fence, "fenced");

	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect_eq(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	for (int i = 0; i < 5000; i++)
		expect_eq(bytes[i], 'w');
	expect_eq((unsigned char)bytes[5000], rig_byte(1, 5000));
	close(fd);

	cue(actor.channel, "broken");
	actor_join(&actor);
	must(mapseal_break_end(brk));
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
