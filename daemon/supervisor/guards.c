/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Objects and seals, as the guard is told of them.
 *
 *	first request ──▶ armed ─────────────────────────▶ disarmed, with the object
 *	granted ──▶ told to the guard ──▶ in force: the holder hears of it
 *			    └─▶ tainted ──▶ settled in time: the same
 *					    └─▶ not: weak, or, on a strict export, refused
 *	granted again ──▶ the same; its threads stay parked meanwhile
 *
 * An object is armed before the core is asked for its first seal, so that nothing a stranger begins
 * from then on goes unseen. Holders hear of a seal when the guard has it: until then it is the
 * core's alone, and who wants the range gets it at once.
 *
 * Outsiders, who had the file open before it was armed, are not waited for: who has a file open
 * mostly keeps it so. What was let go since then mostly ends soon, and has settle-ms for it. A
 * seal that was granted as a weak one becomes a strong one when they are gone all the same.
 *
 * A lease is on one description, and ends when another is opened. DIRECT seals give their holders
 * one, so a file that has some is not guarded by leases any more; but not before there is nothing
 * left that such a seal could be refused for. And a lease is in the way of who does not want to
 * wait (O_NONBLOCK) even if there is nothing to wait for, so it is dropped with the last seal.
 */

#include <errno.h>
#include <stdio.h>

#include "daemon/config/config.h"
#include "daemon/supervisor/wiring.h"
#include "util/cleanup.h"

#define MAX_HELD 4096 /* strangers at a time; each is a thread that sleeps in the kernel */
#define EVENTS_AT_ONCE 64 /* who is denied comes again at once: others want their turn */

/* ---- objects ---------------------------------------------------------------------------- */

static uint32_t at_most(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The kernel ends a lease after a time of its own; a breaker must have been let go before. */
void guards_bound_policy(const struct supervisor *s, const struct object *object,
			 struct core_policy *policy)
{
	uint32_t limit = object->armed ? guard_limit_ms(s->guard, object->guard) : 0;

	if (!limit)
		return;
	policy->min_hold_ms = at_most(policy->min_hold_ms, limit / 8);
	policy->fence_ms = at_most(policy->fence_ms, limit / 4);
	policy->hard_ms =
		at_most(policy->hard_ms, limit - policy->min_hold_ms - policy->fence_ms);
	policy->deadline_ms = at_most(policy->deadline_ms, policy->hard_ms);
}

static int arm(struct supervisor *s, struct object *object, int fd)
{
	enum guard_writable_opens opens =
		object->hold_opens ? GUARD_OPENS_HOLD : GUARD_OPENS_WATCH;
	int r = guard_arm(s->guard, object->node.id, fd, opens, &object->guard);

	object->armed = r == 0;
	if (r == 0) {
		guards_bound_policy(s, object, &object->policy);
		core_object_policy(s->core, object->node.id, &object->policy);
	}
	return r;
}

static int arm_anew(struct supervisor *s, struct object *object)
{
	if (object->armed || object->unguarded || object->anonymous)
		return 0;
	return arm(s, object, object->fd);
}

int guards_arm(struct supervisor *s, struct object *object, bool direct, struct refusal *refusal)
{
	char name[PROTO_STR_MAX];
	int r;

	if (object->anonymous)
		return 0;
	r = arm_anew(s, object);
	if (r < 0)
		return refuse_errno(refusal, PROTO_E_NO_MEMORY, r, "the file can't be guarded");
	if (object->strict && (!object->armed || object->guard == GUARD_COOPERATIVE ||
			       (direct && guards_by_lease(object))))
		return refuse(refusal, PROTO_E_UNSUPPORTED,
			      "%s is strict, and programs that do not speak to this supervisor can't "
			      "be kept from it here (mapsealctl doctor says why)",
			      describe_object(object, name, sizeof(name)));
	return 0;
}

bool guards_by_lease(const struct object *object)
{
	return object->armed && object->guard == GUARD_LEASE;
}

void guards_end_lease(struct supervisor *s, struct object *object)
{
	char name[PROTO_STR_MAX];

	if (!guards_by_lease(object))
		return;
	object->unguarded = true;
	guards_disarm(s, object);
	log_line(LOG_LEVEL_NOTICE,
		 "%s: a DIRECT seal ends the guard by leases, which allow one open description",
		 describe_object(object, name, sizeof(name)));
}

int guards_renew(struct supervisor *s, struct object *object, int fd)
{
	return object->armed ? arm(s, object, fd) : 0;
}

void guards_disarm(struct supervisor *s, struct object *object)
{
	if (object->armed)
		guard_disarm(s->guard, object->node.id);
	object->armed = false;
	object->guard = GUARD_COOPERATIVE;
}

void guards_idle(struct supervisor *s, struct object *object)
{
	if (guards_by_lease(object))
		guards_disarm(s, object);
}

/* ---- seals ------------------------------------------------------------------------------ */

enum guard_level guards_level(struct supervisor *s, const struct seal *seal, bool *ret_weak)
{
	const struct object *object = seal->window->object;
	struct guard_state state;

	*ret_weak = false;
	if (!object->armed || object->guard == GUARD_COOPERATIVE)
		return GUARD_COOPERATIVE;
	*ret_weak = seal->weak || (object->guard == GUARD_LEASE &&
				   guard_state(s->guard, object->node.id, &state) && state.weak);
	return object->guard;
}

/* Windows show copies, which several may share. Where the guard could not answer for one, or its own
 * holder wrote beside it (DIRECT), it may be old, and no later one is to begin with it. */
uint64_t guards_era(struct supervisor *s, const struct object *object)
{
	struct guard_state state;

	if (!object->armed || !guard_state(s->guard, object->node.id, &state))
		return object->era;
	return object->era + state.lost;
}

static int tell_guard(struct supervisor *s, struct seal *seal)
{
	struct core_seal_view view;
	struct guard_seal guarded;
	int r;

	if (!core_seal_find(s->core, seal->node.id, &view))
		return -ENOENT;
	guarded = (struct guard_seal){
		.id = view.id,
		.object = view.object,
		.start = view.start,
		.end = view.end,
		.kind = view.kind,
		.mode = view.mode,
		.pinnable = view.pinnable,
	};
	r = guard_seal_add(s->guard, &guarded);
	seal->guarded |= r >= 0;
	return r;
}

static void go_on(struct supervisor *s, struct seal *seal)
{
	enum settling was = seal->settling;

	seal->settling = SETTLING_NOTHING;
	core_settled(s->core, seal->node.id);
	if (was == SETTLING_GRANT)
		window_begin(s, seal);
	else if (was == SETTLING_REGRANT)
		regrant_begin(s, seal);
}

static void give_up(struct supervisor *s, struct seal *seal, const struct refusal *refusal)
{
	enum settling was = seal->settling;

	guards_forget(s, seal);
	if (was == SETTLING_REGRANT)
		regrant_failed(s, seal, refusal->text);
	else
		seal_undo(s, seal, refusal);
}

/* Who had the file open is found out first, so that the refusal can name them. */
static void refuse_strict(struct supervisor *s, struct seal *seal)
{
	struct object *object = seal->window->object;
	bool first = list_empty(&object->naming);
	struct refusal refusal;

	list_append(&object->naming, &seal->naming);
	if (!first || guard_outsiders(s->guard, object->node.id) == 0)
		return;
	refuse(&refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	give_up(s, seal, &refusal);
}

static void unsettled(struct supervisor *s, struct seal *seal)
{
	if (seal->window->object->strict) {
		refuse_strict(s, seal);
		return;
	}
	guard_seal_insist(s->guard, seal->node.id);
	seal->weak = seal->window->object->had_weak = true;
	go_on(s, seal);
}

static void begin_era(struct object *object, const struct window *window, int told)
{
	if ((object->had_weak && told == 0) || (window->direct && window->write)) {
		object->era++;
		object->had_weak = false;
	}
}

void guards_admit(struct supervisor *s, struct seal *seal, enum settling what)
{
	struct object *object = seal->window->object;
	struct guard_state state = { 0 };
	struct refusal refusal;
	int r = arm_anew(s, object);

	/* of a DIRECT one a lease does not hear: it ends with that */
	if (r == 0 && object->armed && object->guard != GUARD_COOPERATIVE &&
	    !(seal->window->direct && guards_by_lease(object)))
		r = tell_guard(s, seal);
	seal->settling = what;
	seal->weak = false;
	begin_era(object, seal->window, r);
	if (r == GUARD_TAINTED) {
		guard_state(s->guard, object->node.id, &state);
		if (state.weak || core_settle(s->core, seal->node.id, loop_now()) != 0)
			unsettled(s, seal);
	} else if (r < 0) {
		refuse_errno(&refusal, PROTO_E_NO_MEMORY, r, "the range can't be guarded");
		give_up(s, seal, &refusal);
	} else {
		go_on(s, seal);
	}
}

void guards_unsettled(struct supervisor *s, const struct core_command *command)
{
	struct seal *seal = seal_find(s, command->seal);

	if (seal && seal->settling)
		unsettled(s, seal);
}

void guards_shrunk(struct supervisor *s, struct seal *seal, struct seal *upper)
{
	const struct object *object = seal->window->object;

	/* of one that is parked the guard hears when both halves are granted again */
	if (!object->armed || object->guard == GUARD_COOPERATIVE || seal->undoing ||
	    !seal->guarded)
		return;
	if (upper && seal->settling) {
		guards_admit(s, upper, seal->settling);
		tell_guard(s, seal);
		return;
	}
	/* the upper half first, and at once: what it promises has been in force all the time */
	if (upper && tell_guard(s, upper) == GUARD_TAINTED) {
		guard_seal_insist(s->guard, upper->node.id);
		upper->weak = seal->weak;
	}
	tell_guard(s, seal);
}

void guards_forget(struct supervisor *s, struct seal *seal)
{
	begin_era(seal->window->object, seal->window, -1);
	seal->settling = SETTLING_NOTHING;
	core_settled(s->core, seal->node.id);
	list_unlink(&seal->naming);
	if (seal->guarded)
		guard_seal_remove(s->guard, seal->node.id);
	seal->guarded = false;
}

/* ---- events ----------------------------------------------------------------------------- */

static void settled(struct supervisor *s, const struct guard_event *event)
{
	struct seal *seal = seal_find(s, event->seal);

	if (!seal)
		return;
	seal->weak = false;
	begin_era(seal->window->object, seal->window, 0);
	list_unlink(&seal->naming);
	if (seal->settling)
		go_on(s, seal);
}

static void refuse_named(const struct object *object, const struct guard_event *event,
			 struct refusal *refusal)
{
	char name[PROTO_STR_MAX], pids[GUARD_PIDS_MAX * 12] = "";
	uint32_t n = event->n_pids < GUARD_PIDS_MAX ? event->n_pids : GUARD_PIDS_MAX;
	int used = 0;

	for (uint32_t i = 0; i < n; i++)
		used += snprintf(pids + used, sizeof(pids) - (size_t)used, "%s%d", i ? ", " : "",
				 event->pids[i]);
	describe_object(object, name, sizeof(name));
	if (n)
		refuse(refusal, PROTO_E_OUTSIDERS,
		       "%s is strict, and pid %s%s have it open, since before it could be guarded or "
		       "for writing; end them, or have them close it",
		       name, pids, event->n_pids > n ? " and others" : "");
	else
		refuse(refusal, PROTO_E_OUTSIDERS,
		       "%s is strict, and somebody has it open, or is still at work on it, whom /proc "
		       "does not tell (a mapping whose descriptor was closed, I/O under way); try again",
		       name);
}

static void named(struct supervisor *s, const struct guard_event *event)
{
	struct object *object = object_find(s, event->object);
	struct refusal refusal;
	struct list *l;

	if (!object)
		return;
	refuse_named(object, event, &refusal);
	while ((l = list_first(&object->naming))) {
		struct seal *seal = list_entry(l, struct seal, naming);

		list_unlink(l);
		give_up(s, seal, &refusal);
	}
}

void guards_drain(struct supervisor *s)
{
	struct guard_event event;

	s->guard_waits = true;
	for (int n = 0; n < EVENTS_AT_ONCE; n++) {
		if (!guard_next(s->guard, &event)) {
			s->guard_waits = false;
			return;
		}
		switch (event.type) {
		case GUARD_EVENT_HELD:
			stranger_held(s, &event);
			break;
		case GUARD_EVENT_GONE:
			stranger_gone(s, &event);
			break;
		case GUARD_EVENT_SETTLED:
			settled(s, &event);
			break;
		case GUARD_EVENT_OUTSIDERS:
			named(s, &event);
			break;
		}
		/* before the next event: it may be about what this one set off */
		commands_drain(s);
	}
}

int guards_new(struct supervisor *s, int group)
{
	struct guard_config config = {
		.group = group,
		.strongest = (enum guard_level)s->config->guard,
		.max_held = MAX_HELD,
	};

	return guard_new(&config, &s->guard);
}
