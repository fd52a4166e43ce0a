/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A DIRECT seal ends the guard of its file by a lease, but only one that is granted: those that are
 * refused leave it as it was, whatever they are refused for: a seal in the way, blocks that can't
 * be promised, a strict export.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/direct.h"
#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, AT = 64 * 1024, LENGTH = 4096 };

static const struct deed write_it = { "pwrite", deed_write, AT, LENGTH, NULL };

static int is_by_lease(const struct mapseal_seal_info *info, void *data)
{
	*(bool *)data = strcmp(info->guard, "lease") == 0;
	return 0;
}

static bool by_lease(struct mapseal *m)
{
	bool is = false;

	must(mapseal_list_seals(m, 0, is_by_lease, &is));
	return is;
}

static void refused(struct mapseal *m, const char *object, enum mapseal_mode mode,
		    unsigned int flags, int error)
{
	struct mapseal_request request = direct_request(object, mode);
	struct mapseal_seal *seal;

	request.flags = flags;
	must_refuse(mapseal_acquire(m, &request, &seal), error);
}

/* A stranger waits for the window's holder. */
static void guarded(struct actor *keeper, const char *path)
{
	struct actor stranger = stranger_start(&write_it, path);

	heard_first(keeper, "recalled", &stranger);
	keeper_does(keeper, "old");
	expect(stranger_is_held(&stranger));
	keeper_does(keeper, "return");
	expect_eq(stranger_end(&stranger), LENGTH);
	keeper_end(keeper);
}

static void refusals(struct mapseal *m, const char *object, const char *path, bool in_the_way,
		     int error)
{
	const struct keeping reading = { .object = object, .mode = MAPSEAL_READ,
					 .guard = MAPSEAL_GUARD_LEASE };
	struct actor keeper = keeper_start(&reading);

	printf("  %s\n", object);
	if (in_the_way)
		refused(m, object, MAPSEAL_WRITE, MAPSEAL_NO_WAIT, EAGAIN);
	if (error)
		refused(m, object, MAPSEAL_READ, 0, error);
	expect(by_lease(m));
	keeper_does(&keeper, "undisturbed");
	guarded(&keeper, path);
}

static void clone_file(const char *from, const char *to)
{
	int source = open(from, O_RDONLY | O_CLOEXEC);
	int target = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	expect(source >= 0 && target >= 0);
	expect(ioctl(target, FICLONE, source) == 0);
	expect(fsync(target) == 0);
	close(source);
	close(target);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *disk = rig_mount(rig, "disk", "xfs", 400 * MiB);
	const char *plain = direct_file(rig, disk, "plain", SIZE, 1);
	const char *shared = direct_file(rig, disk, "shared", SIZE, 1);
	const char *strict = direct_file(rig, disk, "strict", SIZE, 1);
	const struct keeping unguarded = { .object = "plain", .mode = MAPSEAL_READ };
	struct mapseal_seal *seal;
	struct actor keeper;
	struct mapseal *m;
	char copy[256];

	snprintf(copy, sizeof(copy), "%s/copy", disk);
	clone_file(shared, copy);
	expect(chmod(plain, 0666) == 0 && chmod(shared, 0666) == 0 && chmod(strict, 0666) == 0);
	rig_start(rig,
		  "[daemon]\nguard = lease\n[defaults]\n" PATIENT
		  "[export plain]\npath = %s\nread = *\nwrite = *\n"
		  "[export shared]\npath = %s\nread = *\nwrite = *\n"
		  "[export strict]\npath = %s\nread = *\nwrite = *\nstrict = yes\n",
		  plain, shared, strict);
	m = client(0);
	refusals(m, "plain", plain, true, 0);
	refusals(m, "shared", shared, true, EOPNOTSUPP);
	refusals(m, "strict", strict, false, EOPNOTSUPP);

	seal = hold_direct(m, "plain", MAPSEAL_READ, 0, NULL, NULL);
	expect_eq(mapseal_seal_guard(seal), MAPSEAL_GUARD_COOPERATIVE);
	keeper = keeper_start(&unguarded);
	expect(!by_lease(m));
	keeper_end(&keeper);
	mapseal_seal_free(seal);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
