/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the user means by OBJECT[:RANGE].
 *
 * File names may hold colons, so a path that exists is never split. A directory is no object, so
 * one that happens to bear the name of an export does not hide it; a file does, and "an existing
 * file wins" is the whole rule. Only regular files are opened: opening a FIFO waits, opening a
 * device may move it. The supervisor judges the descriptor for itself; this is about what the
 * opening does here.
 */

#include "client/ctl/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static bool names_a_path(const char *name)
{
	struct stat st;

	if (name[0] == '/' || name[0] == '.')
		return true;
	return stat(name, &st) == 0 && !S_ISDIR(st.st_mode);
}

int object_parse(const char *text, struct object *ret, char error[OBJECT_ERROR_MAX])
{
	_cleanup_free_ char *name = NULL;
	const char *colon = NULL;
	struct object object = { .whole = true };
	int r;

	if (*text == '\0') {
		snprintf(error, OBJECT_ERROR_MAX, "the object's name is empty");
		return 1;
	}
	/* The full text only: a directory "export" does not make "export:0-4K" a path. */
	if (!exists(text))
		colon = strrchr(text, ':');
	if (colon == text) {
		snprintf(error, OBJECT_ERROR_MAX, "'%.200s': there is no object before the colon",
			 text);
		return 1;
	}
	if (colon) {
		r = range_parse(colon + 1, &object.range);
		if (r) {
			snprintf(error, OBJECT_ERROR_MAX, "'%.200s': %s", text,
				 range_error_text(r));
			return 1;
		}
		object.whole = false;
	}
	name = colon ? strndup(text, (size_t)(colon - text)) : strdup(text);
	if (!name)
		return -ENOMEM;
	object.is_path = names_a_path(name);
	object.name = take_ptr(name);
	*ret = object;
	return 0;
}

void object_done(struct object *object)
{
	free(object->name);
	object->name = NULL;
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

int object_open(const struct object *object, bool writable, int *ret_fd, int *ret_error,
		char error[OBJECT_ERROR_MAX])
{
	struct stat st;
	int fd;

	if (!object->is_path) {
		*ret_fd = -1;
		return 0;
	}
	if (stat(object->name, &st) < 0)
		goto fail;
	if (!S_ISREG(st.st_mode)) {
		*ret_error = EINVAL;
		snprintf(error, OBJECT_ERROR_MAX,
			 "'%.200s' is %s; only regular files can be sealed", object->name,
			 type_name(st.st_mode));
		return 1;
	}
	/* It may have been replaced since: O_NONBLOCK then keeps the open itself from waiting. */
	fd = open(object->name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		goto fail;
	*ret_fd = fd;
	return 0;
fail:
	*ret_error = errno;
	snprintf(error, OBJECT_ERROR_MAX, "cannot open '%.200s'%s: %s", object->name,
		 writable ? " for writing" : "", strerror(*ret_error));
	return 1;
}
