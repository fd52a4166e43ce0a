/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * With shmem huge pages forced on, windows behave as without: the bytes, a partial return, and a revocation of
 * pages that a device has pinned, where a folio survives a punch of its part.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/device.h"
#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 8 * 1024 * 1024 };

static const char *const setting = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
static char before[32];

static bool set(const char *value)
{
	int fd = open(setting, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return done;
}

static void restore(void)
{
	set(before);
}

static int holder(int channel, void *data)
{
	struct proto_message give = { .type = PROTO_RETURN }, populate = { .type = PROTO_POPULATE };
	struct device device;
	unsigned char *bytes;
	struct raw raw;

	(void)data;
	raw_hello(&raw);
	raw_attach(&raw);
	raw_acquire(&raw, "file", 0, SIZE, PROTO_MODE_WRITE, PROTO_ACQUIRE_PINNABLE);
	give.return_.seal = populate.populate.seal = raw.answer.granted.seal;
	populate.populate.length = SIZE;
	populate.populate.mode = PROTO_MODE_WRITE;
	bytes = raw_map(&raw);
	expect_eq(raw_call(&raw, &populate, -1), PROTO_DONE);
	expect(rig_same(bytes, 0, SIZE, 1));
	memset(bytes + 4 * MiB, 'h', 4096);
	device_pin(&device, bytes, 4 * MiB);

	/* half a folio, which is pinned */
	give.return_.seq = 1;
	give.return_.offset = 0;
	give.return_.length = MiB;
	expect_eq(raw_call(&raw, &give, -1), PROTO_RETURNED);
	cue(channel, "held");
	cue_wait(channel, "revoked");
	device_write(&device, bytes + 100, "DMA", 3);
	cue(channel, "written");
	cue_wait(channel, "end");
	raise(SIGKILL);
	return 0;
}

static void check(const char *path)
{
	rig_file_is(path, SIZE, 1, 4 * MiB, 4096, 'h');
}

static int reader(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);

	(void)channel, (void)data;
	expect_eq(*(unsigned char *)mapseal_address(seal), rig_byte(1, 0));
	expect_eq(((unsigned char *)mapseal_address(seal))[100], rig_byte(1, 100));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor actor;
	struct mapseal *m;
	char line[256];
	FILE *file = fopen(setting, "re");

	if (!file || !fgets(line, sizeof(line), file) || !strchr(line, '[')) {
		printf("no shmem huge pages in this kernel\n");
		rig_free(rig);
		return 77;
	}
	fclose(file);
	snprintf(before, sizeof(before), "%.*s", (int)strcspn(strchr(line, '[') + 1, "]"),
		 strchr(line, '[') + 1);
	expect(set("force"));
	atexit(restore);
	expect_last_words = restore;

	rig_start_file(rig, path, "deadline-ms = 200\nhard-ms = 1000\n");
	actor = actor_start(reader, NULL);
	actor_join(&actor);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "held");
	m = client(0);
	break_revokes(m, "file", MiB);
	cue(actor.channel, "revoked");
	cue_wait(actor.channel, "written");
	check(path);
	cue(actor.channel, "end");
	actor_kill(&actor, SIGKILL);
	check(path);
	actor = actor_start(reader, NULL);
	actor_join(&actor);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
