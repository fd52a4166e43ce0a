/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See direct.h. */

#include "tests/system/direct.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

volatile int direct_events[16];

static void add(struct blocks *blocks, const struct mapseal_extent *e)
{
	struct mapseal_extent *last = blocks->n ? &blocks->v[blocks->n - 1] : NULL;

	if (last && last->offset + last->length == e->offset &&
	    last->physical + last->length == e->physical && last->flags == e->flags) {
		last->length += e->length;
		return;
	}
	expect(blocks->n < sizeof(blocks->v) / sizeof(blocks->v[0]));
	blocks->v[blocks->n++] = *e;
}

void blocks_read(const char *path, struct blocks *ret)
{
	enum { N = 512 };
	struct fiemap *map = calloc(1, sizeof(*map) + N * sizeof(struct fiemap_extent));
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	expect(map && fd >= 0);
	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = N;
	expect(ioctl(fd, FS_IOC_FIEMAP, map) == 0);
	ret->n = 0;
	for (unsigned int i = 0; i < map->fm_mapped_extents; i++)
		add(ret, &(struct mapseal_extent){
				 .offset = map->fm_extents[i].fe_logical,
				 .physical = map->fm_extents[i].fe_physical,
				 .length = map->fm_extents[i].fe_length,
				 .flags = map->fm_extents[i].fe_flags &
					  ~(unsigned int)(FIEMAP_EXTENT_LAST |
							  FIEMAP_EXTENT_MERGED),
			 });
	close(fd);
	free(map);
}

bool blocks_same(const struct blocks *a, const struct blocks *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned int i = 0; i < a->n; i++)
		if (a->v[i].offset != b->v[i].offset || a->v[i].physical != b->v[i].physical ||
		    a->v[i].length != b->v[i].length || a->v[i].flags != b->v[i].flags)
			return false;
	return true;
}

static int add_promised(const struct mapseal_extent *extent, void *data)
{
	struct blocks *blocks = data;

	blocks->v[blocks->n++] = *extent;
	return blocks->n == sizeof(blocks->v) / sizeof(blocks->v[0]);
}

void blocks_promised(struct mapseal *m, uint64_t seal, struct blocks *ret)
{
	ret->n = 0;
	must(mapseal_extents(m, seal, add_promised, ret));
}

void direct_each(void (*test)(struct rig *rig, const char *disk))
{
	static const char *const types[] = { "ext4", "xfs" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct rig *rig = rig_new();

		printf("on %s\n", types[i]);
		test(rig, rig_mount(rig, "disk", types[i], 400 * MiB));
		rig_free(rig);
	}
}

const char *direct_file(struct rig *rig, const char *disk, const char *name, uint64_t size,
			unsigned int seed)
{
	char relative[128];

	snprintf(relative, sizeof(relative), "%s/%s", strrchr(disk, '/') + 1, name);
	return rig_file(rig, relative, size, seed);
}

struct mapseal_request direct_request(const char *object, enum mapseal_mode mode)
{
	return (struct mapseal_request){
		.size = sizeof(struct mapseal_request),
		.object = object,
		.fd = -1,
		.mode = mode,
		.kind = MAPSEAL_DIRECT,
	};
}

struct mapseal_seal *hold_direct(struct mapseal *m, const char *object, enum mapseal_mode mode,
				 unsigned int flags, mapseal_recall_fn on_recall, void *data)
{
	struct mapseal_request request = direct_request(object, mode);
	struct mapseal_seal *seal;

	request.flags = flags;
	request.on_recall = on_recall;
	request.data = data;
	must(mapseal_acquire(m, &request, &seal));
	return seal;
}

void direct_on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	__atomic_fetch_add(&direct_events[event->type], 1, __ATOMIC_SEQ_CST);
}

struct mapseal *direct_client(void)
{
	struct mapseal_options options = { .size = sizeof(options), .on_event = direct_on_event };
	struct mapseal *m;

	must(mapseal_connect(&options, &m));
	return m;
}

void direct_await(struct mapseal *m, enum mapseal_event_type type, int count)
{
	struct pollfd poll_fd = { .fd = mapseal_get_fd(m), .events = POLLIN };

	while (direct_events[type] < count) {
		expect(poll(&poll_fd, 1, -1) == 1);
		must(mapseal_dispatch(m));
	}
}

void punch(const char *path, uint64_t offset, uint64_t length)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	expect(fd >= 0);
	expect(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			 (off_t)length) == 0);
	expect(fsync(fd) == 0);
	close(fd);
}
