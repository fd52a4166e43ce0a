/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an export says about time holds for its file, also if somebody who could open the file by itself
 * had it sealed before.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

static int holder(int channel, void *data)
{
	struct proto_message acquire = {
		.type = PROTO_ACQUIRE,
		.acquire = {
			.object = "",
			.mode = PROTO_MODE_READ,
			.kind = PROTO_KIND_WINDOW,
			.length = 4096,
		},
	};
	int fd = open(data, O_RDONLY | O_CLOEXEC);
	struct raw first, second;

	(void)channel;
	expect(fd >= 0);
	raw_hello(&first);
	raw_attach(&first);
	expect_eq(raw_call(&first, &acquire, fd), PROTO_GRANTED);
	expect_eq(first.answer.granted.deadline_ms, 2000);

	raw_hold(&second, "file", 4096, PROTO_MODE_READ);
	expect_eq(second.answer.granted.deadline_ms, 1234);
	expect_eq(second.answer.granted.object, first.answer.granted.object);
	/* and it is not changed back */
	acquire.acquire.offset = 4096;
	expect_eq(raw_call(&first, &acquire, fd), PROTO_GRANTED);
	expect_eq(first.answer.granted.deadline_ms, 1234);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", 2 * 4096, 1);
	struct actor actor;

	expect_eq(chmod(path, 0644), 0);
	rig_start(rig, "[export file]\npath = %s\nread = *\ndeadline-ms = 1234\n", path);
	actor = actor_start(holder, (void *)path);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
