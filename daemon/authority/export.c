/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Exports.
 *
 * The order is: is there a rule at all for this caller, then the file, then the range. So who has
 * no right learns nothing about what is in a directory, and makes the supervisor touch nothing.
 *
 * Root needs no rule: it could open the file anyway, and has to be able to break. Faults in kernel
 * mode are another matter, and are for those who are named.
 *
 * One rule has to cover all of a range. Rules are not added up: what the administrator wrote in two
 * lines may have been meant as two things, and a window over both would show the seam to nobody.
 *
 * Files are looked up anew each time: what the administrator puts in a place is what is lent
 * from there. How, and what is refused, is in open.c. Only a file that turns out to be one that was
 * judged and opened before (the same inode, which that keeps alive) is not opened again for that.
 */

#include "daemon/authority/export.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/authority/open.h"
#include "daemon/authority/proof.h"
#include "daemon/authority/why.h"
#include "util/range.h"

void export_deinit(struct export *export)
{
	free(export->name);
	free(export->path);
	free(export->read);
	free(export->write);
	free(export->kernel_faults);
	free(export->fence_helper);
	*export = (struct export){ 0 };
}

bool export_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > EXPORT_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	if (strncmp(name, "mem-", strlen("mem-")) == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("._-", name[i])))
			return false;
	return true;
}

/* ---- names ------------------------------------------------------------------------------- */

int export_find(const struct export *exports, size_t n, const char *object,
		const struct export **ret, const char **ret_rest, char *why, size_t size)
{
	size_t length = strcspn(object, "/");

	for (size_t i = 0; i < n; i++)
		if (strlen(exports[i].name) == length &&
		    strncmp(exports[i].name, object, length) == 0) {
			*ret = &exports[i];
			*ret_rest = object[length] ? object + length + 1 : NULL;
			return 0;
		}
	if (length == 0)
		snprintf(why, size,
			 "\"%.200s\" begins with a slash and so names no export; a path is lent by "
			 "passing a descriptor of it",
			 object);
	else
		snprintf(why, size, "there is no export \"%.*s\"",
			 (int)(length > 200 ? 200 : length), object);
	return AUTHORITY_E_UNKNOWN;
}

/* ---- callers ----------------------------------------------------------------------------- */

static bool is_root(const struct export_caller *caller)
{
	return caller->uid == 0;
}

static bool is_meant(const struct export_who *who, const struct export_caller *caller)
{
	switch (who->type) {
	case EXPORT_EVERYONE:
		return true;
	case EXPORT_UID:
		return caller->uid == who->id;
	case EXPORT_GID:
		if (caller->gid == who->id)
			return true;
		for (size_t i = 0; i < caller->n_groups; i++)
			if (caller->groups[i] == who->id)
				return true;
		return false;
	}
	return false;
}

bool export_may_fault(const struct export *export, const struct export_caller *caller)
{
	for (size_t i = 0; i < export->n_kernel_faults; i++)
		if (is_meant(&export->kernel_faults[i], caller))
			return true;
	return false;
}

/* What @caller may do, as a list: "0-4M, 8M-end"; "" for nothing. */
static void describe_rights(const struct export *export, const struct export_caller *caller,
			    bool write, char *text, size_t size)
{
	const struct export_grant *grants = write ? export->write : export->read;
	size_t n = write ? export->n_write : export->n_read, used = 0;
	char range[RANGE_TEXT_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct export_grant *g = &grants[i];

		if (!is_meant(&g->who, caller))
			continue;
		range_format(g->start, g->end == EXPORT_TO_END ? 0 : g->end - g->start, range);
		if (used + strlen(range) + sizeof(", ...") > size) {
			snprintf(text + used, size - used, "%s...", used ? ", " : "");
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", range);
	}
}

static int refuse_all(const struct export *export, const struct export_caller *caller, bool write,
		      char *why, size_t size)
{
	char others[160];

	describe_rights(export, caller, !write, others, sizeof(others));
	snprintf(why, size,
		 "export \"%s\": uid %u may %s nothing of it%s%s; the administrator names who may "
		 "in mapseald.conf(5), %s =",
		 export->name, caller->uid, write ? "write" : "read",
		 others[0] ? (write ? ", only read " : ", only write ") : "", others,
		 write ? "write" : "read");
	return AUTHORITY_E_DENIED;
}

int export_check_range(const struct export *export, const struct export_caller *caller, bool write,
		       uint64_t start, uint64_t end, char *why, size_t size)
{
	const struct export_grant *grants = write ? export->write : export->read;
	size_t n = write ? export->n_write : export->n_read;
	char range[RANGE_TEXT_MAX], rights[200];

	if (is_root(caller))
		return 0;
	for (size_t i = 0; i < n; i++)
		if (is_meant(&grants[i].who, caller) && grants[i].start <= start &&
		    end <= grants[i].end)
			return 0;
	describe_rights(export, caller, write, rights, sizeof(rights));
	if (!rights[0])
		return refuse_all(export, caller, write, why, size);
	snprintf(why, size,
		 "export \"%s\": uid %u may %s %s; %s was asked for, and one rule has to cover "
		 "all of it",
		 export->name, caller->uid, write ? "write" : "read", rights,
		 range_format(start, end == CORE_INFINITY ? 0 : end - start, range));
	return AUTHORITY_E_DENIED;
}

/* ---- files ------------------------------------------------------------------------------- */

static bool has_any_right(const struct export *export, const struct export_caller *caller,
			  bool write)
{
	const struct export_grant *grants = write ? export->write : export->read;
	size_t n = write ? export->n_write : export->n_read;

	if (is_root(caller))
		return true;
	for (size_t i = 0; i < n; i++)
		if (is_meant(&grants[i].who, caller))
			return true;
	return false;
}

static int open_file(const struct export *export, const char *rest, struct mounts *mounts,
		     bool write, struct authority_file *ret, char *why, size_t size)
{
	if (export->directory && (!rest || !rest[0]))
		return refuse_as(why, size, AUTHORITY_E_UNKNOWN,
				 "it is a directory; name a file in it: \"%s/PATH\"", export->name);
	if (!export->directory && rest)
		return refuse_as(why, size, AUTHORITY_E_UNKNOWN,
				 "it is one file; there is nothing below it");
	if (export->directory)
		return open_beneath(mounts, export->path, rest, write, ret, why, size);
	return open_path(mounts, export->path, write, ret, why, size);
}

int export_open(const struct export *export, const char *rest, struct mounts *mounts,
		const struct export_caller *caller, bool write, struct authority_file *ret,
		char *why, size_t size)
{
	char text[AUTHORITY_WHY_MAX];
	int r;

	if (!has_any_right(export, caller, write))
		return refuse_all(export, caller, write, why, size);
	r = open_file(export, rest, mounts, write, ret, text, sizeof(text));
	if (r > 0)
		snprintf(why, size, "export \"%s\": %s", export->name, text);
	return r;
}

bool export_same(const struct export *export, const char *rest, struct mounts *mounts,
		 const struct export_caller *caller, bool write, struct authority_same *ret)
{
	if (!has_any_right(export, caller, write))
		return false;
	if (export->directory)
		return rest && open_beneath_same(mounts, export->path, rest, write, ret);
	return !rest && proof_same(AT_FDCWD, export->path, write, ret);
}
