/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Block maps: which bytes of a file are where on its device.
 *
 * Pure: no descriptor, no system call. A map is kept in order of the file's offsets and
 * normalised: what is next to each other in the file and on the device, with the same flags, is
 * one extent. So two maps can be compared whatever splits and merges of the same blocks the file
 * system went through.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EXTENT_UNWRITTEN = 1 << 0, /* allocated, reads as zero until it is written */
	EXTENT_SHARED = 1 << 1,	   /* with another file, or another range: a write moves it */
	EXTENT_INLINE = 1 << 2,	   /* among other metadata, not in blocks of its own */
	EXTENT_ENCODED = 1 << 3,   /* compressed or encrypted: the bytes there are others */
	EXTENT_DELAYED = 1 << 4,   /* no place yet */
};

struct extent {
	uint64_t logical, physical, length; /* bytes */
	uint32_t flags;
};

struct extents {
	struct extent *v;
	size_t n, size;
};

void extents_deinit(struct extents *extents);

/* Appends. -EINVAL: empty, wrapping, or not after what is there; -ENOMEM. */
int extents_add(struct extents *extents, const struct extent *extent);

/* The part of @from within [start, end), appended to @to. -ENOMEM. */
int extents_copy(struct extents *to, const struct extents *from, uint64_t start, uint64_t end);

/* The first extent that ends after @offset; extents->n if there is none. */
size_t extents_find(const struct extents *extents, uint64_t offset);

/* The first byte of [start, end) that no extent has, and where that gap ends. */
bool extents_gap(const struct extents *extents, uint64_t start, uint64_t end, uint64_t *ret_start,
		 uint64_t *ret_end);

/* All flags of extents that touch [start, end). */
uint32_t extents_flags(const struct extents *extents, uint64_t start, uint64_t end);

#define EXTENTS_HOLE UINT64_MAX

/* A run of bytes that are not where they were promised to be. */
struct extents_difference {
	uint64_t logical, length;
	uint64_t promised, now; /* where on the device; EXTENTS_HOLE: nowhere */
	uint32_t flags;		/* of what is there now */
};

/*
 * Compares within [start, end), and calls @fn (which may be NULL) for each difference in order. How
 * many there are; *ret_bytes, if not NULL, how many bytes they have. A byte differs if it is elsewhere,
 * or has a flag that it had not.
 */
size_t extents_compare(const struct extents *promised, const struct extents *now, uint64_t start,
		       uint64_t end, void (*fn)(const struct extents_difference *d, void *data),
		       void *data, uint64_t *ret_bytes);

/* "bytes 4096+8192: promised at 1048576, shared at 4194304 now". Returns @text. */
const char *extents_describe(const struct extents_difference *d, char *text, size_t size);

/* "shared, unwritten". Returns @text. */
const char *extents_flag_names(uint32_t flags, char *text, size_t size);
