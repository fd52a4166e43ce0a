/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The JSON forms: every name and value here is documented in mapsealctl(1) and stable. Names may be
 * added; none changes its meaning. Whoever gets an object owns it.
 */

#include <json.h>
#include <stdio.h>

#include "mapseal.h"

struct json_object *json_new_object(void);
struct json_object *json_new_array(void);
struct json_object *json_new_string(const char *text); /* of ours: valid UTF-8 */
void json_add(struct json_object *object, const char *name,
	      struct json_object *value); /* takes it over */
void json_add_string(struct json_object *object, const char *name, const char *text);
void json_add_u64(struct json_object *object, const char *name, uint64_t value);
void json_add_bool(struct json_object *object, const char *name, bool value);
void json_append(struct json_object *array, struct json_object *value); /* takes it over */

struct json_object *json_holder(pid_t pid, uid_t uid, const char *comm);
struct json_object *json_seal(const struct mapseal_seal_info *info);
struct json_object *json_account(const struct mapseal_account *account, size_t n);
struct json_object *json_waiter(const struct mapseal_break_info *info);
struct json_object *json_change(const struct mapseal_change *change);
struct json_object *json_quarantine(const struct mapseal_quarantine_info *info);
struct json_object *json_status(const struct mapseal_status *status);

/* Print and free: over several lines, or on one that is flushed at once. */
void json_print(struct json_object *value, FILE *f);
void json_print_line(struct json_object *value, FILE *f);
