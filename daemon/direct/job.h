/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A job, from direct_submit() to its event: what direct.c and helper.c share. */

#include "daemon/direct/direct.h"
#include "util/idmap.h"
#include "util/list.h"

struct task {
	struct idmap_node node; /* by tag */
	struct list link;	/* of its lane, then of what is done */
	struct list all_link;
	struct direct_job job;
	struct direct_event event;
	_Atomic bool cancelled;
	int wake; /* eventfd: HELPER is cancelled; else -1 */
};

/* Runs it, and waits for its end, or until it is cancelled. */
void helper_run(struct task *task);
