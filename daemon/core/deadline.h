/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The deadline model: every time-out of mapseal is a line of deadline_table.
 *
 * There is no other timer in the system, except that a caller may bound its own patience (wait_ms).
 * The clock is CLOCK_MONOTONIC, which stands still in suspend: waking up revokes nothing.
 */

#include <stddef.h>
#include <stdint.h>

#include "daemon/core/core.h"

struct deadline_rule {
	const char *name; /* as in mapseald.conf and struct core_policy */
	size_t offset;	  /* in struct core_policy */
	uint32_t standard, min, max;
	const char *starts, *ends;
};

extern const struct deadline_rule deadline_table[];
extern const size_t n_deadline_table;

/* All standards. */
struct core_policy core_policy_default(void);

/* Whether a configured policy makes sense: each setting within its bounds, none contradicting
 * another. -EINVAL, and the name of the setting that is wrong. */
int core_policy_check(const struct core_policy *policy, const char **ret_field);

uint64_t deadline_add_ms(uint64_t at, uint64_t ms);

/* The earliest time at which a seal granted at @granted_at may be recalled. */
uint64_t deadline_due(const struct core_policy *policy, uint64_t granted_at);

/* Of a recall sent @now to a holder that declared @max_io_ms. */
void deadline_recall(const struct core_policy *policy, uint32_t max_io_ms, uint64_t now,
		     uint64_t *ret_deadline, uint64_t *ret_hard);

/* After the holder asked for @delay_ms more, and after it gave part of the range back. Neither ever
 * moves a deadline closer, or beyond the hard limit. */
uint64_t deadline_delay(uint64_t deadline, uint64_t hard, uint64_t now, uint32_t delay_ms);
uint64_t deadline_progress(const struct core_policy *policy, uint64_t deadline, uint64_t hard,
			   uint64_t now);

/* The length of a hold that was asked for. */
uint32_t deadline_hold_ms(const struct core_policy *policy, uint32_t hold_ms);

/* Whole milliseconds from @from to @to, 0 if that is past; more than fit are UINT32_MAX. */
uint32_t deadline_ms(uint64_t from, uint64_t to);
