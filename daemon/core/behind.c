/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who stands behind whom.
 *
 * Each request that can't go on because of the line stands behind one other, and each knows those
 * who stand behind it: trees, with those at the roots who wait for seals alone, or hold.
 *
 * Two may take longer than any recall: a hold, and a read, since a flush takes as long as the disk
 * does. Whoever is beneath one is stalled: it is not its turn before that one has left, whatever
 * else happens. Who is held by a guard can't be told to try later and would be kept in the kernel
 * for all that time, so it stands behind neither, and behind nobody who is stalled. It overtakes
 * nobody by that who could have gone on: when the hold or the read has left those are stalled no
 * more, are looked at at once, each at the place in the line that it always had, and whoever has
 * passed them and still waits is behind them again. However many pass, they take nobody's turn:
 * they leave nothing behind that a read would have to have flushed, too.
 *
 * Trees are walked without recursion; they may be as deep as the line is long. A walk touches what
 * one stalls or releases, and each of those was looked at when it came to stand there.
 */

#include "daemon/core/core-internal.h"

static bool stalls(const struct request *request)
{
	return request->state == REQUEST_HELD || request->type == REQUEST_READ;
}

bool core_behind_passed(const struct request *request)
{
	return stalls(request) || request->stalled;
}

static struct request *first_behind(const struct request *request)
{
	struct list *l = list_first(&request->behind);

	return l ? list_entry(l, struct request, ahead_link) : NULL;
}

/* After @request, and all that is beneath it, in the tree of @root. */
static struct request *next_beneath(const struct request *root, const struct request *request)
{
	while (request != root) {
		const struct request *ahead = request->ahead;

		if (request->ahead_link.next != &ahead->behind)
			return list_entry(request->ahead_link.next, struct request, ahead_link);
		request = ahead;
	}
	return NULL;
}

static void pass(struct core *core, struct request *request)
{
	list_unlink(&request->ahead_link);
	request->ahead = NULL;
	request->stalled = false;
	if (request->outstanding == 0)
		core_request_ready(core, request);
}

/* All beneath @root, but for guards, which need not wait for that, and what waits for them. */
static void stall(struct core *core, const struct request *root)
{
	struct request *request = first_behind(root), *next;

	for (; request; request = next) {
		next = NULL;
		if (!request->stalled && !(request->flags & CORE_F_GUARD)) {
			request->stalled = true;
			next = first_behind(request);
		}
		if (!next)
			next = next_beneath(root, request);
		if (request->flags & CORE_F_GUARD)
			pass(core, request);
	}
}

static void release(const struct request *root)
{
	struct request *request = first_behind(root), *next;

	for (; request; request = next) {
		request->stalled = false;
		next = stalls(request) ? NULL : first_behind(request);
		if (!next)
			next = next_beneath(root, request);
	}
}

void core_behind_wait(struct core *core, struct request *request, struct request *ahead)
{
	request->ahead = ahead;
	request->stalled = core_behind_passed(ahead);
	list_append(&ahead->behind, &request->ahead_link);
	if (request->stalled)
		stall(core, request);
}

void core_behind_hold(struct core *core, const struct request *hold)
{
	stall(core, hold);
}

void core_behind_leave(struct core *core, struct request *request)
{
	bool stalled = core_behind_passed(request);
	struct request *next;

	list_unlink(&request->ahead_link);
	request->ahead = NULL;
	request->stalled = false;
	if (stalled)
		release(request);
	while ((next = first_behind(request)))
		pass(core, next);
}
