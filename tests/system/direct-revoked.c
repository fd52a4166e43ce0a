/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A DIRECT seal that is not returned in time is revoked, and what is said about its holder is what
 * is known: unfenced, or what the administrator's fence helper says, which gets the seal's facts
 * and its extents, and is killed when it takes too long. The library makes the range SIGBUS, or
 * parks it where that was asked for.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/direct.h"

enum { SIZE = 128 * 1024 };

static enum mapseal_verdict keep(struct mapseal_recall *recall, void *data)
{
	(void)recall, (void)data;
	return MAPSEAL_LATER; /* and then does not */
}

static int holder(int channel, void *data)
{
	struct mapseal *m = direct_client();
	struct mapseal_seal *seal = hold_direct(m, data, MAPSEAL_WRITE, 0, keep, NULL);

	cue_number(channel, mapseal_id(seal));
	direct_await(m, MAPSEAL_EVENT_REVOKED, 1);
	expect_eq(mapseal_seal_state(seal), MAPSEAL_REVOKED);
	expect_eq(mapseal_enter(seal), -ESTALE);
	expect(touch_is_sigbus(mapseal_address(seal)));
	expect(store_is_sigbus(mapseal_address(seal), 1));
	must_refuse(mapseal_return(seal, 0, SIZE, 0), ESTALE);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void *touch(void *data)
{
	return (void *)(uintptr_t) * (const volatile unsigned char *)data;
}

static int parker(int channel, void *data)
{
	struct mapseal *m = direct_client();
	struct mapseal_seal *seal =
		hold_direct(m, data, MAPSEAL_WRITE, MAPSEAL_REVOKE_PARK, keep, NULL);
	unsigned char *bytes = mapseal_address(seal);
	pthread_t thread;
	uint64_t id = mapseal_id(seal);
	void *byte;

	cue_number(channel, id);
	direct_await(m, MAPSEAL_EVENT_PARKED, 1);
	expect_eq(mapseal_seal_state(seal), MAPSEAL_PARKED);
	expect(pthread_create(&thread, NULL, touch, bytes) == 0);
	cue(channel, "parked");
	direct_await(m, MAPSEAL_EVENT_REGRANTED, 1);
	pthread_join(thread, &byte);
	expect_eq((uintptr_t)byte, 0);
	/* the same seal, on the blocks that are there now */
	expect_eq(mapseal_id(seal), id);
	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	must(mapseal_verify(m, id, NULL, NULL, NULL));
	expect(rig_same(bytes + 4096, 4096, SIZE - 4096, 1));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

/* What is left of a seal whose middle was given back: two, which are parked and granted again apart. */
static int halves(int channel, void *data)
{
	struct mapseal *m = direct_client();
	struct mapseal_seal *seal =
		hold_direct(m, data, MAPSEAL_WRITE, MAPSEAL_REVOKE_PARK, keep, NULL);
	uint64_t id = mapseal_id(seal);

	must(mapseal_return(seal, SIZE / 2, 4096, 0));
	cue(channel, "split");
	direct_await(m, MAPSEAL_EVENT_PARKED, 2);
	must_refuse(mapseal_extents(m, id, NULL, NULL), ESTALE);
	cue(channel, "parked");
	direct_await(m, MAPSEAL_EVENT_REGRANTED, 2);
	must(mapseal_verify(m, id, NULL, NULL, NULL));
	expect_eq(direct_events[MAPSEAL_EVENT_BROKEN], 0);
	cue(channel, "verified");
	cue_wait(channel, "over");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int count_broken(const struct mapseal_seal_info *info, void *data)
{
	struct mapseal_verified verified;

	must(mapseal_verify(data, info->id, NULL, NULL, &verified));
	expect_eq(verified.differences, 0);
	return 0;
}

static const char *script(struct rig *rig, const char *name, const char *text)
{
	const char *path = rig_path(rig, name);
	FILE *f = fopen(path, "we");

	expect(f);
	fprintf(f, "#!/bin/sh\n%s\n", text);
	expect(fclose(f) == 0);
	expect(chmod(path, 0755) == 0);
	return path;
}

static struct mapseal_break *break_and_revoke(struct mapseal *m, const char *name, uint64_t id,
					   const char *fence)
{
	struct mapseal_break *brk = break_range(m, name, 0, 0, MAPSEAL_BREAK_HOLD);
	const struct mapseal_account *account;

	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_eq(account->seal, id);
	expect_str(account->result, "revoked");
	expect_str(account->fence, fence);
	return brk;
}

static void hold_too_long(struct mapseal *m, const char *name, const char *fence)
{
	struct actor actor = actor_start(holder, (void *)(uintptr_t)name);
	uint64_t id = cue_wait_number(actor.channel);

	must(mapseal_break_end(break_and_revoke(m, name, id, fence)));
	actor_join(&actor);
}

/* MAPSEAL_* and the extents, as the helper of "good" wrote them down. */
static void expect_facts(struct rig *rig, const struct blocks *blocks)
{
	char text[4096] = "", line[128];
	int fd = open(rig_path(rig, "facts"), O_RDONLY | O_CLOEXEC);

	expect(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	snprintf(line, sizeof(line), "revoke write good 0 %d %d", SIZE, RIG_UID);
	expect(strstr(text, line));
	for (unsigned int i = 0; i < blocks->n; i++) {
		snprintf(line, sizeof(line), "\n%llu %llu %llu\n",
			 (unsigned long long)blocks->v[i].offset,
			 (unsigned long long)blocks->v[i].physical,
			 (unsigned long long)blocks->v[i].length);
		expect(strstr(text, line));
	}
}

static void test(struct rig *rig, const char *disk)
{
	const char *plain = direct_file(rig, disk, "plain", SIZE, 1);
	const char *good = direct_file(rig, disk, "good", SIZE, 1);
	const char *bad = direct_file(rig, disk, "bad", SIZE, 1);
	const char *slow = direct_file(rig, disk, "slow", SIZE, 1);
	struct mapseal_break *brk;
	struct blocks blocks;
	struct actor actor;
	struct mapseal *m;
	char text[512];
	uint64_t id;

	snprintf(text, sizeof(text),
		 "{ echo $MAPSEAL_CAUSE $MAPSEAL_MODE $MAPSEAL_OBJECT $MAPSEAL_OFFSET "
		 "$MAPSEAL_LENGTH $MAPSEAL_UID; cat; } >%s",
		 rig_path(rig, "facts"));
	rig_start(rig,
		  "[defaults]\ndeadline-ms = 100\nhard-ms = 1000\nfence-ms = 5000\n"
		  "[export plain]\npath = %s\nread = *\nwrite = *\n"
		  "[export good]\npath = %s\nread = *\nwrite = *\nfence-helper = %s\n"
		  "[export bad]\npath = %s\nread = *\nwrite = *\nfence-helper = %s\n"
		  "[export slow]\npath = %s\nread = *\nwrite = *\nfence-helper = %s\n"
		  "fence-ms = 200\n",
		  plain, good, script(rig, "fences", text), bad, script(rig, "fails", "exit 1"),
		  slow, script(rig, "sleeps", "exec sleep 1000"));
	m = client(0);
	blocks_read(good, &blocks);
	hold_too_long(m, "plain", "unfenced");
	hold_too_long(m, "good", "fenced");
	expect_facts(rig, &blocks);
	hold_too_long(m, "bad", "unfenced");
	hold_too_long(m, "slow", "unfenced");

	actor = actor_start(parker, (void *)(uintptr_t) "plain");
	id = cue_wait_number(actor.channel);
	brk = break_and_revoke(m, "plain", id, "unfenced");
	cue_wait(actor.channel, "parked");
	punch(plain, 0, 4096);
	must(mapseal_break_end(brk));
	actor_join(&actor);

	actor = actor_start(halves, (void *)(uintptr_t) "plain");
	cue_wait(actor.channel, "split");
	brk = break_range(m, "plain", 0, 0, MAPSEAL_BREAK_HOLD);
	cue_wait(actor.channel, "parked");
	/* blocks that were just freed are not the ones that are allocated next */
	punch(plain, 0, SIZE);
	must(mapseal_break_end(brk));
	cue_wait(actor.channel, "verified");
	must(mapseal_list_seals(m, 0, count_broken, m));
	cue(actor.channel, "over");
	actor_join(&actor);
	mapseal_close(m);
}

int main(void)
{
	direct_each(test);
	return 0;
}
