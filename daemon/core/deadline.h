/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The deadline model: every time-out that decides about a seal is a line of deadline_table, and
 * every other time that anything waits for is one of the constants below.
 *
 * There is no other timer in the system, except that a caller may bound its own patience (wait_ms),
 * and that the service manager says how often it wants to hear of us (WatchdogSec=). The clock is
 * CLOCK_MONOTONIC, which stands still in suspend: waking up revokes nothing.
 */

#include <stddef.h>
#include <stdint.h>

#include "daemon/core/core.h"

/*
 * Of the mechanisms. They can't be set: whatever they are, no seal is granted, asked for or taken
 * because of them. mapseald.conf(5) tells them too, with the library's one (client/fence.c).
 *
 *	LATE, LATE_IDLE    a READ window came back -> its pages are taken out, while requests wait
 *	                   for others, and if none does
 *	PROOF              a client's probe page is to be read -> its ATTACH is refused
 *	LOOK               an address space was seen to live -> it is looked at again
 *	RETRY, RETRY_MAX   an address space was changing (EAGAIN) -> tried again; more and more for
 *	                   its faults
 *	STORM              ... and goes on changing -> a flush or a commit copies what it can't
 *	                   protect, and a window is granted again with its marks of SIGBUS
 *	QUIET              there was no descriptor for a fork -> its event is read again
 *	REARM              the kernel took no more operations of the loop -> they are handed in again
 *	LEAVE              the end of the supervisor -> threads that a disk keeps are left behind
 *	MARGIN             a hard limit under a guard by lease -> the kernel ends the lease itself; a
 *	                   fifth of the kernel's own time, if that is less
 *	AWAKE              a stranger is held and does not sleep yet -> it is looked at again, so
 *	                   many times, and then taken for the worst that it can be
 *	PROVE, PROVE_MAX   what was let go may not be over -> it is looked at again, ever less often
 *	DEVICES            a break is ready -> it is answered, though the kernel has not told what is
 *	                   registered with RDMA devices
 *	PRESSURE           waited for memory in all, within the window -> the kernel tells
 */
#define DEADLINE_LATE_NS      UINT64_C(10000000)
#define DEADLINE_LATE_IDLE_NS UINT64_C(200000)
#define DEADLINE_PROOF_NS     UINT64_C(1000000000)
#define DEADLINE_LOOK_NS      UINT64_C(2000000000)
#define DEADLINE_RETRY_NS     UINT64_C(200000)
#define DEADLINE_RETRY_MAX_NS UINT64_C(5000000)
#define DEADLINE_STORM_NS     UINT64_C(1000000000)
#define DEADLINE_QUIET_NS     UINT64_C(10000000)
#define DEADLINE_REARM_NS     UINT64_C(1000000)
#define DEADLINE_LEAVE_S      2
#define DEADLINE_MARGIN_MS    5000
#define DEADLINE_AWAKE_MS     1
#define DEADLINE_AWAKE_TRIES  250
#define DEADLINE_PROVE_NS     UINT64_C(1000000)
#define DEADLINE_PROVE_MAX_NS UINT64_C(1024000000)
#define DEADLINE_DEVICES_NS   UINT64_C(500000000)
/* as the kernel wants them written */
#define DEADLINE_PRESSURE_US	    "200000"
#define DEADLINE_PRESSURE_WINDOW_US "2000000"

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
