/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * OBJECT[:RANGE] of the command line.
 */

#include <stdbool.h>

#include "util/range.h"

struct object {
	char *name;	    /* as given, without the range */
	bool is_path;	    /* opened and passed by descriptor, rather than named as an export */
	bool whole;	    /* no range */
	struct range range; /* unless whole */
};

#define OBJECT_ERROR_MAX 512

/*
 * Takes @text apart: what exists as a path is taken whole, colons and all; otherwise the last colon
 * separates the range. A name that begins with '/' or '.', or that names an existing file, is a
 * path, any other an export. 0, 1 with a sentence in @error, or -ENOMEM.
 */
int object_parse(const char *text, struct object *ret, char error[OBJECT_ERROR_MAX]);
void object_done(struct object *object);

/*
 * Opens a path with the access that the operation needs; *@ret_fd is -1 for an export. Only regular
 * files are opened. 0, 1 with a sentence in @error and its errno in *@ret_error.
 */
int object_open(const struct object *object, bool writable, int *ret_fd, int *ret_error,
		char error[OBJECT_ERROR_MAX]);
