/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The configuration, mapseald.conf(5): read once, whole or not at all.
 *
 * It knows the settings of core, pager, guard, sessions and exports; none of them knows
 * it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/authority/export.h"
#include "daemon/core/core.h"
#include "util/cleanup.h"

#define CONFIG_DEFAULT_SOCKET "/run/mapseal/mapseal.sock"
#define CONFIG_FAULT_MAX 512

struct pager_config;
struct quota_limits;

struct config {
	/* [daemon] */
	char *socket;
	mode_t socket_mode;
	gid_t socket_group; /* (gid_t)-1: as it comes */
	bool descriptors;   /* clients may pass their own descriptors */
	uid_t memory_owner;
	uint32_t guard; /* enum guard_level: the strongest that may be used */
	/* [quota], of one uid */
	uint64_t max_sessions, max_seals, max_window_bytes, max_in_flight;
	/* [defaults] */
	struct core_policy policy;
	/* [pager] */
	uint32_t readahead_pages, sequential_pages, granule_pages, max_mappers, spin_us;
	/* [export NAME], in order of name */
	struct export *exports;
	size_t n_exports;
};

/*
 * Reads @path and then the drop-ins PATH.d/?*.conf in order of their names; later settings win.
 * NULL: all defaults. On failure -errno, and the first fault in @fault: "FILE:LINE: what is wrong,
 * what would be right".
 */
int config_load(const char *path, struct config **ret, char *fault, size_t size);
struct config *config_free(struct config *config);
DEFINE_CLEANUP(struct config *, config_free)

/* The settings in the words of those they are for. */
void config_pager(const struct config *config, struct pager_config *ret);
void config_quota(const struct config *config, struct quota_limits *ret);
