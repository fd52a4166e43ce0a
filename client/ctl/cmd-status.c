/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl status: one look at the supervisor, and at what this session may ask of it.
 */

#include <stdio.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/ctl/render.h"
#include "util/units.h"

static void row(struct table *table, const char *name, const char *value)
{
	table_cell(table, "%s", name);
	table_cell(table, "%s", value);
}

static void row_count(struct table *table, const char *name, uint64_t value)
{
	table_cell(table, "%s", name);
	table_cell(table, "%llu", (unsigned long long)value);
}

static void print(const struct mapseal_status *s)
{
	static const struct column columns[] = { { "", false }, { "", false } };
	struct table *table = table_new(columns, 2);
	char buf[UNITS_MAX];

	row(table, "version", s->version);
	row_count(table, "pid", (uint64_t)s->pid);
	table_cell(table, "epoch");
	table_cell(table, "%016llx", (unsigned long long)s->epoch);
	row(table, "up for", units_format_ms(s->uptime_ms, buf));
	row_count(table, "sessions", s->sessions);
	row_count(table, "objects", s->objects);
	row_count(table, "seals", s->seals);
	row_count(table, "breaks", s->breaks);
	row(table, "window memory", units_format_bytes(s->window_bytes, buf));
	row(table, "quarantined", units_format_bytes(s->quarantined, buf));
	row_count(table, "grants", s->grants);
	row_count(table, "recalls", s->recalls);
	row_count(table, "returns", s->returns);
	row_count(table, "revocations", s->revocations);
	row_count(table, "faults", s->faults);
	row_count(table, "pages filled", s->pages_filled);
	row_count(table, "pages written", s->pages_written);
	row(table, "guard, at best", guard_name(s->guard));
	row_count(table, "strangers held now", s->strangers);
	row_count(table, "strangers held", s->strangers_held);
	row_count(table, "strangers denied", s->strangers_denied);
	row_count(table, "broken promises", s->broken_promises);
	row(table, "your window memory, at most", units_format_bytes(s->max_window_bytes, buf));
	row_count(table, "your seals, at most", s->max_seals);
	row(table, "deadline of a recall", units_format_ms(s->deadline_ms, buf));
	row(table, "hard limit of a recall", units_format_ms(s->hard_ms, buf));
	row(table, "longest break hold", units_format_ms(s->hold_ms, buf));
	row(table, "SIGBUS after revocation", s->poison ? "yes" : "no: threads park instead");
	row(table, "dirty tracking by granule",
	    s->wp_continue ? "yes" : "no: every page that is read counts as written");
	row(table, "system calls on absent pages",
	    s->kernel_faults ? "served, for exports that allow it" : "EFAULT: populate first");
	table_print(table, false, stdout);
	table_free(table);
}

COMMAND_FN(cmd_status)
{
	const struct option_spec options[] = { OPTION_END };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	struct mapseal_status status = { 0 };
	struct options_rest rest;
	int r, ret;

	if (!ctl_arguments(ctl, self, options, 0, argv, 0, 0, &rest, &ret))
		return ret;
	ret = ctl_connect(ctl, NULL, &m);
	if (ret)
		return ret;
	r = mapseal_get_status(m, &status);
	if (r < 0)
		return ctl_fail(r);
	if (ctl->json)
		json_print(json_status(&status), stdout);
	else
		print(&status);
	return EXIT_OK;
}
