/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * READ windows of the same range share memory only among holders of the same right: of two exports of one file
 * each has memory of its own, so that what is taken back under the one is not in the hands of those under the other.
 * Another range, and a WRITE window, have memory of their own in any case.
 */

#include <sys/stat.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 64 * 1024 };

static ino_t memory_of(struct raw *raw, const char *object, uint64_t length, uint8_t mode)
{
	struct stat st;

	raw_acquire(raw, object, 0, length, mode, 0);
	expect(fstat(raw->fds[0], &st) == 0);
	(void)raw_map(raw);
	return st.st_ino;
}

static int holder(int channel, void *data)
{
	struct raw first, second;
	ino_t memory;

	(void)channel, (void)data;
	raw_hello(&first);
	raw_attach(&first);
	raw_hello(&second);
	raw_attach(&second);
	memory = memory_of(&first, "one", SIZE, PROTO_MODE_READ);
	expect(memory_of(&second, "one", SIZE, PROTO_MODE_READ) == memory);
	expect(memory_of(&second, "two", SIZE, PROTO_MODE_READ) != memory);
	expect(memory_of(&second, "one", SIZE / 2, PROTO_MODE_READ) != memory);
	expect(memory_of(&first, "other", SIZE, PROTO_MODE_READ) !=
	       memory_of(&second, "apart", SIZE, PROTO_MODE_WRITE));
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1), *apart = rig_file(rig, "apart", SIZE, 2);
	const char *other = rig_file(rig, "other", SIZE, 3);
	struct actor actor;

	rig_start(rig,
		  "[export one]\npath = %s\nread = *\n[export two]\npath = %s\nread = *\n"
		  "[export apart]\npath = %s\nread = *\nwrite = *\n[export other]\npath = %s\nread = *\n",
		  path, path, apart, other);
	actor = actor_start(holder, NULL);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
