/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Comparing maps is a walk over both at once. Every step is as long as neither side changes:
 * within one extent or one gap of each. Steps that differ in the same way, one after the other,
 * are told as one.
 */

#include "daemon/direct/extents.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void extents_deinit(struct extents *extents)
{
	free(extents->v);
	*extents = (struct extents){ 0 };
}

static bool continues(const struct extent *a, const struct extent *b)
{
	return a->logical + a->length == b->logical && a->physical + a->length == b->physical &&
	       a->flags == b->flags;
}

int extents_add(struct extents *extents, const struct extent *extent)
{
	struct extent *last = extents->n ? &extents->v[extents->n - 1] : NULL;
	uint64_t end;

	if (extent->length == 0 ||
	    __builtin_add_overflow(extent->logical, extent->length, &end) ||
	    __builtin_add_overflow(extent->physical, extent->length, &end))
		return -EINVAL;
	if (last && last->logical + last->length > extent->logical)
		return -EINVAL;
	if (last && continues(last, extent)) {
		last->length += extent->length;
		return 0;
	}
	if (extents->n == extents->size) {
		size_t size = extents->size ? 2 * extents->size : 8;
		struct extent *v = reallocarray(extents->v, size, sizeof(*v));

		if (!v)
			return -ENOMEM;
		extents->v = v;
		extents->size = size;
	}
	extents->v[extents->n++] = *extent;
	return 0;
}

size_t extents_find(const struct extents *extents, uint64_t offset)
{
	size_t low = 0, high = extents->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct extent *e = &extents->v[middle];

		if (e->logical + e->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The part of @extent within [start, end), which it touches. */
static struct extent cut(const struct extent *extent, uint64_t start, uint64_t end)
{
	struct extent part = *extent;

	if (part.logical < start) {
		part.physical += start - part.logical;
		part.length -= start - part.logical;
		part.logical = start;
	}
	if (part.logical + part.length > end)
		part.length = end - part.logical;
	return part;
}

int extents_copy(struct extents *to, const struct extents *from, uint64_t start, uint64_t end)
{
	for (size_t i = extents_find(from, start); i < from->n && from->v[i].logical < end; i++) {
		struct extent part = cut(&from->v[i], start, end);
		int r = extents_add(to, &part);

		if (r < 0)
			return r;
	}
	return 0;
}

bool extents_gap(const struct extents *extents, uint64_t start, uint64_t end, uint64_t *ret_start,
		 uint64_t *ret_end)
{
	uint64_t at = start;
	size_t i;

	for (i = extents_find(extents, at); i < extents->n; i++) {
		if (extents->v[i].logical > at)
			break;
		at = extents->v[i].logical + extents->v[i].length;
	}
	if (at >= end)
		return false;
	*ret_start = at;
	*ret_end = i < extents->n && extents->v[i].logical < end ? extents->v[i].logical : end;
	return true;
}

uint32_t extents_flags(const struct extents *extents, uint64_t start, uint64_t end)
{
	uint32_t flags = 0;

	for (size_t i = extents_find(extents, start);
	     i < extents->n && extents->v[i].logical < end; i++)
		flags |= extents->v[i].flags;
	return flags;
}

/* ---- comparing -------------------------------------------------------------------------- */

/* Where a map has the byte at @at, and how far on that is so. */
struct place {
	uint64_t physical;
	uint32_t flags;
	uint64_t until;
};

static struct place place_of(const struct extents *extents, size_t *i, uint64_t at, uint64_t end)
{
	struct place place = { .physical = EXTENTS_HOLE, .until = end };
	const struct extent *e;

	while (*i < extents->n && extents->v[*i].logical + extents->v[*i].length <= at)
		++*i;
	if (*i == extents->n)
		return place;
	e = &extents->v[*i];
	if (e->logical > at) {
		if (e->logical < end)
			place.until = e->logical;
		return place;
	}
	place.physical = e->physical + (at - e->logical);
	place.flags = e->flags;
	if (e->logical + e->length < end)
		place.until = e->logical + e->length;
	return place;
}

static bool follows(uint64_t physical, uint64_t length, uint64_t next)
{
	if (physical == EXTENTS_HOLE || next == EXTENTS_HOLE)
		return physical == next;
	return physical + length == next;
}

static bool joins(const struct extents_difference *d, uint64_t at, const struct place *promised,
		  const struct place *now)
{
	return d->length && d->logical + d->length == at && d->flags == now->flags &&
	       follows(d->promised, d->length, promised->physical) &&
	       follows(d->now, d->length, now->physical);
}

size_t extents_compare(const struct extents *promised, const struct extents *now, uint64_t start,
		       uint64_t end, void (*fn)(const struct extents_difference *d, void *data),
		       void *data, uint64_t *ret_bytes)
{
	size_t i = extents_find(promised, start), j = extents_find(now, start), n = 0;
	struct extents_difference d = { 0 };
	uint64_t bytes = 0;

	for (uint64_t at = start; at < end;) {
		struct place a = place_of(promised, &i, at, end);
		struct place b = place_of(now, &j, at, end);
		uint64_t until = a.until < b.until ? a.until : b.until;

		if (a.physical != b.physical || b.flags & ~a.flags) {
			if (!joins(&d, at, &a, &b)) {
				if (d.length && fn)
					fn(&d, data);
				d = (struct extents_difference){
					.logical = at,
					.promised = a.physical,
					.now = b.physical,
					.flags = b.flags,
				};
				n++;
			}
			d.length += until - at;
			bytes += until - at;
		}
		at = until;
	}
	if (d.length && fn)
		fn(&d, data);
	if (ret_bytes)
		*ret_bytes = bytes;
	return n;
}

/* ---- words ------------------------------------------------------------------------------ */

const char *extents_flag_names(uint32_t flags, char *text, size_t size)
{
	static const char *const names[] = { "unwritten", "shared", "inline", "encoded",
					     "delayed" };
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && used < size; i++)
		if (flags & 1u << i)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 used ? ", " : "", names[i]);
	return text;
}

static void describe_place(uint64_t physical, uint32_t flags, char *text, size_t size)
{
	char names[64];

	if (physical == EXTENTS_HOLE)
		snprintf(text, size, "a hole");
	else
		snprintf(text, size, "%s%sat %" PRIu64,
			 extents_flag_names(flags, names, sizeof(names)), flags ? " " : "",
			 physical);
}

const char *extents_describe(const struct extents_difference *d, char *text, size_t size)
{
	char promised[96], now[96];

	describe_place(d->promised, 0, promised, sizeof(promised));
	describe_place(d->now, d->flags, now, sizeof(now));
	snprintf(text, size, "bytes %" PRIu64 "+%" PRIu64 ": promised %s, now %s", d->logical,
		 d->length, promised, now);
	return text;
}
