/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sections and their keys: the tables that mapseald.conf(5) describes. */

#include "daemon/config/config.h"
#include "daemon/config/setting.h"

#define KEYS_MAX 24 /* in one section */

enum section_id {
	SECTION_DAEMON,
	SECTION_QUOTA,
	SECTION_DEFAULTS,
	SECTION_PAGER,
	SECTION_EXPORT,
	_SECTION_N,
};

struct section {
	enum section_id id;
	const char *title;
	const struct setting *keys;
	/* Of the keys of an export the first n_own are fields of struct export; the others are
	 * lines of deadline_table, in its order, and fields of struct core_policy. */
	size_t n_keys, n_own;
};

/* By its name as it stands in brackets; NULL: there is none. */
const struct section *keys_section(const char *name);

/* A configuration that nobody has touched; NULL: out of memory. */
struct config *keys_defaults(void);

/* @own where its bit of @set says so, else @general. */
struct core_policy keys_merge_policy(const struct core_policy *general,
				     const struct core_policy *own, uint64_t set);
