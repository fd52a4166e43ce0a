/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the application asks of the pages of a seal: to bring them in, to write them back.
 *
 * A call on a range is a request for each piece of the seal that the range touches, in order. A
 * range of which some part is not held any more is refused before anything is asked; one that loses
 * a part meanwhile has been done up to there, and is refused alike: that the supervisor then speaks of a
 * bad range is no fault of the caller's.
 *
 * What is populated is locked too, as far as RLIMIT_MEMLOCK goes, until the window is unmapped:
 * reclaim takes a page out of a page table before it finds that it has no other place for it, and a
 * system call would not find it there any more.
 */

#include <errno.h>
#include <sys/mman.h>

#include "client/direct.h"
#include "client/error.h"
#include "client/seal.h"

static bool covers(const struct mapseal_seal *seal, uint64_t id, uint64_t start, uint64_t end)
{
	const struct piece *piece = piece_find(seal->m, id);

	return piece && !piece->returning && piece->start <= start && piece->end >= end;
}

/* Asks for one thing piece by piece. @fill puts the clipped range into the message. */
static int each_piece(struct mapseal_seal *seal, uint64_t start, uint64_t end,
		      struct proto_message *message,
		      void (*fill)(struct proto_message *message, const struct piece *piece,
				   uint64_t start, uint64_t end))
{
	uint64_t at;
	int r = 0;

	for (at = start; at < end;) {
		const struct piece *piece = piece_first(seal, at, end);

		if (!piece || piece->start > at || seal->m->wire.lost)
			return seal_stale(seal);
		at = piece->end;
	}
	for (at = start; r == 0 && at < end;) {
		const struct piece *piece = piece_first(seal, at, end);
		uint64_t to, id;

		if (!piece || piece->start > at)
			return seal_stale(seal);
		id = piece->id;
		to = piece->end < end ? piece->end : end;
		fill(message, piece, at, to);
		r = wire_call(&seal->m->wire, message, NULL, 0, NULL, NULL, PROTO_DONE, NULL);
		if (r == -EINVAL && !covers(seal, id, at, to))
			return seal_stale(seal);
		at = to;
	}
	return r;
}

/* POPULATE, FLUSH and COMMIT begin alike. */
static void fill_populate(struct proto_message *message, const struct piece *piece, uint64_t start,
			  uint64_t end)
{
	message->populate.seal = piece->id;
	message->populate.offset = start;
	message->populate.length = end - start;
}

static void fill_flush(struct proto_message *message, const struct piece *piece, uint64_t start,
		       uint64_t end)
{
	message->flush.seal = piece->id;
	message->flush.offset = start;
	message->flush.length = end - start;
}

static void fill_commit(struct proto_message *message, const struct piece *piece, uint64_t start,
			uint64_t end)
{
	message->commit.seal = piece->id;
	message->commit.offset = start;
	message->commit.length = end - start;
}

static void lock_in(const struct mapseal_seal *seal, uint64_t offset, uint64_t length)
{
	uint64_t page = connection_page(), start = offset - seal->offset, end = start + length;

	start -= start % page;
	end = (end + page - 1) / page * page;
	/* those that are not there yet are locked when they come */
	mlock2((char *)seal->window->address + start, (size_t)(end - start), MLOCK_ONFAULT);
}

int mapseal_populate(struct mapseal_seal *seal, uint64_t offset, uint64_t length,
		     enum mapseal_mode mode)
{
	struct proto_message message = { .type = PROTO_POPULATE, .populate.mode = mode };
	int r = connection_check(seal->m);

	if (r < 0)
		return r;
	if (mode != MAPSEAL_READ && mode != MAPSEAL_WRITE)
		return error_set(EINVAL, "Pages are populated to READ or to WRITE, not for %d",
				 (int)mode);
	if (mode == MAPSEAL_WRITE && seal->mode != MAPSEAL_WRITE)
		return error_set(EACCES, "Pages of a READ seal are never writable");
	r = seal_check_range(seal, offset, length);
	if (r < 0)
		return r;
	if (seal->direct)
		return direct_populate(seal, offset, length, mode);
	lock_in(seal, offset, length);
	wire_lock(&seal->m->wire);
	r = each_piece(seal, offset, offset + length, &message, fill_populate);
	wire_unlock(&seal->m->wire);
	return r;
}

static int write_back(struct mapseal_seal *seal, uint64_t offset, uint64_t length,
		      enum proto_type type)
{
	struct proto_message message = { .type = type };
	int r = connection_check(seal->m);

	if (r < 0)
		return r;
	if (seal->mode != MAPSEAL_WRITE)
		return error_set(EACCES, "Nothing is written through a READ seal");
	r = seal_check_range(seal, offset, length);
	if (r < 0)
		return r;
	if (seal->direct)
		return type == PROTO_FLUSH ? 0 : direct_sync(seal, offset, length);
	wire_lock(&seal->m->wire);
	r = each_piece(seal, offset, offset + length, &message,
		       type == PROTO_FLUSH ? fill_flush : fill_commit);
	wire_unlock(&seal->m->wire);
	return r;
}

int mapseal_flush(struct mapseal_seal *seal, uint64_t offset, uint64_t length)
{
	return write_back(seal, offset, length, PROTO_FLUSH);
}

int mapseal_commit(struct mapseal_seal *seal, uint64_t offset, uint64_t length)
{
	return write_back(seal, offset, length, PROTO_COMMIT);
}
