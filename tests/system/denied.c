/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may do what: an unknown export, a uid that an export does not name, writing where only reading is
 * granted, ranges beyond the granted ones, and transparent seals without kernel-faults are denied; nothing outside a granted range can be read
 * through the window of another, not in its last page either.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 64 * 4096 };

static int try(struct mapseal *m, const char *object, uint64_t offset, uint64_t length,
	       enum mapseal_mode mode)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = object,
		.fd = -1,
		.offset = offset,
		.length = length,
		.mode = mode,
	};
	struct mapseal_seal *seal;
	int r = mapseal_acquire(m, &request, &seal);

	if (r == 0)
		mapseal_seal_free(seal);
	return r;
}

static int named(int channel, void *data)
{
	struct mapseal_break_request layout = {
		.size = sizeof(layout), .object = "part", .fd = -1, .want = MAPSEAL_WANT_LAYOUT
	};
	struct mapseal_request transparent = {
		.size = sizeof(transparent),
		.object = "part",
		.fd = -1,
		.offset = 4 * 4096,
		.length = 4096,
		.mode = MAPSEAL_READ,
		.flags = MAPSEAL_TRANSPARENT,
	};
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_break *brk;
	struct mapseal_seal *seal;
	struct raw raw;
	char extra[64];

	(void)channel, (void)data;
	must_refuse(try(m, "nothing", 0, 0, MAPSEAL_READ), ENOENT);
	must_refuse(try(m, "../file", 0, 0, MAPSEAL_READ), ENOENT);
	must_refuse(try(m, "", 0, 0, MAPSEAL_READ), EINVAL);
	must(try(m, "part", 4 * 4096, 4 * 4096, MAPSEAL_READ));
	must_refuse(try(m, "part", 4 * 4096, 5 * 4096, MAPSEAL_READ), EACCES);
	must_refuse(try(m, "part", 3 * 4096, 4096, MAPSEAL_READ), EACCES);
	must_refuse(try(m, "part", 0, 0, MAPSEAL_READ), EACCES);
	must_refuse(try(m, "part", 4 * 4096, 4096, MAPSEAL_WRITE), EACCES);
	expect(strstr(mapseal_last_error()->text, "part") != NULL);
	must_refuse(mapseal_break_begin(m, &layout, &brk), EACCES);
	/* system calls into a window would be served: for those alone whom the export names */
	must_refuse(mapseal_acquire(m, &transparent, &seal), EPERM);
	expect_str(mapseal_last_error()->code, "NEEDS_KERNEL_FAULTS");
	mapseal_close(m);

	/* the memory itself is no larger than the grant */
	raw_hello(&raw);
	raw_attach(&raw);
	raw_acquire(&raw, "part", 4 * 4096, 4 * 4096, PROTO_MODE_READ, 0);
	(void)raw_map(&raw);
	expect_eq(lseek(raw.fds[0], 0, SEEK_END), 4 * 4096);
	expect_eq(pread(raw.fds[0], extra, sizeof(extra), 4 * 4096), 0);
	return 0;
}

static int unnamed(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);

	(void)channel, (void)data;
	must_refuse(try(m, "part", 4 * 4096, 4096, MAPSEAL_READ), EACCES);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	struct actor actor;

	rig_start(rig, "[export part]\npath = %s\nread = uid:%d@16K-32K\n", path, RIG_UID);
	actor = actor_start(named, NULL);
	actor_join(&actor);
	actor = actor_start_as(RIG_UID - 1, RIG_UID - 1, unnamed, NULL);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
