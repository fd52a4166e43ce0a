/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The uid that owns the memory of windows could open any of it for writing, so it is refused a session;
 * everybody else's memory is that uid's, and can't be opened anew.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

static int owner(int channel, void *data)
{
	struct mapseal_options options = { .size = sizeof(options), .flags = MAPSEAL_THREAD };
	struct mapseal *m;

	(void)channel, (void)data;
	must_refuse(mapseal_connect(&options, &m), EACCES);
	return 0;
}

static int other(int channel, void *data)
{
	struct raw raw;
	struct stat st;
	char path[64];

	(void)channel, (void)data;
	raw_hello(&raw);
	raw_attach(&raw);
	for (uint8_t mode = PROTO_MODE_READ; mode <= PROTO_MODE_WRITE; mode++) {
		raw_acquire(&raw, "file", mode == PROTO_MODE_READ ? 0 : 4096, 4096, mode, 0);
		expect_eq(fstat(raw.fds[0], &st), 0);
		expect_eq(st.st_uid, RIG_UID);
		expect_eq(st.st_mode & 07777, 0400);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", raw.fds[0]);
		expect_eq(open(path, O_RDWR | O_CLOEXEC), -1);
		expect_eq(errno, EACCES);
		expect_eq(fchmod(raw.fds[0], 0666), -1);
	}
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", 2 * 4096, 1);
	struct actor actor;

	rig_start(rig, "[daemon]\nmemory-owner = uid:%d\n[export file]\npath = %s\nread = *\nwrite = *\n",
		  RIG_UID, path);
	actor = actor_start(owner, NULL);
	actor_join(&actor);
	actor = actor_start_as(RIG_UID - 1, RIG_UID - 1, other, NULL);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
