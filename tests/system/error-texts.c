/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is refused says in one sentence what, why, because of whom and for how long: a seal in the way, one being
 * recalled, a range held free, a hard seal, a seal of one's own, a right that is not there, a quota.
 */

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 8 * 1024 * 1024, HALF = 4 * 1024 * 1024 };

/* Refused with this errno and a text that matches, with @pid for <PID>. */
#define says(call, number, pid, pattern)                                                           \
	do {                                                                                       \
		must_refuse(call, number);                                                         \
		text_is(__LINE__, pid, pattern);                                                   \
	} while (0)

static void text_is(int line, pid_t pid, const char *pattern)
{
	const char *text = mapseal_last_error()->text, *at = strstr(pattern, "<PID>");
	char expected[512];

	if (at)
		snprintf(expected, sizeof(expected), "%.*s%d%s", (int)(at - pattern), pattern, (int)pid,
			 at + strlen("<PID>"));
	else
		snprintf(expected, sizeof(expected), "%s", pattern);
	if (fnmatch(expected, text, 0) != 0)
		expect_failed(__FILE__, line, "\"%s\" does not match \"%s\"", text, expected);
}

static int acquire(struct mapseal *m, const char *object, uint64_t length, enum mapseal_mode mode,
		   unsigned int flags)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = object,
		.fd = -1,
		.length = length,
		.mode = mode,
		.flags = flags,
	};
	struct mapseal_seal *seal;
	int r = mapseal_acquire(m, &request, &seal);

	if (r == 0)
		mapseal_seal_free(seal);
	return r;
}

static int begin(struct mapseal *m, const char *object, uint64_t length, unsigned int flags)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = object,
		.fd = -1,
		.length = length,
		.want = MAPSEAL_WANT_LAYOUT,
		.flags = flags,
	};
	struct mapseal_break *brk;
	int r = mapseal_break_begin(m, &request, &brk);

	if (r == 0)
		mapseal_break_end(brk);
	return r;
}

static int holder(int channel, void *data)
{
	struct proto_message answer = { .type = PROTO_ANSWER };
	struct proto_message acquire = {
		.type = PROTO_ACQUIRE,
		.acquire = {
			.object = "db",
			.mode = PROTO_MODE_WRITE,
			.kind = PROTO_KIND_WINDOW,
			.length = HALF,
		},
	};
	struct raw raw;

	(void)data;
	raw_hold(&raw, "db", HALF, PROTO_MODE_WRITE);
	answer.answer.seal = raw.answer.granted.seal;
	raw_map(&raw);
	raw_acquire(&raw, "hard", 0, 0, PROTO_MODE_READ, PROTO_ACQUIRE_WHOLE);
	raw_map(&raw);
	cue(channel, "held");
	/* it says nothing to the recall until it is told to */
	while (raw_receive(&raw) != PROTO_RECALL)
		;
	answer.answer.seq = raw.answer.recall.seq;
	cue(channel, "recalled");
	cue_wait(channel, "ask yourself");
	raw_refused(&raw, &acquire, -1, RECALL_CONFLICT);
	expect_eq(raw.answer.refused.number, EBUSY);
	expect(strstr(raw.answer.refused.text, "asked for the range itself, and has not answered"));
	cue(channel, "busy");
	cue_wait(channel, "forget it");
	answer.answer.answer = PROTO_ANSWER_NO_MATCHING;
	expect_eq(raw_call(&raw, &answer, -1), PROTO_ANSWERED);
	cue_wait(channel, "end");
	return 0;
}

static int breaker(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_break *brk;

	(void)data;
	brk = break_range(m, "db", 0, 0, MAPSEAL_BREAK_HOLD);
	cue(channel, "free");
	cue_wait(channel, "end");
	must(mapseal_break_end(brk));
	mapseal_close(m);
	return 0;
}

static void refused_for_a_while(void)
{
	struct actor holds = actor_start(holder, NULL), breaks;
	struct mapseal *m = client(0);

	cue_wait(holds.channel, "held");
	says(acquire(m, "db", 0, MAPSEAL_READ, MAPSEAL_NO_WAIT), EAGAIN, holds.pid,
	     "export \"db\": range 0-4M is sealed by pid <PID> (error-texts, uid 65534) until returned: try again later");
	expect_eq(mapseal_last_error()->pid, holds.pid);
	says(begin(m, "db", HALF, MAPSEAL_BREAK_NO_WAIT), EAGAIN, holds.pid,
	     "export \"db\": range 0-4M is sealed by pid <PID> (error-texts, uid 65534) until returned: try again later");
	says(begin(m, "hard", 0, 0), ETXTBSY, holds.pid,
	     "export \"hard\": range 0-4K is sealed by pid <PID> (error-texts, uid 65534), and others are denied: "
	     "a hard seal is in the way");

	breaks = actor_start_as(0, 0, breaker, NULL);
	cue_wait(holds.channel, "recalled");
	says(acquire(m, "db", 0, MAPSEAL_READ, MAPSEAL_NO_WAIT), EAGAIN, holds.pid,
	     "export \"db\": range 0-4M is sealed by pid <PID> (error-texts, uid 65534); recall deadline in [1-9]* s: "
	     "try again later");
	cue(holds.channel, "ask yourself");
	cue_wait(holds.channel, "busy");
	cue(holds.channel, "forget it");
	cue_wait(breaks.channel, "free");
	says(acquire(m, "db", HALF, MAPSEAL_READ, 0), EAGAIN, breaks.pid,
	     "export \"db\": all of it is held free by a break of pid <PID> (error-texts, uid 0): try again later");
	cue(breaks.channel, "end");
	actor_join(&breaks);
	cue(holds.channel, "end");
	actor_join(&holds);
	mapseal_close(m);
}

static int asks(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold(m, "db", 0, HALF, MAPSEAL_READ, 0);

	(void)channel, (void)data;
	says(acquire(m, "db", HALF, MAPSEAL_WRITE, 0), EDEADLK, 0,
	     "*this session already holds a seal there that would be incoherent with it");
	says(acquire(m, "db", 0, MAPSEAL_READ, 0), EDQUOT, 0,
	     "uid 65534 has 4194304 of 10485760 bytes of windows; 8388608 more are too many");
	mapseal_seal_free(seal);
	says(acquire(m, "db", HALF + 4096, MAPSEAL_WRITE, 0), EACCES, 0,
	     "export \"db\": uid 65534 may write 0-4M; 0-4100K was asked for, and one rule has to "
	     "cover all of it");
	says(acquire(m, "secret", 0, MAPSEAL_READ, 0), EACCES, 0,
	     "export \"secret\": uid 65534 may read nothing of it; the administrator names who may "
	     "in mapseald.conf(5), read =");
	says(acquire(m, "nothing", 0, MAPSEAL_READ, 0), ENOENT, 0, "there is no export \"nothing\"");
	says(begin(m, "secret", 0, 0), EACCES, 0,
	     "export \"secret\": uid 65534 may write nothing of it; *");
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "db.file", SIZE, 1);
	const char *hard = rig_file(rig, "hard.file", 4096, 1);
	const char *secret = rig_file(rig, "secret.file", 4096, 1);
	struct actor actor;

	rig_start(rig,
		  "[quota]\nmax-window-bytes = 10M\n"
		  "[defaults]\ndeadline-ms = 60000\nhard-ms = 120000\n"
		  "[export db]\npath = %s\nread = *\nwrite = uid:65534@0-4M\n"
		  "[export hard]\npath = %s\nread = *\non-conflict = deny\n"
		  "[export secret]\npath = %s\nread = uid:1\n",
		  path, hard, secret);
	refused_for_a_while();
	actor = actor_start(asks, NULL);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
