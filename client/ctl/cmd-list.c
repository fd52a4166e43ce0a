/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl list, and show: who holds what, and (list --breaks) who waits for whom.
 *
 * The callbacks of a listing may call nothing of the library, and call nothing of it: they fill an
 * array or a table, which is printed when the listing is complete, so that a failure in the middle
 * prints no half of it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/ctl/render.h"
#include "util/range.h"
#include "util/units.h"

struct listing {
	struct json_object *array; /* with --json */
	struct table *table;	   /* otherwise */
	size_t n;
};

static const struct column seal_columns[] = {
	{ "ID", true },	   { "OBJECT", false }, { "RANGE", false },   { "MODE", false },
	{ "KIND", false }, { "STATE", false },	{ "SEQ", true },      { "GUARD", false },
	{ "PID", true },   { "UID", true },	{ "COMMAND", false }, { "HELD", true },
	{ "DIRTY", true },
};

static int add_seal(const struct mapseal_seal_info *info, void *data)
{
	struct listing *l = data;
	char range[RANGE_TEXT_MAX], buf[UNITS_MAX];

	l->n++;
	if (l->array) {
		json_append(l->array, json_seal(info));
		return 0;
	}
	table_cell(l->table, "%" PRIu64, info->id);
	table_cell(l->table, "%s", info->object);
	table_cell(l->table, "%s", range_format(info->offset, info->length, range));
	table_cell(l->table, "%s", info->mode);
	table_cell(l->table, "%s%s", info->kind, info->broken ? " (BROKEN)" : "");
	table_cell(l->table, "%s", info->state);
	table_cell(l->table, "%" PRIu32, info->seq);
	table_cell(l->table, "%s%s", info->guard, info->weak ? " (weak)" : "");
	table_cell(l->table, "%d", (int)info->pid);
	table_cell(l->table, "%u", (unsigned int)info->uid);
	table_cell(l->table, "%s", info->comm);
	table_cell(l->table, "%s", units_format_ms(info->held_ms, buf));
	table_cell(l->table, "%s", units_format_bytes(info->dirty, buf));
	return 0;
}

static const struct column break_columns[] = {
	{ "ID", true },	    { "OBJECT", false },    { "RANGE", false }, { "WANTS", false },
	{ "STATE", false }, { "PID", true },	    { "UID", true },	{ "COMMAND", false },
	{ "SINCE", true },  { "WAITS FOR", false },
};

static int add_break(const struct mapseal_break_info *info, void *data)
{
	struct listing *l = data;
	char range[RANGE_TEXT_MAX], buf[UNITS_MAX], seals[128] = "";
	size_t used = 0;

	l->n++;
	if (l->array) {
		json_append(l->array, json_waiter(info));
		return 0;
	}
	for (size_t i = 0; i < info->n_account && used < sizeof(seals); i++)
		used += (size_t)snprintf(seals + used, sizeof(seals) - used, "%s%" PRIu64 " %s",
					 i ? ", " : "", info->account[i].seal,
					 info->account[i].result);
	table_cell(l->table, "%" PRIu64, info->id);
	table_cell(l->table, "%s", info->object);
	table_cell(l->table, "%s", range_format(info->offset, info->length, range));
	table_cell(l->table, "%s", info->want);
	table_cell(l->table, "%s", info->held ? "held" : "waiting");
	table_cell(l->table, "%d", (int)info->pid);
	table_cell(l->table, "%u", (unsigned int)info->uid);
	table_cell(l->table, "%s", info->comm);
	table_cell(l->table, "%s", units_format_ms(info->ms, buf));
	table_cell(l->table, "%s", seals);
	return 0;
}

static void listing_print(struct listing *l)
{
	if (l->array)
		json_print(l->array, stdout);
	else if (l->n)
		table_print(l->table, true, stdout);
	l->array = NULL;
}

static void listing_done(struct listing *l)
{
	if (l->array)
		json_object_put(l->array);
	table_free(l->table);
}

COMMAND_FN(cmd_list)
{
	bool breaks = false;
	const struct option_spec options[] = {
		OPTION_FLAG('b', "breaks", &breaks,
			    "breaks and waiters, and the seals in their way"),
		OPTION_END,
	};
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	_cleanup_(listing_done) struct listing l = { 0 };
	struct options_rest rest;
	int r, ret;

	if (!ctl_arguments(ctl, self, options, 0, argv, 0, 0, &rest, &ret))
		return ret;
	ret = ctl_connect(ctl, NULL, &m);
	if (ret)
		return ret;
	if (ctl->json)
		l.array = json_new_array();
	else if (breaks)
		l.table =
			table_new(break_columns, sizeof(break_columns) / sizeof(break_columns[0]));
	else
		l.table = table_new(seal_columns, sizeof(seal_columns) / sizeof(seal_columns[0]));

	r = breaks ? mapseal_list_breaks(m, 0, add_break, &l) :
		     mapseal_list_seals(m, 0, add_seal, &l);
	if (r < 0)
		return ctl_fail(r);
	listing_print(&l);
	return EXIT_OK;
}

static void show_row(struct table *table, const char *name, const char *value)
{
	table_cell(table, "%s", name);
	table_cell(table, "%s", value);
}

struct shown {
	bool json;
	size_t n;
};

static int show_seal(const struct mapseal_seal_info *info, void *data)
{
	static const struct column columns[] = { { "", false }, { "", false } };
	struct shown *shown = data;
	char range[RANGE_TEXT_MAX], buf[UNITS_MAX];
	struct table *t;

	shown->n++;
	if (shown->json) {
		json_print(json_seal(info), stdout);
		return 1;
	}
	t = table_new(columns, 2);
	table_cell(t, "seal");
	table_cell(t, "%" PRIu64, info->id);
	show_row(t, "object", info->object);
	show_row(t, "range", range_format(info->offset, info->length, range));
	show_row(t, "length", units_format_bytes(info->length, buf));
	show_row(t, "mode", info->mode);
	show_row(t, "kind", info->kind);
	if (strcmp(info->kind, "direct") == 0)
		show_row(t, "block map", info->broken ? "BROKEN: see mapsealctl verify" : "as promised, as far as is known");
	show_row(t, "state", info->state);
	table_cell(t, "seq");
	table_cell(t, "%" PRIu32, info->seq);
	show_row(t, "guard", info->guard);
	show_row(t, "proved", info->weak ? "no (weak)" : "yes");
	table_cell(t, "holder");
	table_cell(t, "pid %d (%s), uid %u", (int)info->pid, info->comm, (unsigned int)info->uid);
	show_row(t, "held for", units_format_ms(info->held_ms, buf));
	show_row(t, "is taken in",
		 info->deadline_ms ? units_format_ms(info->deadline_ms, buf) : "-");
	show_row(t, "written, not yet clean", units_format_bytes(info->dirty, buf));
	show_row(t, "pinnable", info->pinnable ? "yes" : "no");
	show_row(t, "transparent", info->transparent ? "yes" : "no");
	show_row(t, "on conflict", info->hard ? "others are denied" : "it is recalled");
	table_print(t, false, stdout);
	table_free(t);
	return 1;
}

COMMAND_FN(cmd_show)
{
	const struct option_spec options[] = { OPTION_END };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	struct shown shown = { 0 };
	struct options_rest rest;
	uint64_t id;
	int r, ret;

	if (!ctl_arguments(ctl, self, options, 0, argv, 1, 1, &rest, &ret))
		return ret;
	shown.json = ctl->json;
	ret = ctl_id(rest.operands[0], &id);
	if (!ret)
		ret = ctl_connect(ctl, NULL, &m);
	if (ret)
		return ret;
	r = mapseal_list_seals(m, id, show_seal, &shown);
	if (r < 0 && r != -ENOENT && r != -ESTALE)
		return ctl_fail(r);
	if (shown.n == 0) {
		ctl_complain("there is no seal %" PRIu64 ", or it is not yours to see", id);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}
