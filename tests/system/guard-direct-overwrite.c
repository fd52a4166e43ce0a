/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A DIRECT seal is about blocks. Strangers overwrite what has them, fill holes elsewhere, write
 * past the end and truncate beyond the seal, without anybody being asked, and the blocks are as
 * promised after that. To punch a hole into the range, or to truncate it, the holder is asked
 * first.
 */

#include <sys/stat.h>

#include "tests/system/direct.h"
#include "tests/system/stranger.h"

enum { SIZE = 1024 * 1024, SEALED = 512 * 1024, HOLE = 768 * 1024, PAGE = 4096 };

static const struct deed passing[] = {
	{ "overwrite", deed_write, 64 * 1024, 3 * PAGE, NULL },
	{ "overwrite, unaligned", deed_write, 100, 10, NULL },
	{ "overwrite the end of it", deed_write, SEALED - PAGE, 2 * PAGE, NULL },
	{ "write into a hole", deed_write, HOLE, PAGE, NULL },
	{ "write past the end", deed_write, SIZE, PAGE, NULL },
	{ "truncate beyond", deed_truncate, SEALED, 0, NULL },
	{ "ftruncate to grow", deed_ftruncate, SIZE, 0, NULL },
	{ "punch beyond", deed_punch, SEALED, PAGE, NULL },
};

static const struct deed recalling[] = {
	{ "punch", deed_punch, 64 * 1024, PAGE, NULL },
	{ "truncate", deed_truncate, SEALED - PAGE, 0, NULL },
};

static int find(const struct mapseal_seal_info *info, void *data)
{
	*(uint64_t *)data = info->id;
	return 0;
}

static void is_as_promised(void)
{
	struct mapseal_verified verified = { 0 };
	struct mapseal *m = client(0);
	uint64_t id = 0;

	must(mapseal_list_seals(m, 0, find, &id));
	must(mapseal_verify(m, id, NULL, NULL, &verified));
	expect_eq(verified.differences, 0);
	mapseal_close(m);
}

static void test(struct rig *rig, const char *disk)
{
	const struct keeping direct = {
		.length = SEALED,
		.mode = MAPSEAL_WRITE,
		.kind = MAPSEAL_DIRECT,
		.guard = MAPSEAL_GUARD_FANOTIFY,
	};
	const char *path = direct_file(rig, disk, "file", SIZE, 1);
	struct actor keeper, stranger;

	expect(chmod(path, 0666) == 0);
	punch(path, HOLE, 64 * 1024);
	rig_start_file(rig, path, PATIENT);
	keeper = keeper_start(&direct);
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		printf("  %s\n", passing[i].name);
		stranger_goes_on(&passing[i], path,
				 passing[i].fn == deed_write ? (int64_t)passing[i].length : 0);
	}
	keeper_does(&keeper, "undisturbed");
	is_as_promised();
	keeper_end(&keeper);
	for (size_t i = 0; i < sizeof(recalling) / sizeof(recalling[0]); i++) {
		printf("  %s\n", recalling[i].name);
		keeper = keeper_start(&direct);
		stranger = stranger_start(&recalling[i], path);
		heard_first(&keeper, "recalled", &stranger);
		is_as_promised();
		expect(stranger_is_held(&stranger));
		keeper_does(&keeper, "return");
		expect_eq(stranger_end(&stranger), 0);
		keeper_end(&keeper);
	}
	rig_stop(rig);
}

int main(void)
{
	rig_free(fanotify_rig());
	direct_each(test);
	return 0;
}
