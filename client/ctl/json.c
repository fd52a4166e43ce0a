/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * JSON of everything that mapsealctl shows. Strings that other users chose are made valid UTF-8
 * first, as json-c passes bytes through and a reader would refuse the whole document.
 */

#include "client/ctl/json.h"

#include <stdlib.h>
#include <string.h>

#include "client/ctl/render.h"

static struct json_object *must(struct json_object *value)
{
	if (!value)
		render_no_memory();
	return value;
}

struct json_object *json_new_object(void)
{
	return must(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return must(json_object_new_array());
}

void json_add(struct json_object *object, const char *name, struct json_object *value)
{
	if (json_object_object_add(object, name, value) < 0)
		render_no_memory();
}

struct json_object *json_new_string(const char *text)
{
	return must(json_object_new_string(text));
}

void json_add_string(struct json_object *object, const char *name, const char *text)
{
	char *valid = render_utf8(text);

	json_add(object, name, must(json_object_new_string(valid)));
	free(valid);
}

void json_add_u64(struct json_object *object, const char *name, uint64_t value)
{
	json_add(object, name, must(json_object_new_uint64(value)));
}

void json_add_bool(struct json_object *object, const char *name, bool value)
{
	json_add(object, name, must(json_object_new_boolean(value)));
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value) < 0)
		render_no_memory();
}

static void add_i64(struct json_object *object, const char *name, int64_t value)
{
	json_add(object, name, must(json_object_new_int64(value)));
}

struct json_object *json_holder(pid_t pid, uid_t uid, const char *comm)
{
	struct json_object *o = json_new_object();

	add_i64(o, "pid", pid);
	json_add_u64(o, "uid", uid);
	json_add_string(o, "comm", comm);
	return o;
}

static void add_place(struct json_object *o, const char *object, uint64_t offset, uint64_t length)
{
	json_add_string(o, "object", object);
	json_add_u64(o, "offset", offset);
	json_add_u64(o, "length", length);
}

struct json_object *json_seal(const struct mapseal_seal_info *info)
{
	struct json_object *o = json_new_object();

	json_add_u64(o, "id", info->id);
	add_place(o, info->object, info->offset, info->length);
	json_add_string(o, "mode", info->mode);
	json_add_string(o, "kind", info->kind);
	json_add_string(o, "state", info->state);
	json_add_u64(o, "seq", info->seq);
	json_add_string(o, "guard", info->guard);
	json_add(o, "holder", json_holder(info->pid, info->uid, info->comm));
	json_add_bool(o, "pinnable", info->pinnable);
	json_add_bool(o, "transparent", info->transparent);
	json_add_bool(o, "weak", info->weak);
	json_add_bool(o, "hard", info->hard);
	json_add_bool(o, "broken", info->broken);
	json_add_u64(o, "held_ms", info->held_ms);
	json_add_u64(o, "deadline_ms", info->deadline_ms);
	json_add_u64(o, "dirty", info->dirty);
	return o;
}

struct json_object *json_account(const struct mapseal_account *account, size_t n)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_new_object();

		add_i64(o, "pid", account[i].pid);
		json_add_u64(o, "seal", account[i].seal);
		json_add_string(o, "result", account[i].result);
		json_add_string(o, "fence", account[i].fence);
		json_add_u64(o, "ms", account[i].ms);
		json_add_u64(o, "uid", account[i].uid);
		json_add_string(o, "comm", account[i].comm);
		json_add_string(o, "answer", account[i].answer);
		json_add_u64(o, "quarantined", account[i].quarantined);
		json_add_u64(o, "registrations", account[i].registrations);
		json_add_u64(o, "registered", account[i].registered);
		json_append(array, o);
	}
	return array;
}

struct json_object *json_waiter(const struct mapseal_break_info *info)
{
	struct json_object *o = json_new_object();

	json_add_u64(o, "id", info->id);
	add_place(o, info->object, info->offset, info->length);
	json_add_string(o, "want", info->want);
	json_add_string(o, "type", info->is_break ? "break" : "acquire");
	json_add_string(o, "state", info->held ? "held" : "waiting");
	json_add(o, "by", json_holder(info->pid, info->uid, info->comm));
	json_add_u64(o, "ms", info->ms);
	json_add(o, "holders", json_account(info->account, info->n_account));
	return o;
}

struct json_object *json_change(const struct mapseal_change *change)
{
	struct json_object *o = json_new_object();

	json_add_u64(o, "time_ms", change->time_ms);
	json_add_string(o, "change", change->change);
	json_add_u64(o, "id", change->id);
	add_place(o, change->object, change->offset, change->length);
	json_add(o, "holder", json_holder(change->pid, change->uid, change->comm));
	json_add_string(o, "detail", change->detail);
	return o;
}

struct json_object *json_quarantine(const struct mapseal_quarantine_info *info)
{
	struct json_object *o = json_new_object();
	const char *name = strerrorname_np(info->error);

	json_add_u64(o, "id", info->id);
	json_add_u64(o, "seal", info->seal);
	add_place(o, info->object, info->offset, info->length);
	json_add_u64(o, "bytes", info->bytes);
	json_add_string(o, "error", name ? name : "");
	add_i64(o, "errno", info->error);
	json_add_u64(o, "uid", info->uid);
	json_add_u64(o, "age_ms", info->age_ms);
	return o;
}

struct json_object *json_status(const struct mapseal_status *status)
{
	struct json_object *o = json_new_object();
	struct json_object *limits = json_new_object();
	struct json_object *features = json_new_object();

	json_add_string(o, "version", status->version);
	add_i64(o, "pid", status->pid);
	json_add_u64(o, "epoch", status->epoch);
	json_add_u64(o, "uptime_ms", status->uptime_ms);
	json_add_u64(o, "sessions", status->sessions);
	json_add_u64(o, "objects", status->objects);
	json_add_u64(o, "seals", status->seals);
	json_add_u64(o, "breaks", status->breaks);
	json_add_u64(o, "window_bytes", status->window_bytes);
	json_add_u64(o, "quarantined", status->quarantined);
	json_add_u64(o, "grants", status->grants);
	json_add_u64(o, "recalls", status->recalls);
	json_add_u64(o, "returns", status->returns);
	json_add_u64(o, "revocations", status->revocations);
	json_add_u64(o, "faults", status->faults);
	json_add_u64(o, "pages_filled", status->pages_filled);
	json_add_u64(o, "pages_written", status->pages_written);
	json_add_string(o, "guard", guard_name(status->guard));
	json_add_u64(o, "strangers", status->strangers);
	json_add_u64(o, "strangers_held", status->strangers_held);
	json_add_u64(o, "strangers_denied", status->strangers_denied);
	json_add_u64(o, "broken_promises", status->broken_promises);
	json_add_u64(limits, "max_window_bytes", status->max_window_bytes);
	json_add_u64(limits, "max_seals", status->max_seals);
	json_add_u64(limits, "deadline_ms", status->deadline_ms);
	json_add_u64(limits, "hard_ms", status->hard_ms);
	json_add_u64(limits, "hold_ms", status->hold_ms);
	json_add(o, "limits", limits);
	json_add_bool(features, "poison", status->poison);
	json_add_bool(features, "wp_continue", status->wp_continue);
	json_add_bool(features, "kernel_faults", status->kernel_faults);
	json_add(o, "features", features);
	return o;
}

static void print(struct json_object *value, int flags, FILE *f)
{
	const char *text =
		json_object_to_json_string_ext(value, flags | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		render_no_memory();
	fprintf(f, "%s\n", text);
	json_object_put(value);
}

void json_print(struct json_object *value, FILE *f)
{
	print(value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED, f);
}

void json_print_line(struct json_object *value, FILE *f)
{
	print(value, JSON_C_TO_STRING_PLAIN, f);
	fflush(f);
}
