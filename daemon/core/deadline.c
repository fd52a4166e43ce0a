/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The deadline model as a table, and the arithmetic that goes with it.
 *
 * Pure functions: the state they are about lives in recalls, fences and holds. All sums saturate at
 * CORE_NEVER, so that no setting, however large, wraps around into the past.
 *
 * How the settings work together, for one recall:
 *
 *	grant      recall sent                 deadline      hard limit
 *	  |--min_hold-->|------deadline_ms-------->|             |
 *	                |          or max_io_ms    |--DELAY----->|
 *	                |                     progress_ms        |
 *	                |-------------hard_ms------------------->|
 *
 * At the deadline the seal is revoked: a fence begins, which has fence_ms to end in good order and
 * is forced then. After the last one the breaker goes on, and may hold the range for hold_ms.
 *
 * Where nobody had to be asked the same times run from when somebody comes: deadline_ms (or max_io_ms)
 * where the whole seal is being returned already, fence_ms where its holder is dead.
 */

#include "daemon/core/deadline.h"

#include <errno.h>

#define NS_PER_MS UINT64_C(1000000)
#define FIELD(f) #f, offsetof(struct core_policy, f)

const struct deadline_rule deadline_table[] = {
	{ FIELD(deadline_ms), 2000, 1, 3600000, "the recall is sent to the holder",
	  "the last of what was asked for is back; else the seal is revoked" },
	{ FIELD(hard_ms), 10000, 1, 3600000, "the recall is sent to the holder",
	  "the seal is revoked, whatever the holder asked for or gave back so far" },
	{ FIELD(progress_ms), 500, 0, 3600000, "part of a recalled range has been given back",
	  "as deadline_ms, which it moves ahead to here, never past hard_ms" },
	{ FIELD(min_hold_ms), 20, 0, 60000, "a seal is granted, or granted again",
	  "the first recall may be sent" },
	{ FIELD(hold_ms), 30000, 1, 86400000, "a break with a hold is ready",
	  "the breaker ends it; else it expires and its token is worth nothing" },
	{ FIELD(fence_ms), 2000, 1, 3600000, "a window is being taken back for somebody who waits",
	  "the mechanism reports it fenced; else it is told to force it" },
	{ FIELD(settle_ms), 1000, 0, 3600000, "a seal is granted where a stranger may still be at work",
	  "the stranger's operation is over; else the seal is weak, or refused (strict)" },
};

const size_t n_deadline_table = sizeof(deadline_table) / sizeof(deadline_table[0]);

static uint32_t *setting(struct core_policy *policy, const struct deadline_rule *rule)
{
	return (uint32_t *)(void *)((char *)policy + rule->offset);
}

struct core_policy core_policy_default(void)
{
	struct core_policy policy = { 0 };

	for (size_t i = 0; i < n_deadline_table; i++)
		*setting(&policy, &deadline_table[i]) = deadline_table[i].standard;
	return policy;
}

int core_policy_check(const struct core_policy *policy, const char **ret_field)
{
	struct core_policy copy = *policy;

	for (size_t i = 0; i < n_deadline_table; i++) {
		uint32_t value = *setting(&copy, &deadline_table[i]);

		if (value < deadline_table[i].min || value > deadline_table[i].max) {
			*ret_field = deadline_table[i].name;
			return -EINVAL;
		}
	}
	if (policy->deadline_ms > policy->hard_ms) {
		*ret_field = "deadline_ms";
		return -EINVAL;
	}
	return 0;
}

uint64_t deadline_add_ms(uint64_t at, uint64_t ms)
{
	if (ms > (CORE_NEVER - at) / NS_PER_MS)
		return CORE_NEVER;
	return at + ms * NS_PER_MS;
}

uint64_t deadline_due(const struct core_policy *policy, uint64_t granted_at)
{
	return deadline_add_ms(granted_at, policy->min_hold_ms);
}

void deadline_recall(const struct core_policy *policy, uint32_t max_io_ms, uint64_t now,
		     uint64_t *ret_deadline, uint64_t *ret_hard)
{
	uint32_t ms = policy->deadline_ms > max_io_ms ? policy->deadline_ms : max_io_ms;

	*ret_deadline = deadline_add_ms(now, ms < policy->hard_ms ? ms : policy->hard_ms);
	*ret_hard = deadline_add_ms(now, policy->hard_ms);
}

uint64_t deadline_delay(uint64_t deadline, uint64_t hard, uint64_t now, uint32_t delay_ms)
{
	uint64_t to = deadline_add_ms(now, delay_ms);

	if (to > hard)
		to = hard;
	return to > deadline ? to : deadline;
}

uint64_t deadline_progress(const struct core_policy *policy, uint64_t deadline, uint64_t hard,
			   uint64_t now)
{
	return deadline_delay(deadline, hard, now, policy->progress_ms);
}

uint32_t deadline_hold_ms(const struct core_policy *policy, uint32_t hold_ms)
{
	return hold_ms < policy->hold_ms ? hold_ms : policy->hold_ms;
}

uint32_t deadline_ms(uint64_t from, uint64_t to)
{
	uint64_t ms = to > from ? (to - from) / NS_PER_MS : 0;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}
