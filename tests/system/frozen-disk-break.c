/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A disk that hangs, and somebody who waits: a breaker goes on in bounded time whatever the holder was
 * doing (it returned when it was asked, it had begun to return before, it is dead), and the bytes
 * are quarantined. Nothing of them lands when the disk goes on.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

struct heard {
	uint64_t quarantined;
	bool revoked;
};

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	struct heard *heard = data;

	(void)m;
	if (event->type != MAPSEAL_EVENT_REVOKED)
		return;
	heard->quarantined = event->quarantined;
	heard->revoked = true;
}

/* Returns at once when it is asked. */
static int willing(int channel, void *data)
{
	struct heard heard = { 0 };
	struct mapseal_options options = {
		.size = sizeof(options),
		.on_event = on_event,
		.data = &heard,
	};
	struct mapseal_seal *seal;
	struct mapseal *m;

	(void)data;
	must(mapseal_connect(&options, &m));
	seal = hold(m, "asked", 0, 0, MAPSEAL_WRITE, 0);
	memset(mapseal_address(seal), 'n', SIZE);
	cue(channel, "written");
	while (!heard.revoked) {
		struct pollfd poll_fd = { .fd = mapseal_get_fd(m), .events = POLLIN };

		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
	expect_eq(heard.quarantined, SIZE);
	expect(touch_is_sigbus(mapseal_address(seal)));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int returner(int channel, void *data)
{
	struct proto_message message;
	uint32_t serial;
	struct raw raw;

	(void)data;
	raw_hold(&raw, "returning", SIZE, PROTO_MODE_WRITE);
	message = raw_returning(&raw);
	memset(raw_map(&raw), 'n', SIZE);
	cue(channel, "written");
	cue_wait(channel, "frozen");
	serial = raw_set_off(&raw, &message);
	cue(channel, "returning");
	/* it is told that this did not come about */
	expect_eq(raw_receive(&raw), PROTO_REFUSED);
	expect_eq(raw.answer.serial, serial);
	expect_str(proto_error_name(raw.answer.refused.code), "GONE");
	expect_eq(raw_receive(&raw), PROTO_REVOKED);
	expect_eq(raw.answer.revoked.quarantined, SIZE);
	return 0;
}

static int dying(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold(m, "left", 0, 0, MAPSEAL_WRITE, 0);

	(void)data;
	memset(mapseal_address(seal), 'n', SIZE);
	cue(channel, "written");
	pause();
	return 0;
}

static void goes_on(struct mapseal *m, const char *object, const char *answer, const char *result)
{
	const struct mapseal_account *account;
	struct mapseal_break *brk = break_range(m, object, 0, 0, 0);

	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->answer, answer);
	expect_str(account->result, result);
	expect_eq(account->quarantined, SIZE);
	printf("%s: %s after %u ms, %s\n", object, account->result, account->ms, account->fence);
	mapseal_break_end(brk);
}

struct look {
	struct mapseal *m;
	int n;
};

static int look(const struct mapseal_quarantine_info *info, void *data)
{
	struct look *look = data;
	uint64_t offset, length;
	unsigned char *bytes;
	int fd;

	expect_eq(info->bytes, SIZE);
	expect_eq(info->error, ETIMEDOUT);
	fd = mapseal_quarantine_open(look->m, info->id, &offset, &length);
	must(fd);
	expect_eq(offset, 0);
	expect_eq(length, SIZE);
	bytes = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	expect(bytes != MAP_FAILED);
	for (size_t n = 0; n < SIZE; n++)
		expect_eq(bytes[n], 'n');
	munmap(bytes, SIZE);
	close(fd);
	look->n++;
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *disk = rig_mount(rig, "disk", "ext4", 32 * MiB);
	const char *paths[] = {
		rig_file(rig, "disk/asked", SIZE, 1),
		rig_file(rig, "disk/returning", SIZE, 2),
		rig_file(rig, "disk/left", SIZE, 3),
	};
	struct actor asked, returning, left;
	struct look kept = { 0 };
	struct mapseal *m;

	rig_start(rig,
		  "[defaults]\ndeadline-ms = 100\nhard-ms = 500\nfence-ms = 100\n"
		  "[export asked]\npath = %s\nread = *\nwrite = *\n"
		  "[export returning]\npath = %s\nread = *\nwrite = *\n"
		  "[export left]\npath = %s\nread = *\nwrite = *\n",
		  paths[0], paths[1], paths[2]);
	asked = actor_start(willing, NULL);
	returning = actor_start(returner, NULL);
	left = actor_start(dying, NULL);
	cue_wait(asked.channel, "written");
	cue_wait(returning.channel, "written");
	cue_wait(left.channel, "written");
	rig_freeze(disk);
	cue(returning.channel, "frozen");
	cue_wait(returning.channel, "returning");
	actor_kill(&left, SIGKILL);

	m = kept.m = client(0);
	goes_on(m, "asked", "ok", "revoked");
	goes_on(m, "returning", "none", "revoked");
	goes_on(m, "left", "none", "gone");
	actor_join(&asked);
	actor_join(&returning);
	must(mapseal_list_quarantine(m, 0, look, &kept));
	expect_eq(kept.n, 3);

	rig_thaw();
	mapseal_close(m);
	/* its end waits for every write that was under way */
	rig_stop(rig);
	for (unsigned int i = 0; i < 3; i++)
		rig_file_is(paths[i], SIZE, i + 1, 0, 0, 0);
	rig_free(rig);
	return 0;
}
