/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ranges as requests name them, against what there is.
 *
 * A range that is asked for is never rounded: its offset is on a page boundary, and so is its end,
 * except at the very end of the object, since a window is made of pages. What only operates on a range that is held
 * already (populate, flush, commit) is rounded out to pages, for there nothing is granted by it.
 * Nothing may wrap: every sum is checked before it is made.
 */

#include <inttypes.h>

#include "daemon/supervisor/wiring.h"

static bool on_page(uint64_t value, uint64_t page)
{
	return (value & (page - 1)) == 0;
}

int bounds_check(uint64_t size, uint64_t page, const struct target_request *request,
		 uint64_t *ret_start, uint64_t *ret_end, struct refusal *refusal)
{
	uint64_t start = request->offset, end;

	if (request->whole && (request->offset || request->length))
		return refuse(refusal, PROTO_E_BAD_RANGE,
			      "the whole object was asked for, and a range of it too");
	if (request->whole && !request->open_end && size == 0)
		return refuse(refusal, PROTO_E_BAD_RANGE, "the object is empty");
	if (!on_page(start, page))
		return refuse(refusal, PROTO_E_UNALIGNED,
			      "offset %" PRIu64 " is not a multiple of the page size %" PRIu64,
			      start, page);
	if (request->whole) {
		end = request->open_end ? CORE_INFINITY : size;
	} else if (request->length == 0) {
		if (!request->open_end)
			return refuse(refusal, PROTO_E_BAD_RANGE, "the range is empty");
		end = CORE_INFINITY;
	} else if (request->length > (uint64_t)INT64_MAX ||
		   start > (uint64_t)INT64_MAX - request->length) {
		return refuse(refusal, PROTO_E_BAD_RANGE,
			      "offset %" PRIu64 " and length %" PRIu64
			      " reach past the largest file offset",
			      start, request->length);
	} else {
		end = start + request->length;
	}
	if (!request->open_end && end > size)
		return refuse(refusal, PROTO_E_BAD_RANGE,
			      "the range ends at %" PRIu64 ", the object at %" PRIu64, end, size);
	if (end != CORE_INFINITY && end != size && !on_page(end, page))
		return refuse(refusal, PROTO_E_UNALIGNED,
			      "the range ends at %" PRIu64
			      ", which is neither a multiple of the page size %" PRIu64
			      " nor the end of the object (%" PRIu64 ")",
			      end, page, size);
	*ret_start = start;
	*ret_end = end;
	return 0;
}

int bounds_within(uint64_t start, uint64_t end, uint64_t page, uint64_t offset, uint64_t length,
		  bool exact, uint64_t *ret_start, uint64_t *ret_end, struct refusal *refusal)
{
	uint64_t limit = (end + page - 1) & ~(page - 1), low, high;

	if (length == 0)
		return refuse(refusal, PROTO_E_BAD_RANGE, "the range is empty");
	if (offset > limit || length > limit - offset)
		return refuse(refusal, PROTO_E_BAD_RANGE,
			      "the range reaches past the end of the seal at %" PRIu64, end);
	low = offset & ~(page - 1);
	high = (offset + length + page - 1) & ~(page - 1);
	if (low < start)
		return refuse(refusal, PROTO_E_BAD_RANGE,
			      "the range begins before the seal does, at %" PRIu64, start);
	if (exact && (low != offset || (high != offset + length && offset + length != end)))
		return refuse(refusal, PROTO_E_UNALIGNED,
			      "what is given back begins and ends on page boundaries, or at the "
			      "end of the seal");
	*ret_start = low;
	*ret_end = high > end ? end : high;
	return 0;
}

uint64_t page_up(uint64_t value)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (value + page - 1) & ~(page - 1);
}
