/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A grant makes the block map such that it can be promised, and tells it: holes and preallocated
 * blocks become written ones that read as zero, what was written stays, and the extents are those
 * that root sees. Neither stores nor what they become on disk change them, up to the return.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/direct.h"

/* Not whole pages: the last one ends with the file. */
enum { SIZE = 4 * 1024 * 1024 + 1000, HOLE = 1024 * 1024, FRESH = 2 * 1024 * 1024, WRITTEN = 3 * 1024 * 1024 };

static int holder(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold_direct(m, "file", MAPSEAL_WRITE, 0, NULL, NULL);
	unsigned char *bytes = mapseal_address(seal);
	struct mapseal_verified verified;
	struct blocks promised;

	(void)data;
	expect_eq(mapseal_length(seal), SIZE);
	expect(rig_same(bytes, 0, HOLE, 1));
	for (size_t i = HOLE; i < WRITTEN; i++)
		expect_eq(bytes[i], 0);
	expect(rig_same(bytes + WRITTEN, WRITTEN, SIZE - WRITTEN, 1));

	cue(channel, "granted");
	blocks_promised(m, mapseal_id(seal), &promised);
	cue_number(channel, promised.n);
	for (unsigned int i = 0; i < promised.n; i++) {
		expect_eq(promised.v[i].flags, 0);
		cue_number(channel, promised.v[i].offset);
		cue_number(channel, promised.v[i].physical);
		cue_number(channel, promised.v[i].length);
	}
	cue_wait(channel, "compared");
	memset(bytes + HOLE - 10, 'h', 20);
	memset(bytes + FRESH, 'f', 100);
	bytes[SIZE - 1] = 'e';
	must(mapseal_persist(seal, bytes + FRESH, 100));
	must(mapseal_commit(seal, 0, SIZE));
	must(mapseal_flush(seal, 0, SIZE));
	must(mapseal_populate(seal, 0, SIZE, MAPSEAL_WRITE));
	must_refuse(mapseal_persist(seal, bytes + SIZE - 10, 11), EINVAL);
	must(mapseal_verify(m, mapseal_id(seal), NULL, NULL, &verified));
	expect_eq(verified.differences, 0);
	expect_eq(verified.bytes, 0);
	expect_eq(verified.extents, promised.n);
	cue(channel, "written");
	cue_wait(channel, "compared");
	must(mapseal_return(seal, 0, SIZE, 0));
	expect_eq(mapseal_seal_state(seal), MAPSEAL_RETURNED);
	must_refuse(mapseal_verify(m, mapseal_id(seal), NULL, NULL, NULL), ESTALE);
	must_refuse(mapseal_persist(seal, bytes, 1), ESTALE);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int reader(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold_direct(m, "file", MAPSEAL_READ, 0, NULL, NULL);
	const unsigned char *bytes = mapseal_address(seal);
	int fd = mapseal_fd(seal);

	(void)channel, (void)data;
	expect_eq(bytes[FRESH], 'f');
	expect_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	expect(ftruncate(fd, 0) < 0);
	must_refuse(mapseal_persist(seal, bytes, 1), EACCES);
	must_refuse(mapseal_commit(seal, 0, SIZE), EACCES);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void make_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	expect(fd >= 0);
	expect(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HOLE, WRITTEN - HOLE) == 0);
	expect(fallocate(fd, 0, FRESH, WRITTEN - FRESH) == 0);
	expect(fsync(fd) == 0 && fstat(fd, &st) == 0);
	expect_eq(st.st_size, SIZE);
	close(fd);
}

/* The file's blocks reach past its end. */
static void expect_told(const struct blocks *blocks, struct actor *actor)
{
	uint64_t n = cue_wait_number(actor->channel);

	expect_eq(n, blocks->n);
	for (unsigned int i = 0; i < n; i++) {
		const struct mapseal_extent *e = &blocks->v[i];
		uint64_t end = e->offset + e->length < SIZE ? e->offset + e->length : SIZE;

		expect_eq(e->flags, 0);
		expect_eq(cue_wait_number(actor->channel), e->offset);
		expect_eq(cue_wait_number(actor->channel), e->physical);
		expect_eq(cue_wait_number(actor->channel), end - e->offset);
	}
}

static void test(struct rig *rig, const char *disk)
{
	const char *path = direct_file(rig, disk, "file", SIZE, 1);
	struct blocks before, during, after;
	struct actor actor;
	char bytes[20];
	int fd;

	make_file(path);
	blocks_read(path, &before);
	rig_start_file(rig, path, NULL);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "granted");
	blocks_read(path, &during);
	expect(!blocks_same(&before, &during));
	expect_told(&during, &actor);
	cue(actor.channel, "compared");
	cue_wait(actor.channel, "written");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect_eq(pread(fd, bytes, 20, HOLE - 10), 20);
	for (int i = 0; i < 20; i++)
		expect_eq(bytes[i], 'h');
	close(fd);
	blocks_read(path, &after);
	expect(blocks_same(&during, &after));
	cue(actor.channel, "compared");
	actor_join(&actor);
	actor = actor_start(reader, NULL);
	actor_join(&actor);
	blocks_read(path, &after);
	expect(blocks_same(&during, &after));
}

int main(void)
{
	direct_each(test);
	return 0;
}
