/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Acquires and breaks as they come in, and what a break holds when it is ready.
 *
 * A hold keeps its range free: of new seals, of other breaks, of announced reads. Who presents its
 * token passes. It ends once, by its breaker, its expiry, or its breaker's end, and the token is
 * worth nothing from then on. A break without a hold is over the moment its account is written.
 */

#include "daemon/core/core-internal.h"
#include "daemon/core/token.h"

#include <errno.h>

static struct request *by_token(const struct core *core, uint64_t token)
{
	struct idmap_node *n = token ? idmap_find(&core->tokens, token) : NULL;

	return n ? container_of(n, struct request, by_token) : NULL;
}

static void carry_token(struct request *request, const struct request *hold)
{
	if (hold) {
		request->through = hold->node.id;
		request->rank = hold->rank;
	}
}

static void patience(const struct core *core, struct request *request, uint32_t wait_ms)
{
	if (wait_ms)
		request->until = deadline_add_ms(core->now, wait_ms);
}

int core_acquire(struct core *core, const struct core_acquire *acquire, uint64_t now,
		 uint64_t *ret_request)
{
	struct holder *holder = core_holder_find(core, acquire->holder);
	struct object *object = core_object_find(core, acquire->object);
	const struct request *hold = by_token(core, acquire->token);
	struct request *request;

	if (!holder)
		return CORE_E_BAD_HOLDER;
	if (!object)
		return CORE_E_BAD_OBJECT;
	if (acquire->start >= acquire->end)
		return CORE_E_BAD_RANGE;
	if (holder->info.max_io_ms > object->policy.hard_ms)
		return CORE_E_UNBOUNDED;
	if (acquire->token && !hold)
		return CORE_E_BAD_BREAK;
	core->now = now;
	request = core_request_new(core, REQUEST_ACQUIRE, holder);
	if (!request)
		return -ENOMEM;
	request->object = object;
	request->start = acquire->start;
	request->end = acquire->end;
	request->mode = acquire->mode;
	request->kind = acquire->kind;
	request->flags = acquire->flags;
	request->want = conflict_want(acquire->kind, acquire->mode);
	carry_token(request, hold);
	patience(core, request, acquire->wait_ms);
	*ret_request = request->node.id;
	core_admit_arrival(core, request);
	core_admit_run(core);
	return 0;
}

static int break_check(const struct core *core, const struct core_break *brk)
{
	if (brk->holder && !core_holder_find(core, brk->holder))
		return CORE_E_BAD_HOLDER;
	switch (brk->scope) {
	case CORE_SCOPE_RANGE:
		if (!core_object_find(core, brk->object))
			return CORE_E_BAD_OBJECT;
		if (brk->start >= brk->end)
			return CORE_E_BAD_RANGE;
		break;
	case CORE_SCOPE_OBJECT:
		if (!core_object_find(core, brk->object))
			return CORE_E_BAD_OBJECT;
		break;
	case CORE_SCOPE_DEVICE:
		if (!brk->device)
			return CORE_E_BAD_OBJECT;
		break;
	case CORE_SCOPE_ALL:
		break;
	default:
		return CORE_E_BAD_RANGE;
	}
	if (brk->token && !by_token(core, brk->token))
		return CORE_E_BAD_BREAK;
	return 0;
}

int core_break(struct core *core, const struct core_break *brk, uint64_t now, uint64_t *ret_request)
{
	struct holder *holder = core_holder_find(core, brk->holder);
	uint64_t process = holder ? holder->info.process : brk->process;
	bool range = brk->scope == CORE_SCOPE_RANGE;
	struct request *request;
	int r = break_check(core, brk);

	if (r)
		return r;
	core->now = now;
	request = core_request_new(
		core, brk->want == CORE_WANT_FOREIGN_READ ? REQUEST_READ : REQUEST_BREAK, holder);
	if (!request)
		return -ENOMEM;
	if ((brk->flags & CORE_F_GUARD) && process) {
		request->process = core_process_get(core, process);
		if (!request->process) {
			core_request_free(core, request);
			return -ENOMEM;
		}
	}
	request->scope = brk->scope;
	if (brk->scope <= CORE_SCOPE_OBJECT)
		request->object = core_object_find(core, brk->object);
	if (brk->scope == CORE_SCOPE_DEVICE)
		request->device = brk->device;
	request->start = range ? brk->start : 0;
	request->end = range ? brk->end : CORE_INFINITY;
	request->want = brk->want;
	request->flags = brk->flags;
	request->hold_ms = request->type == REQUEST_BREAK ? brk->hold_ms : 0;
	request->asker = process;
	carry_token(request, by_token(core, brk->token));
	patience(core, request, brk->wait_ms);
	core->stats.breaks++;
	*ret_request = request->node.id;
	core_admit_arrival(core, request);
	core_admit_run(core);
	return 0;
}

/* ---- holds ------------------------------------------------------------------------------- */

static void expired(struct core *core, struct timer *timer)
{
	core->stats.holds_expired++;
	core_hold_end(core, container_of(timer, struct request, timer), true);
}

static struct core_command *emit(struct core *core, enum core_command_type type,
				 const struct request *request)
{
	struct core_command *command = core_emit(core, type);

	command->request = request->node.id;
	command->holder = request->holder ? request->holder->node.id : 0;
	command->object = request->object ? request->object->node.id : 0;
	command->device = request->device;
	command->start = request->start;
	command->end = request->end;
	command->scope = request->scope;
	command->flags = request->flags;
	return command;
}

/* The policy of the object, or the core's own if it is about more than one. */
static const struct core_policy *policy_of(const struct core *core, const struct request *request)
{
	return request->object ? &request->object->policy : &core->config.policy;
}

void core_break_ready(struct core *core, struct request *request)
{
	struct core_command *command = emit(core, CORE_CMD_BREAK_READY, request);

	core_account_attach(core, request, command);
	if (!request->hold_ms)
		return;
	request->state = REQUEST_HELD;
	request->hold_ms = deadline_hold_ms(policy_of(core, request), request->hold_ms);
	request->until = deadline_add_ms(core->now, request->hold_ms);
	core_timer_set(core, &request->timer, request->until, expired);
	do {
		request->token = token_draw(core->config.token_seed, core->n_tokens++);
	} while (by_token(core, request->token));
	idmap_insert(&core->tokens, &request->by_token, request->token);
	core->stats.holds++;
	core_behind_hold(core, request);
	command->token = request->token;
	command->hold_ms = request->hold_ms;
}

void core_hold_end(struct core *core, struct request *request, bool has_expired)
{
	if (has_expired)
		emit(core, CORE_CMD_BREAK_EXPIRED, request);
	emit(core, CORE_CMD_BREAK_OVER, request);
	core_request_leave(core, request);
}

int core_break_end(struct core *core, uint64_t holder, uint64_t id, uint64_t token, uint64_t now)
{
	struct request *request = core_request_find(core, id);

	if (!request || request->state != REQUEST_HELD || request->token != token ||
	    (request->holder ? request->holder->node.id : 0) != holder)
		return CORE_E_BAD_BREAK;
	core->now = now;
	core_hold_end(core, request, false);
	core_admit_run(core);
	return 0;
}
