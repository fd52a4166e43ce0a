/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Questions that change nothing: seals, requests, figures, names. */

#include "daemon/core/core-internal.h"

bool core_seal_find(const struct core *core, uint64_t id, struct core_seal_view *ret)
{
	struct idmap_node *n = idmap_find(&core->seals, id);

	if (!n)
		return false;
	core_seal_view(container_of(n, struct seal, node), ret);
	return true;
}

typedef bool (*seal_fn)(const struct core_seal_view *seal, void *data);

static bool each(const struct object *object, uint64_t start, uint64_t end, seal_fn fn, void *data)
{
	for (struct interval *i = interval_first(&object->seals, start, end); i;
	     i = interval_next(i, start, end)) {
		struct core_seal_view view;

		core_seal_view(seal_of(i), &view);
		if (!fn(&view, data))
			return false;
	}
	return true;
}

void core_seal_each(const struct core *core, uint64_t id, uint64_t start, uint64_t end, seal_fn fn,
		    void *data)
{
	if (id) {
		const struct object *object = core_object_find(core, id);

		if (object)
			each(object, start, end, fn, data);
		return;
	}
	list_for_each(i, &core->object_list)
		if (!each(list_entry(i, struct object, link), start, end, fn, data))
			return;
}

static void show(const struct request *r, struct core_request_view *ret)
{
	*ret = (struct core_request_view){
		.id = r->node.id,
		.holder = r->holder ? r->holder->node.id : 0,
		.process = r->asker,
		.object = r->object ? r->object->node.id : 0,
		.start = r->start,
		.end = r->end,
		.want = r->want,
		.scope = r->scope,
		.is_break = r->type >= REQUEST_BREAK,
		.held = r->state == REQUEST_HELD,
		.since = r->since,
		.until = r->until,
		.n_account = r->n_entries,
	};
}

bool core_request_show(const struct core *core, uint64_t id, struct core_request_view *ret)
{
	const struct request *r = core_request_find(core, id);

	if (!r || !r->in_line)
		return false;
	show(r, ret);
	return true;
}

void core_request_each(const struct core *core,
		       bool (*fn)(const struct core_request_view *request, void *data), void *data)
{
	list_for_each(i, &core->requests) {
		const struct request *r = list_entry(i, struct request, link);
		struct core_request_view view;

		if (!r->in_line)
			continue;
		show(r, &view);
		if (!fn(&view, data))
			return;
	}
}

void core_request_account(const struct core *core, uint64_t id,
			  void (*fn)(const struct core_account_entry *line, void *data), void *data)
{
	const struct request *r = core_request_find(core, id);

	for (size_t i = 0; r && i < r->n_entries; i++) {
		struct core_account_entry line;

		core_account_line(core, r->entries[i], &line);
		fn(&line, data);
	}
}

void core_stats(const struct core *core, struct core_stats *ret)
{
	*ret = core->stats;
	ret->bytes_per_seal = SEAL_BYTES;
}

const char *core_error_string(int error)
{
	static const char *const names[] = {
		[CORE_OK] = "OK",
		[CORE_E_BAD_RANGE] = "BAD_RANGE",
		[CORE_E_BAD_HOLDER] = "BAD_HOLDER",
		[CORE_E_BAD_OBJECT] = "BAD_OBJECT",
		[CORE_E_BAD_SEAL] = "BAD_SEAL",
		[CORE_E_OLD_SEQ] = "OLD_SEQ",
		[CORE_E_BAD_BREAK] = "BAD_BREAK",
		[CORE_E_STATE] = "STATE",
		[CORE_E_OWN_CONFLICT] = "OWN_CONFLICT",
		[CORE_E_DENIED] = "DENIED",
		[CORE_E_DEADLOCK] = "DEADLOCK",
		[CORE_E_RECALL_CONFLICT] = "RECALL_CONFLICT",
		[CORE_E_RETURN_CONFLICT] = "RETURN_CONFLICT",
		[CORE_E_TRY_LATER] = "TRY_LATER",
		[CORE_E_TIMED_OUT] = "TIMED_OUT",
		[CORE_E_UNBOUNDED] = "UNBOUNDED",
		[CORE_E_HOLDER_GONE] = "HOLDER_GONE",
		[CORE_E_IO] = "IO",
	};

	if (error < 0 || (size_t)error >= sizeof(names) / sizeof(names[0]))
		return "?";
	return names[error];
}
