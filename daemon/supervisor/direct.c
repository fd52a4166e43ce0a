/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * DIRECT seals: what the core says about them, carried out by direct/ instead of the pager.
 *
 *	granted ──▶ map is made ──▶ GRANTED, with the file     refused: the grant is undone
 *	fence ────▶ map is compared ──▶ return: over
 *			            └─▶ else: the fence helper, if there is one ──▶ fenced or unfenced
 *	granted again ──▶ map is made anew ──▶ REGRANTED       refused: the seal is over
 *
 * The holder maps the file itself, so nothing here can take it away. A return is its word that it
 * has stopped, and nothing has to be fenced; when it does not return, what it or those it told may
 * still do is unknown, unless the administrator's helper knows. That is what is reported, and
 * never more.
 *
 * Where the file is guarded by a lease, its end is the last thing before the file is handed out:
 * the map is made once to see that it can be, and again when the lease is gone.
 *
 * A seal is fenced only after what makes its map has ended (it is cancelled then): what allocates
 * must not run on while a breaker has the range. The time of every fence is the core's; when it is
 * up the answer is given without waiting for disks or helpers, and what may run on then is
 * unfenced.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemon/authority/authority.h"
#include "daemon/supervisor/wiring.h"

int direct_allowed(struct supervisor *s, const struct object *object, struct refusal *refusal)
{
	char type[MOUNTS_TYPE_MAX] = "memory without a file";
	int r = object->anonymous ? 0 : mounts_type(s->mounts, object->fd, 0, type);

	if (r < 0)
		return refuse(refusal, PROTO_E_UNSUPPORTED,
			      "what file system the file is on can't be told");
	if (strcmp(type, "ext4") == 0 || strcmp(type, "xfs") == 0)
		return 0;
	return refuse(refusal, PROTO_E_UNSUPPORTED,
		      "DIRECT seals are for files on ext4 and xfs, where blocks stay in place when they "
		      "are overwritten, and this is %s; ask for a WINDOW seal",
		      type);
}

static void fenced(struct supervisor *s, uint64_t core_job, enum core_fence fence)
{
	core_fenced(s->core, &(struct core_fence_result){ .job = core_job, .fence = fence },
		    loop_now());
}

/* ---- making the map --------------------------------------------------------------------- */

static int begin_prepare(struct supervisor *s, struct seal *seal, enum errand_for what_for,
			 uint64_t start, uint64_t end)
{
	struct window *window = seal->window;
	struct direct_job job = {
		.type = DIRECT_PREPARE,
		.unshare = window->unshare,
		.hand_out = what_for == ERRAND_GRANT && !guards_by_lease(window->object),
		.write = window->write,
	};
	struct errand errand = {
		.what_for = what_for,
		.seal = seal->node.id,
		.start = start,
		.end = end,
		.serial = window->serial,
	};

	return errand_submit(s, &errand, window, &job, &seal->preparing);
}

void direct_granted(struct supervisor *s, struct seal *seal)
{
	struct window *window = seal->window;
	struct refusal refusal;
	int r;

	r = begin_prepare(s, seal, ERRAND_GRANT, window->start, window->end);
	if (r < 0) {
		refuse_errno(&refusal, PROTO_E_NO_MEMORY, r, "the blocks can't be looked at");
		seal_undo(s, seal, &refusal);
	}
}

static void refuse_prepared(const struct direct_event *event, struct refusal *refusal)
{
	switch (event->error) {
	case DIRECT_E_FILE_SYSTEM:
	case DIRECT_E_LAYOUT:
		refuse(refusal, PROTO_E_UNSUPPORTED, "%s", event->why);
		break;
	case DIRECT_E_SHRUNK:
		refuse(refusal, PROTO_E_BAD_RANGE, "%s", event->why);
		break;
	case DIRECT_E_BUSY:
		/* not TRY_LATER: nobody is in the way whose going AVAIL would tell */
		refuse(refusal, PROTO_E_GONE, "%s", event->why);
		break;
	default:
		refuse(refusal, PROTO_E_IO, "%s", event->why);
		refusal->number = event->error < 0 ? -event->error : EIO;
	}
}

static void take_map(struct window *window, struct direct_event *event)
{
	direct_map_unref(window->map);
	window->map = take_ptr(event->map);
	window->map_version++;
}

static void granted(struct supervisor *s, struct seal *seal, const struct errand *errand,
		    struct direct_event *event)
{
	uint64_t fence = seal->fence_after;
	struct refusal refusal;

	seal->fence_after = 0;
	if (!event->error && !fence && event->fd < 0) {
		guards_end_lease(s, seal->window->object);
		direct_granted(s, seal);
		return;
	}
	if (!event->error && !fence) {
		take_map(seal->window, event);
		object_refresh(s, seal->window->object);
		seal_announce(s, seal, errand->serial, take_fd(&event->fd));
		return;
	}
	if (fence)
		refuse(&refusal, PROTO_E_GONE,
		       "somebody else needed the range before its blocks were ready; try again");
	else
		refuse_prepared(event, &refusal);
	seal_undo(s, seal, &refusal);
	if (fence)
		fenced(s, fence, CORE_FENCE_NONE);
}

void direct_regrant(struct supervisor *s, struct seal *seal, uint64_t start, uint64_t end)
{
	int r = begin_prepare(s, seal, ERRAND_REGRANT, start, end);

	if (r < 0)
		regrant_failed(s, seal, error_text(-r));
}

static void regranted(struct supervisor *s, struct seal *seal, const struct errand *errand,
		      struct direct_event *event)
{
	uint64_t fence = seal->fence_after;
	struct core_seal_view view;
	struct proto_message message = { .type = PROTO_REGRANTED };

	seal->fence_after = 0;
	if (fence) {
		fenced(s, fence, CORE_FENCE_NONE);
		return;
	}
	if (!core_seal_find(s->core, seal->node.id, &view))
		return;
	if (event->error) {
		regrant_failed(s, seal, event->why);
		return;
	}
	/* another half of the window was granted again meanwhile: what is told of that here is old */
	if (errand->map_version != seal->window->map_version) {
		int r = begin_prepare(s, seal, ERRAND_REGRANT, errand->start, errand->end);

		if (r < 0)
			regrant_failed(s, seal, error_text(-r));
		return;
	}
	take_map(seal->window, event);
	seal->broken_bytes = 0;
	message.regranted.seal = view.id;
	message.regranted.seq = view.seq;
	message.regranted.size = object_refresh(s, seal->window->object);
	seal_event(seal, &message);
	watch_tell(s, &(struct change){
			      .change = PROTO_CHANGE_REGRANTED,
			      .id = view.id,
			      .object = view.object,
			      .start = view.start,
			      .end = view.end,
			      .holder = view.holder,
			      .detail = "",
		      });
}

static void prepared(struct supervisor *s, const struct errand *errand, struct direct_event *event)
{
	struct seal *seal = seal_find(s, errand->seal);

	if (!seal || seal->preparing != errand->node.id)
		return;
	seal->preparing = 0;
	if (errand->what_for == ERRAND_GRANT)
		granted(s, seal, errand, event);
	else
		regranted(s, seal, errand, event);
}

/* ---- fences ----------------------------------------------------------------------------- */

static void fence_over(struct supervisor *s, const struct errand *errand, enum core_fence fence)
{
	if (errand->cause == CORE_CAUSE_PARK)
		watch_tell(s, &(struct change){
				      .change = PROTO_CHANGE_PARKED,
				      .id = errand->seal,
				      .object = errand->object,
				      .start = errand->start,
				      .end = errand->end,
				      .holder = errand->holder,
				      .detail = proto_text(PROTO_TEXT_FENCE, fence),
			      });
	fenced(s, errand->core_job, fence);
}

/* What is said when nobody looks. */
static enum core_fence unknown(enum core_cause cause)
{
	return cause == CORE_CAUSE_RETURN ? CORE_FENCE_NONE : CORE_FENCE_UNFENCED;
}

void direct_fence(struct supervisor *s, const struct core_command *c)
{
	struct window *window = window_find(s, c->window);
	struct seal *seal = seal_find(s, c->seal);
	struct direct_job job = { .type = DIRECT_VERIFY };
	struct errand errand = {
		.what_for = ERRAND_FENCE,
		.core_job = c->job,
		.cause = c->cause,
		.seal = c->seal,
		.start = c->start,
		.end = c->end,
	};
	uint64_t tag;

	if (seal && seal->preparing) {
		/* one that overtakes another is the one that counts: the core forgives the other */
		if (seal->fence_after)
			fenced(s, seal->fence_after, CORE_FENCE_NONE);
		seal->fence_after = c->job;
		direct_cancel(s->direct, seal->preparing);
		return;
	}
	if (!seal || seal->undoing || !window->map) {
		fenced(s, c->job, CORE_FENCE_NONE);
		return;
	}
	errand.holder = window->client->node.id;
	errand.object = window->object->node.id;
	if (errand_submit(s, &errand, window, &job, &tag) == 0) {
		seal->fencing = tag;
		return;
	}
	log_line(LOG_LEVEL_ERROR,
		 "whether the block map under seal %" PRIu64 " was kept can't be said: no memory",
		 c->seal);
	fence_over(s, &errand, unknown(c->cause));
}

bool direct_force(struct supervisor *s, const struct core_command *c)
{
	struct seal *seal = seal_find(s, c->seal);
	struct errand *errand;

	if (!seal || !seal->window->direct)
		return false;
	if (seal->fence_after == c->job) {
		/* what makes the map is stuck, and may still allocate */
		seal->fence_after = 0;
		fenced(s, c->job, unknown(c->cause));
		return true;
	}
	errand = errand_find(s, seal->fencing);
	if (!errand || errand->core_job != c->job || errand->over)
		return true;
	errand->over = true;
	direct_cancel(s->direct, seal->fencing);
	log_line(LOG_LEVEL_WARNING,
		 "seal %" PRIu64 ": looking at its block map, or fencing it, took too long",
		 c->seal);
	fence_over(s, errand, unknown(c->cause));
	return true;
}

/* ---- the helper ------------------------------------------------------------------------- */

static char *facts(const struct errand *errand, const struct window *window)
{
	static const char *const causes[] = {
		[CORE_CAUSE_RETURN] = "return",
		[CORE_CAUSE_REVOKE] = "revoke",
		[CORE_CAUSE_PARK] = "park",
		[CORE_CAUSE_DEATH] = "death",
	};
	const struct client *client = window->client;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "MAPSEAL_SEAL=%" PRIu64 "%c", errand->seal, 0);
	fprintf(f, "MAPSEAL_CAUSE=%s%c", causes[errand->cause], 0);
	fprintf(f, "MAPSEAL_MODE=%s%c", window->write ? "write" : "read", 0);
	fprintf(f, "MAPSEAL_OBJECT=%s%c", window->object->name, 0);
	fprintf(f, "MAPSEAL_DEVICE=%u:%u%c", major(window->object->dev), minor(window->object->dev),
		0);
	fprintf(f, "MAPSEAL_INODE=%" PRIu64 "%c", (uint64_t)window->object->ino, 0);
	fprintf(f, "MAPSEAL_OFFSET=%" PRIu64 "%c", errand->start, 0);
	fprintf(f, "MAPSEAL_LENGTH=%" PRIu64 "%c", errand->end - errand->start, 0);
	fprintf(f, "MAPSEAL_PID=%d%c", client->pid, 0);
	fprintf(f, "MAPSEAL_UID=%u%c", client->uid, 0);
	fprintf(f, "MAPSEAL_COMM=%s%c%c", client->comm, 0, 0);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static bool begin_helper(struct supervisor *s, const struct errand *errand)
{
	struct window *window = window_find(s, errand->window);
	struct seal *seal = seal_find(s, errand->seal);
	struct direct_job job = { .type = DIRECT_HELPER };
	uint64_t tag;

	if (!window || !seal || !window->object->fence_helper)
		return false;
	job.helper = strdup(window->object->fence_helper);
	job.facts = facts(errand, window);
	if (job.helper && job.facts && errand_submit(s, errand, window, &job, &tag) == 0) {
		seal->fencing = tag;
		return true;
	}
	free(job.helper);
	free(job.facts);
	log_line(LOG_LEVEL_ERROR, "seal %" PRIu64 ": the fence helper can't be started: no memory",
		 errand->seal);
	return false;
}

static void verified(struct supervisor *s, const struct errand *errand,
		     const struct direct_event *event)
{
	if (errand->over)
		return;
	broken_look(s, errand, event);
	if (errand->cause == CORE_CAUSE_RETURN || !begin_helper(s, errand))
		fence_over(s, errand, unknown(errand->cause));
}

static void helped(struct supervisor *s, const struct errand *errand,
		   const struct direct_event *event)
{
	if (event->fenced)
		log_line(LOG_LEVEL_NOTICE, "seal %" PRIu64 ": fenced by the fence helper",
			 errand->seal);
	else
		log_line(LOG_LEVEL_WARNING, "seal %" PRIu64 ": not fenced: %s", errand->seal,
			 event->why);
	if (!errand->over)
		fence_over(s, errand, event->fenced ? CORE_FENCE_FENCED : CORE_FENCE_UNFENCED);
}

/* ---- what is reported ------------------------------------------------------------------- */

static void done(struct supervisor *s, struct errand *errand, struct direct_event *event)
{
	switch (event->type) {
	case DIRECT_PREPARE:
		prepared(s, errand, event);
		break;
	case DIRECT_VERIFY:
		if (errand->what_for == ERRAND_REQUEST)
			verify_done(s, errand, event);
		else
			verified(s, errand, event);
		break;
	case DIRECT_HELPER:
		helped(s, errand, event);
		break;
	}
}

void direct_drain(struct supervisor *s)
{
	struct direct_event event;
	struct errand *errand;

	while (direct_next(s->direct, &event)) {
		errand = errand_find(s, event.tag);
		if (errand)
			done(s, errand, &event);
		errand_forget(s, errand);
		direct_event_deinit(&event);
		/* before the next report: it may be about what this one set off */
		commands_drain(s);
	}
}
