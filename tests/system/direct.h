/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of DIRECT seals share: file systems that have them, and what root sees of blocks. */

#include <linux/fiemap.h>

#include "tests/system/rig.h"

struct blocks {
	struct mapseal_extent v[512];
	unsigned int n;
};

/* The block map by FIEMAP, as the kernel's flags; neighbours are one. */
void blocks_read(const char *path, struct blocks *ret);
bool blocks_same(const struct blocks *a, const struct blocks *b);

/* The map that was promised, by the library. */
void blocks_promised(struct mapseal *m, uint64_t seal, struct blocks *ret);

/* Runs @test on each file system that has DIRECT seals, in a rig of its own; "disk" is mounted. */
void direct_each(void (*test)(struct rig *rig, const char *disk));

/* A file of @size bytes below @disk, as rig_file() makes them. Static buffers, few at a time. */
const char *direct_file(struct rig *rig, const char *disk, const char *name, uint64_t size,
			unsigned int seed);

struct mapseal_request direct_request(const char *object, enum mapseal_mode mode);
struct mapseal_seal *hold_direct(struct mapseal *m, const char *object, enum mapseal_mode mode,
				 unsigned int flags, mapseal_recall_fn on_recall, void *data);

/* Dispatches until on_event() has counted one of @type; the connection has no thread. */
extern volatile int direct_events[16];
void direct_on_event(struct mapseal *m, const struct mapseal_event *event, void *data);
struct mapseal *direct_client(void);
void direct_await(struct mapseal *m, enum mapseal_event_type type, int count);

void punch(const char *path, uint64_t offset, uint64_t length);
