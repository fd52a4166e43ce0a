/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl extents, and verify: where the blocks under a DIRECT seal were promised to be, and
 * whether they are there.
 *
 * verify ends with status 1 if any promise was broken, so that a script needs no look at what it
 * prints. What was given back while it looked is none.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/ctl/render.h"
#include "util/units.h"

static const struct {
	uint32_t bit;
	const char *name;
} flag_names[] = {
	{ MAPSEAL_EXTENT_UNWRITTEN, "unwritten" }, { MAPSEAL_EXTENT_SHARED, "shared" },
	{ MAPSEAL_EXTENT_INLINE, "inline" },	   { MAPSEAL_EXTENT_ENCODED, "encoded" },
	{ MAPSEAL_EXTENT_DELAYED, "delayed" },
};
#define N_FLAGS (sizeof(flag_names) / sizeof(flag_names[0]))

static struct json_object *json_flags(uint32_t flags)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags & flag_names[i].bit)
			json_append(array, json_new_string(flag_names[i].name));
	return array;
}

static const char *flags_text(uint32_t flags, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < N_FLAGS && used < size; i++)
		if (flags & flag_names[i].bit)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 used ? ", " : "", flag_names[i].name);
	return text;
}

/* ---- extents ----------------------------------------------------------------------------- */

struct listing {
	struct json_object *array; /* with --json */
	struct table *table;	   /* otherwise */
};

static void listing_done(struct listing *l)
{
	if (l->array)
		json_object_put(l->array);
	table_free(l->table);
}

static int add_extent(const struct mapseal_extent *extent, void *data)
{
	struct listing *l = data;
	struct json_object *o;

	if (l->table) {
		table_cell(l->table, "%" PRIu64, extent->offset);
		table_cell(l->table, "%" PRIu64, extent->physical);
		table_cell(l->table, "%" PRIu64, extent->length);
		return 0;
	}
	o = json_new_object();
	json_add_u64(o, "offset", extent->offset);
	json_add_u64(o, "physical", extent->physical);
	json_add_u64(o, "length", extent->length);
	json_add(o, "flags", json_flags(extent->flags));
	json_append(l->array, o);
	return 0;
}

COMMAND_FN(cmd_extents)
{
	static const struct column columns[] = {
		{ "OFFSET", true },
		{ "PHYSICAL", true },
		{ "LENGTH", true },
	};
	const struct option_spec options[] = { OPTION_END };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	_cleanup_(listing_done) struct listing l = { 0 };
	struct options_rest rest;
	uint64_t id;
	int r, ret;

	if (!ctl_arguments(ctl, self, options, 0, argv, 1, 1, &rest, &ret))
		return ret;
	ret = ctl_id(rest.operands[0], &id);
	if (!ret)
		ret = ctl_connect(ctl, NULL, &m);
	if (ret)
		return ret;
	if (ctl->json)
		l.array = json_new_array();
	else
		l.table = table_new(columns, 3);
	r = mapseal_extents(m, id, add_extent, &l);
	if (r < 0)
		return ctl_fail(r);
	if (l.table)
		table_print(l.table, true, stdout);
	else
		json_print(take_ptr(l.array), stdout);
	return EXIT_OK;
}

/* ---- verify ------------------------------------------------------------------------------ */

struct seals {
	uint64_t *ids;
	size_t n;
};

static void seals_done(struct seals *seals)
{
	free(seals->ids);
}

static int add_seal(const struct mapseal_seal_info *info, void *data)
{
	struct seals *seals = data;
	uint64_t *ids;

	if (strcmp(info->kind, "direct") != 0)
		return 0;
	ids = reallocarray(seals->ids, seals->n + 1, sizeof(*ids));
	if (!ids)
		render_no_memory();
	seals->ids = ids;
	seals->ids[seals->n++] = info->id;
	return 0;
}

/* A place on the device, or null. */
static void add_physical(struct json_object *o, const char *name, uint64_t physical)
{
	if (physical == MAPSEAL_NOWHERE)
		json_add(o, name, NULL);
	else
		json_add_u64(o, name, physical);
}

static const char *physical_text(uint64_t physical, char *text, size_t size)
{
	if (physical == MAPSEAL_NOWHERE)
		snprintf(text, size, "a hole");
	else
		snprintf(text, size, "at %" PRIu64, physical);
	return text;
}

struct differences {
	struct json_object *array; /* with --json */
	FILE *text;		   /* otherwise */
};

static int add_difference(const struct mapseal_difference *d, void *data)
{
	struct differences *differences = data;
	char promised[40], now[40], flags[80];
	struct json_object *o;

	if (!differences->array) {
		fprintf(differences->text, "  %" PRIu64 "+%" PRIu64 ": promised %s, now %s%s%s\n",
			d->offset, d->length,
			physical_text(d->promised, promised, sizeof(promised)),
			physical_text(d->now, now, sizeof(now)), d->flags ? ", " : "",
			flags_text(d->flags, flags, sizeof(flags)));
		return 0;
	}
	o = json_new_object();
	json_add_u64(o, "offset", d->offset);
	json_add_u64(o, "length", d->length);
	add_physical(o, "promised", d->promised);
	add_physical(o, "now", d->now);
	json_add(o, "flags", json_flags(d->flags));
	json_append(differences->array, o);
	return 0;
}

static void print_text(uint64_t id, const struct mapseal_verified *v, const char *differences)
{
	char bytes[UNITS_MAX];

	if (v->differences == 0)
		printf("seal %" PRIu64 ": kept, %" PRIu64 " extent%s\n", id, v->extents,
		       v->extents == 1 ? "" : "s");
	else
		printf("seal %" PRIu64 ": BROKEN, %s in %" PRIu64 " place%s\n%s", id,
		       units_format_bytes(v->bytes, bytes), v->differences,
		       v->differences == 1 ? "" : "s", differences);
}

static struct json_object *to_json(uint64_t id, const struct mapseal_verified *v,
				   struct json_object *differences)
{
	struct json_object *o = json_new_object();

	json_add_u64(o, "seal", id);
	json_add_bool(o, "kept", v->differences == 0);
	json_add_u64(o, "extents", v->extents);
	json_add_u64(o, "bytes", v->bytes);
	json_add_u64(o, "places", v->differences);
	json_add(o, "differences", differences);
	return o;
}

/* 0, or a negative errno; *ret_broken is set if it is. */
static int verify_one(struct mapseal *m, uint64_t id, struct json_object *out, bool *ret_broken)
{
	struct differences differences = { 0 };
	struct mapseal_verified v;
	char *text = NULL;
	size_t size;
	int r;

	if (out)
		differences.array = json_new_array();
	else
		differences.text = open_memstream(&text, &size);
	if (!differences.array && !differences.text)
		render_no_memory();
	r = mapseal_verify(m, id, add_difference, &differences, &v);
	if (differences.text)
		fclose(differences.text);
	if (r == 0 && out)
		json_append(out, to_json(id, &v, take_ptr(differences.array)));
	else if (r == 0)
		print_text(id, &v, text);
	if (differences.array)
		json_object_put(differences.array);
	free(text);
	if (r == 0 && v.differences)
		*ret_broken = true;
	return r;
}

COMMAND_FN(cmd_verify)
{
	const struct option_spec options[] = { OPTION_END };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	_cleanup_(seals_done) struct seals seals = { 0 };
	_cleanup_(listing_done) struct listing l = { 0 };
	struct options_rest rest;
	bool broken = false, named;
	uint64_t id = 0;
	int r, ret;

	if (!ctl_arguments(ctl, self, options, 0, argv, 0, 1, &rest, &ret))
		return ret;
	named = rest.n_operands == 1;
	ret = named ? ctl_id(rest.operands[0], &id) : 0;
	if (!ret)
		ret = ctl_connect(ctl, NULL, &m);
	if (ret)
		return ret;
	if (ctl->json)
		l.array = json_new_array();
	r = named ? verify_one(m, id, l.array, &broken) :
		    mapseal_list_seals(m, 0, add_seal, &seals);
	for (size_t i = 0; r == 0 && i < seals.n; i++) {
		r = verify_one(m, seals.ids[i], l.array, &broken);
		if (r == -ESTALE)
			r = 0;
	}
	if (r < 0)
		return ctl_fail(r);
	if (l.array)
		json_print(take_ptr(l.array), stdout);
	return broken ? EXIT_FAILED : EXIT_OK;
}
