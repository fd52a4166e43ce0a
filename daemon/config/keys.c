/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The keys, their bounds and their defaults, and what they are to those they configure.
 *
 * The keys of deadlines are not written down here: they are made from the core's deadline_table, so
 * that a new deadline can be configured, in [defaults] and in exports, without anybody thinking of
 * it.
 */

#include "daemon/config/keys.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/core/deadline.h"
#include "daemon/guard/guard.h"
#include "daemon/pager/pager.h"
#include "daemon/session/quota.h"

#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)
#define IN_CONFIG(field) .offset = offsetof(struct config, field)
#define IN_EXPORT(field) .offset = offsetof(struct export, field)
#define EXPORT_LIST(field)                                                                         \
	.offset = offsetof(struct export, field), .offset_n = offsetof(struct export, n_##field)
#define NO_YES .words = { "no", "yes" }

static const struct setting daemon_keys[] = {
	{ "socket", SETTING_PATH, IN_CONFIG(socket),
	  .max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 },
	{ "socket-mode", SETTING_MODE, IN_CONFIG(socket_mode) },
	{ "socket-group", SETTING_GROUP, IN_CONFIG(socket_group) },
	{ "descriptors", SETTING_BOOL, IN_CONFIG(descriptors), NO_YES },
	{ "memory-owner", SETTING_USER, IN_CONFIG(memory_owner) },
	{ "guard", SETTING_WORD, IN_CONFIG(guard), .min = GUARD_COOPERATIVE,
	  .words = { "cooperative", "lease", "fanotify" } },
};

static const struct setting quota_keys[] = {
	{ "max-sessions", SETTING_COUNT, IN_CONFIG(max_sessions), .min = 1, .max = 65536 },
	{ "max-seals", SETTING_COUNT, IN_CONFIG(max_seals), .min = 1, .max = 16777216 },
	{ "max-window-bytes", SETTING_SIZE, IN_CONFIG(max_window_bytes), .min = 4 * KIB,
	  .max = KIB * KIB * GIB },
	{ "max-in-flight", SETTING_COUNT, IN_CONFIG(max_in_flight), .min = 1, .max = 65536 },
};

static const struct setting pager_keys[] = {
	{ "readahead-pages", SETTING_POWER, IN_CONFIG(readahead_pages), .min = 1, .max = 512 },
	{ "sequential-pages", SETTING_POWER, IN_CONFIG(sequential_pages), .min = 1, .max = 512 },
	{ "granule-pages", SETTING_POWER, IN_CONFIG(granule_pages), .min = 1, .max = 512 },
	{ "max-mappers", SETTING_COUNT32, IN_CONFIG(max_mappers), .min = 1, .max = 1024 },
	{ "spin-us", SETTING_COUNT32, IN_CONFIG(spin_us), .min = 0, .max = 10000 },
};

static const struct setting export_keys[] = {
	{ "path", SETTING_PATH, IN_EXPORT(path), .max = PATH_MAX - 1 },
	{ "directory", SETTING_PATH, IN_EXPORT(path), .max = PATH_MAX - 1 },
	{ "read", SETTING_GRANTS, EXPORT_LIST(read) },
	{ "write", SETTING_GRANTS, EXPORT_LIST(write) },
	{ "kernel-faults", SETTING_WHO, EXPORT_LIST(kernel_faults) },
	{ "on-conflict", SETTING_BOOL, IN_EXPORT(deny), .words = { "recall", "deny" } },
	{ "strict", SETTING_BOOL, IN_EXPORT(strict), NO_YES },
	{ "writable-opens", SETTING_WORD, IN_EXPORT(opens), .min = EXPORT_OPENS_WATCH,
	  .words = { "watch", "hold" } },
	{ "on-death", SETTING_BOOL, IN_EXPORT(discard), .words = { "write", "discard" } },
	{ "fence-helper", SETTING_PATH, IN_EXPORT(fence_helper), .max = PATH_MAX - 1 },
	{ "max-seals", SETTING_COUNT, IN_EXPORT(max_seals), .min = 1, .max = 16777216 },
	{ "max-window-bytes", SETTING_SIZE, IN_EXPORT(max_window_bytes), .min = 4 * KIB,
	  .max = KIB * KIB * GIB },
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Made when first asked for: deadline_table is a constant of another file. */
static struct setting deadline_keys[KEYS_MAX], all_export_keys[KEYS_MAX];
static char deadline_names[KEYS_MAX][24];

static struct section sections[_SECTION_N] = {
	{ SECTION_DAEMON, "[daemon]", daemon_keys, N(daemon_keys), N(daemon_keys) },
	{ SECTION_QUOTA, "[quota]", quota_keys, N(quota_keys), N(quota_keys) },
	{ SECTION_DEFAULTS, "[defaults]", deadline_keys, 0, 0 },
	{ SECTION_PAGER, "[pager]", pager_keys, N(pager_keys), N(pager_keys) },
	{ SECTION_EXPORT, "[export]", all_export_keys, 0, N(export_keys) },
};

static void make_deadline_keys(void)
{
	size_t n = n_deadline_table;

	if (sections[SECTION_DEFAULTS].n_keys)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct deadline_rule *rule = &deadline_table[i];

		for (size_t j = 0; rule->name[j] && j < sizeof(deadline_names[i]) - 1; j++)
			deadline_names[i][j] = rule->name[j] == '_' ? '-' : rule->name[j];
		deadline_keys[i] = (struct setting){
			.name = deadline_names[i],
			.type = SETTING_COUNT32,
			.offset = rule->offset,
			.min = rule->min,
			.max = rule->max,
		};
	}
	memcpy(all_export_keys, export_keys, sizeof(export_keys));
	memcpy(all_export_keys + N(export_keys), deadline_keys, n * sizeof(*deadline_keys));
	sections[SECTION_DEFAULTS].n_keys = n;
	sections[SECTION_EXPORT].n_keys = N(export_keys) + n;
}

const struct section *keys_section(const char *name)
{
	static const char *const names[_SECTION_N] = {
		[SECTION_DAEMON] = "daemon",	 [SECTION_QUOTA] = "quota",
		[SECTION_DEFAULTS] = "defaults", [SECTION_PAGER] = "pager",
	};

	make_deadline_keys();
	if (strncmp(name, "export ", strlen("export ")) == 0)
		return &sections[SECTION_EXPORT];
	for (size_t i = 0; i < _SECTION_N; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return &sections[i];
	return NULL;
}

struct core_policy keys_merge_policy(const struct core_policy *general,
				     const struct core_policy *own, uint64_t set)
{
	struct core_policy merged = *general;

	for (size_t i = 0; i < n_deadline_table; i++)
		if (set & UINT64_C(1) << i)
			memcpy((char *)&merged + deadline_table[i].offset,
			       (const char *)own + deadline_table[i].offset, sizeof(uint32_t));
	return merged;
}

struct config *keys_defaults(void)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	*config = (struct config){
		.socket = strdup(CONFIG_DEFAULT_SOCKET),
		.socket_mode = 0666,
		.socket_group = (gid_t)-1,
		.descriptors = true,
		/* the last one there is: outside of every range that users are made from */
		.memory_owner = 4294967294,
		.guard = GUARD_FANOTIFY,
		.max_sessions = 64,
		.max_seals = 4096,
		.max_window_bytes = 4 * GIB,
		.max_in_flight = 256,
		.policy = core_policy_default(),
		.readahead_pages = 16,
		.sequential_pages = 64,
		.granule_pages = 4,
		.max_mappers = 8,
		.spin_us = 50,
	};
	return config->socket ? config : config_free(config);
}

void config_pager(const struct config *config, struct pager_config *ret)
{
	*ret = (struct pager_config){
		.memory_owner = config->memory_owner,
		.readahead_pages = config->readahead_pages,
		.sequential_pages = config->sequential_pages,
		.granule_pages = config->granule_pages,
		.max_mappers = config->max_mappers,
		.spin_us = config->spin_us,
	};
}

void config_quota(const struct config *config, struct quota_limits *ret)
{
	*ret = (struct quota_limits){
		.max = {
			[QUOTA_SESSIONS] = config->max_sessions,
			[QUOTA_SEALS] = config->max_seals,
			[QUOTA_WINDOW_BYTES] = config->max_window_bytes,
			[QUOTA_WAITING] = config->max_in_flight,
		},
	};
}
