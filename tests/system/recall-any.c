/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A uid that comes near its quota is asked to keep fewer seals, before it is refused any: clean pages are dropped
 * first, then each of its holders is told how many to keep, and chooses which; nobody else is asked. Who
 * does as asked can go on, and is asked again the next time. Who does not has its oldest seals recalled.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "tests/system/rig.h"

enum { PAGES = 64, SIZE = PAGES * 4096, LIMIT = 16, MANY = 10, SOME = 5 };

struct asked {
	unsigned int times;
	uint32_t keep;
};

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	struct asked *asked = data;

	(void)m;
	if (event->type != MAPSEAL_EVENT_RECALL_ANY)
		return;
	asked->times++;
	asked->keep = event->keep;
}

static struct mapseal *listen_to(struct asked *asked)
{
	struct mapseal_options options = {
		.size = sizeof(options),
		.on_event = on_event,
		.data = asked,
	};
	struct mapseal *m;

	must(mapseal_connect(&options, &m));
	return m;
}

static void dispatch(struct mapseal *m)
{
	struct pollfd poll_fd = { .fd = mapseal_get_fd(m), .events = POLLIN };

	expect(poll(&poll_fd, 1, -1) == 1);
	must(mapseal_dispatch(m));
}

static struct mapseal_seal *page(struct mapseal *m, unsigned int n, mapseal_recall_fn on_recall,
				 void *data)
{
	return hold_with(m, "file", n * 4096, 4096, MAPSEAL_READ, 0, on_recall, data);
}

static void look(const struct mapseal_seal *seal)
{
	expect(rig_same(mapseal_address(seal), mapseal_offset(seal), 4096, 1));
}

static uint64_t pages_filled(struct mapseal *m)
{
	struct mapseal_status status;

	must(mapseal_get_status(m, &status));
	return status.pages_filled;
}

/* Another of the same uid, or of another. */
static int bystander(int channel, void *data)
{
	struct asked asked = { 0 };
	struct mapseal *m = listen_to(&asked);
	unsigned int first = *(unsigned int *)data;

	for (unsigned int i = 0; i < SOME; i++)
		look(page(m, first + i, NULL, NULL));
	cue(channel, "held");
	cue_wait(channel, "asked?");
	/* what came before the answer has been told when the answer is there */
	pages_filled(m);
	must(mapseal_dispatch(m));
	cue_number(channel, asked.times);
	cue_number(channel, asked.keep);
	mapseal_close(m);
	return 0;
}

static int chooser(int channel, void *data)
{
	struct asked asked = { 0 };
	struct mapseal *m = listen_to(&asked);
	struct mapseal_seal *seals[LIMIT] = { NULL };
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.length = 4096,
		.mode = MAPSEAL_READ,
	};
	unsigned int n;
	uint64_t filled;

	(void)data;
	for (unsigned int i = 0; i < MANY - 1; i++) {
		seals[i] = page(m, i, NULL, NULL);
		look(seals[i]);
	}
	must(mapseal_dispatch(m));
	expect_eq(asked.times, 0);
	filled = pages_filled(m);
	seals[MANY - 1] = page(m, MANY - 1, NULL, NULL); /* the 15th of 16 */
	while (asked.times == 0)
		dispatch(m);
	expect(asked.keep >= 7 && asked.keep <= 8);
	/* nothing was there any more, and everything comes back */
	for (unsigned int i = 0; i < MANY; i++)
		look(seals[i]);
	expect(pages_filled(m) >= filled + MANY);
	cue(channel, "asked");
	cue_wait(channel, "go on");

	/* alone now, with 10; up to the mark again */
	for (unsigned int i = MANY; i < 15; i++)
		seals[i] = page(m, i, NULL, NULL);
	while (asked.times == 1)
		dispatch(m);
	expect(asked.keep >= 11 && asked.keep <= 12);
	/* it does as it was asked, with those in the middle, and wants them again */
	n = 15 - asked.keep;
	for (unsigned int i = 4; i < 4 + n; i++)
		seals[i] = mapseal_seal_free(seals[i]);
	for (unsigned int i = 4; i < 4 + n; i++)
		seals[i] = page(m, i, NULL, NULL);
	while (asked.times == 2)
		dispatch(m);
	/* at the limit it is refused all the same */
	while (mapseal_acquire(m, &request, &seals[15]) == 0)
		;
	expect_str(mapseal_last_error()->code, "QUOTA");
	mapseal_close(m);
	return 0;
}

static enum mapseal_verdict note(struct mapseal_recall *recall, void *data)
{
	(void)recall;
	++*(unsigned int *)data;
	return MAPSEAL_RETURN;
}

static int ignorer(int channel, void *data)
{
	struct asked asked = { 0 };
	struct mapseal *m = listen_to(&asked);
	struct mapseal_seal *seals[15];
	unsigned int recalled[15] = { 0 };

	(void)channel, (void)data;
	for (unsigned int i = 0; i < 15; i++)
		seals[i] = page(m, i, note, &recalled[i]);
	while (asked.times == 0)
		dispatch(m);
	/* the oldest, as many as are too many, and no other */
	while (mapseal_seal_state(seals[15 - asked.keep - 1]) != MAPSEAL_RETURNED)
		dispatch(m);
	for (unsigned int i = 0; i < 15; i++) {
		expect_eq(recalled[i], i < 15 - asked.keep);
		expect_eq(mapseal_seal_state(seals[i]),
			  i < 15 - asked.keep ? MAPSEAL_RETURNED : MAPSEAL_HELD);
	}
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor same, other, actor;
	unsigned int upper = 32;

	rig_start(rig,
		  "[defaults]\ndeadline-ms = 60000\nhard-ms = 60000\n[quota]\nmax-seals = %d\n"
		  "[export file]\npath = %s\nread = *\n",
		  LIMIT, path);
	same = actor_start(bystander, &upper);
	other = actor_start_as(RIG_UID - 1, RIG_UID - 1, bystander, &upper);
	cue_wait(same.channel, "held");
	cue_wait(other.channel, "held");
	actor = actor_start(chooser, NULL);
	cue_wait(actor.channel, "asked");
	cue(same.channel, "asked?");
	expect_eq(cue_wait_number(same.channel), 1);
	expect_eq(cue_wait_number(same.channel), SOME - 1);
	actor_join(&same);
	cue(actor.channel, "go on");
	actor_join(&actor);
	cue(other.channel, "asked?");
	expect_eq(cue_wait_number(other.channel), 0);
	expect_eq(cue_wait_number(other.channel), 0);
	actor_join(&other);
	rig_stop(rig);

	rig_start(rig,
		  "[defaults]\ndeadline-ms = 1000\n[quota]\nmax-seals = %d\n"
		  "[export file]\npath = %s\nread = *\n",
		  LIMIT, path);
	actor = actor_start(ignorer, NULL);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
